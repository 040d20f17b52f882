"""Reference features are librosa's own, frame for frame, at any length and with warped bands."""

import dataclasses

import librosa
import numpy as np
import pytest

from apps.speech_commands.config import AudioConfig, FeatureConfig
from apps.suite import errors
from apps.suite.sounds import features as mel_filters
from tests.apps.speech_commands import sounds

AUDIO = AudioConfig(sample_rate_hz=16_000)
FEATURES = FeatureConfig()


def change(**options):
    return dataclasses.replace(FEATURES, **options)


def mel(waveform, power, center=False):
    return librosa.feature.melspectrogram(
        y=waveform.astype(np.float64),
        sr=16_000,
        n_fft=512,
        hop_length=256,
        power=power,
        center=center,
        n_mels=40,
        fmin=60.0,
        fmax=7_600.0,
    )


def in_decibels(power):
    return librosa.power_to_db(power, amin=mel_filters.LOWEST_POWER, top_db=None)


@pytest.fixture(scope="module", params=["speech", "clipped", "zeros"])
def waveform(request):
    if request.param == "speech":
        return sounds.spoken(16_000, 1)[0]
    return sounds.hard(16_000)[request.param]


def assert_equal(found, expected):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.T, rtol=1e-5, atol=1e-5)


def test_log_mel_is_librosas(waveform):
    found = mel_filters.extract(waveform, AUDIO, FEATURES)
    assert_equal(found, in_decibels(mel(waveform, 2.0)))


def test_mfcc_with_deltas_are_librosas(waveform):
    found = mel_filters.extract(waveform, AUDIO, change(kind="mfcc", deltas=True))
    expected = librosa.feature.mfcc(S=in_decibels(mel(waveform, 2.0)), n_mfcc=20)
    deltas = [librosa.feature.delta(expected, order=order) for order in (1, 2)]
    assert_equal(found, np.concatenate([expected, *deltas]))
    assert found.shape[1] == mel_filters.channel_count(change(kind="mfcc", deltas=True))


def test_pcen_is_librosas_with_the_scale_of_its_page(waveform):
    found = mel_filters.extract(waveform, AUDIO, change(kind="pcen"))
    assert_equal(found, librosa.pcen(mel(waveform, 1.0) * 2**31, sr=16_000, hop_length=256))


def test_centred_frames_are_librosas(waveform):
    found = mel_filters.extract(waveform, AUDIO, change(centre=True))
    assert_equal(found, in_decibels(mel(waveform, 2.0, center=True)))


@pytest.mark.parametrize("milliseconds", [25.0, 31.1, 32.0])
@pytest.mark.parametrize("samples", [0, 1, 100, 399, 400, 512, 513, 5_000])
def test_frames_are_counted_as_documented(samples, milliseconds):
    features = change(window_milliseconds=milliseconds, hop_milliseconds=10.0)
    window, hop, _ = mel_filters.frame_sizes(AUDIO, features)
    waveform = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    found = mel_filters.extract(waveform, AUDIO, features)
    assert found.shape == (1 + max(0, samples - window) // hop, 40)
    centred = dataclasses.replace(features, centre=True)
    assert len(mel_filters.extract(waveform, AUDIO, centred)) == 1 + samples // hop


def test_a_frame_hears_its_own_window_alone():
    features = change(window_milliseconds=25.0, hop_milliseconds=10.0)
    quiet = np.random.default_rng(0).normal(0, 0.01, 16_000).astype(np.float32)
    loud = quiet.copy()
    loud[1_600:2_000] += 0.5  # the window of frame 10; 9 others share some of it
    before, after = (mel_filters.extract(each, AUDIO, features) for each in (quiet, loud))
    changed = np.flatnonzero(np.abs(before - after).max(axis=1) > 0)
    np.testing.assert_array_equal(changed, np.arange(8, 13))


def test_a_band_warp_moves_a_tone_by_its_share():
    """A tone at f sounds to bands that were moved up as one at f / 1.1 to those that were not."""
    seconds = np.arange(16_000) / 16_000
    low, high = (np.sin(2 * np.pi * hertz * seconds).astype(np.float32) for hertz in (1_000, 1_100))
    heard = [
        mel_filters.extract(high, AUDIO, FEATURES, band_warp=0.1),
        mel_filters.extract(low, AUDIO, FEATURES),
        mel_filters.extract(high, AUDIO, FEATURES),
    ]
    bands = [frames.mean(axis=0).argmax() for frames in heard]
    assert bands[0] == bands[1] != bands[2]


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("norm", ["slaney", "none"])
def test_bands_warped_by_nothing_are_librosas(rate, scale, norm):
    audio = AudioConfig(sample_rate_hz=rate)
    features = change(mel_scale=scale, mel_norm=norm)
    np.testing.assert_allclose(
        mel_filters.warped_filters(audio, features, 257, 0.0),
        mel_filters.mel_filters(audio, features, 257),
        rtol=1e-9,
        atol=1e-12,
    )


@pytest.mark.parametrize("warp", [-0.2, -0.05, 0.05, 0.2])
def test_warped_bands_stay_within_the_spectrum_in_their_order(warp):
    weights = mel_filters.warped_filters(AUDIO, FEATURES, 257, warp)
    assert weights.min() >= 0
    assert weights.any(axis=1).all()
    centres = weights @ np.arange(257) / weights.sum(axis=1)
    assert (np.diff(centres) > 0).all()
    plain = mel_filters.mel_filters(AUDIO, FEATURES, 257)
    moved = centres - plain @ np.arange(257) / plain.sum(axis=1)
    assert (moved * np.sign(warp) > -0.2).all()
    assert np.abs(moved).max() > 2


def test_the_level_of_a_sound_only_adds_decibels():
    waveform = sounds.hard(16_000)["noise"]
    features = [mel_filters.extract(level * waveform, AUDIO, FEATURES) for level in (1, 0.1)]
    np.testing.assert_allclose(features[0] - features[1], 20.0, atol=1e-3)


def test_silence_has_the_lowest_value_there_is():
    waveform = np.zeros(16_000, np.float32)
    np.testing.assert_array_equal(mel_filters.extract(waveform, AUDIO, FEATURES), -80.0)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"hop_milliseconds": 40.0}, "hop_milliseconds"),
        ({"hop_milliseconds": 0.01}, "hop_milliseconds"),
        ({"window_milliseconds": 0.1, "hop_milliseconds": 0.1}, "hop_milliseconds"),
        ({"lowest_hz": 9_000.0}, "lowest_hz"),
        ({"mel_bands": 200}, "mel_bands"),
        ({"kind": "mfcc", "coefficients": 41}, "coefficients"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_its_field(options, field):
    with pytest.raises(errors.UserError, match=f"features.{field}: "):
        mel_filters.extract(np.zeros(999, np.float32), AUDIO, change(**options))
