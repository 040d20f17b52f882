"""The autocorrelation of a sequence is that of its equation, wherever the sequence is padded."""

import keras
import numpy as np

from apps.suite.networks import autocorrelation, sequence_encoder
from apps.suite.networks.config import EncoderConfig

LAGS = [2, 5, 20]


def correlated(values, counted=None, lags=LAGS):
    counted = np.ones(values.shape[:2], bool) if counted is None else counted
    found, every = autocorrelation.Autocorrelation(lags)(values * counted[..., None], counted)
    assert np.asarray(every).all()
    return np.asarray(found)


def test_each_lag_has_the_correlation_of_the_steps_that_lie_so_far_apart():
    values = np.random.default_rng(0).normal(3, 1, (2, 12, 3)).astype(np.float32)
    found = correlated(values)
    apart = values - values.mean(axis=1, keepdims=True)
    for lag in LAGS[:2]:
        first, second = apart[:, :-lag], apart[:, lag:]
        size = np.sqrt((first**2).sum(axis=(1, 2)) * (second**2).sum(axis=(1, 2)))
        expected = (first * second).sum(axis=1) / size[:, None]
        np.testing.assert_allclose(found[:, LAGS.index(lag), :3], expected, atol=1e-3)
    assert not found[:, 2, :4].any()  # the sequence is shorter than this lag
    np.testing.assert_allclose(found[..., 3], found[..., :3].sum(axis=-1), atol=1e-6)
    np.testing.assert_allclose(found[0, :, 4], [-1, 0, 1])


def test_padding_on_either_side_changes_nothing():
    values = np.random.default_rng(1).normal(size=(1, 15, 2)).astype(np.float32)
    wide = np.zeros((2, 21, 2), np.float32)
    counted = np.zeros((2, 21), bool)
    wide[0, :15], wide[1, 6:] = values[0], values[0]
    counted[0, :15] = counted[1, 6:] = True
    for row in correlated(wide, counted):
        np.testing.assert_allclose(row, correlated(values)[0], atol=1e-5)


def test_the_sum_over_channels_is_the_same_however_a_sensor_is_turned():
    values = np.random.default_rng(2).normal(size=(1, 40, 3)).astype(np.float32)
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    turned = (values @ turn).astype(np.float32)
    np.testing.assert_allclose(correlated(turned)[..., 3], correlated(values)[..., 3], atol=1e-4)


def test_a_wave_is_like_itself_after_its_period():
    lags = autocorrelation.lags(10, 50, 60)
    wave = np.sin(2 * np.pi * np.arange(120) / 25)[None, :, None].astype(np.float32)
    assert abs(lags[int(correlated(wave, lags=lags)[0, :, 1].argmax())] - 25) <= 1


def test_an_encoder_of_lags_does_not_feel_padding_and_is_saved(tmp_path):
    config = EncoderConfig(
        units=4, layer="bilstm", convolution_count=1, lag_count=9, longest_lag_steps=40
    )
    assert not EncoderConfig(lag_count=9).streams
    keras.utils.set_random_seed(0)
    values = keras.Input((None, 2))
    model = keras.Model(values, sequence_encoder.encode(values, config, per_step=False))
    given = np.random.default_rng(4).normal(size=(1, 60, 2)).astype(np.float32)
    expected = model(given)
    wide = np.pad(given, ((0, 0), (0, 9), (0, 0)), constant_values=np.nan)
    np.testing.assert_allclose(model(wide), expected, atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(given), expected, atol=1e-6)
