"""Padding and other rows change no answer, streams answer as wholes, and ONNX as Keras."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite.export import onnx_file
from apps.suite.networks import sequence_encoder
from apps.suite.networks.config import EncoderConfig
from apps.suite.networks.sequence_inputs import RunningMeans, SequenceInputs, left_aligned

SMALL = EncoderConfig(units=5, convolution_filters=6, convolution_steps=3, layer_count=2)
NOTHING = np.float32(np.nan)


def model_of(config, per_step=False, **options):
    keras.utils.set_random_seed(0)
    values = keras.Input((None, 3), name="values")
    options = {"mean": [1, 2, 3], "deviation": [1, 2, 0.5], "indicators": True, **options}
    vectors = sequence_encoder.encode(values, config, per_step=per_step, **options)
    return keras.Model(values, keras.layers.Dense(4, name="logits")(vectors), name="small")


def some_values(rows=2, steps=7):
    """Values with a missing one, a step without any, and a shorter last row."""
    values = np.random.default_rng(1).normal(2, 2, (rows, steps, 3)).astype(np.float32)
    values[0, 3] = values[-1, 2, 1] = values[-1, 5:] = NOTHING
    return values


def padded(values, before=0, after=0):
    return np.pad(values, ((0, 0), (before, after), (0, 0)), constant_values=NOTHING)


LAYERS = ("peephole_lstm", "gru", "bilstm")
FRONTS: tuple[dict[str, object], ...] = (
    {},
    {"convolution_count": 2},
    {"convolution_count": 2, "pool_steps": 2, "pool": "average"},
    {"pool_steps": 3},
    {"running_mean_steps": (2, 5), "convolution_count": 1},
)
SUMMARIES = ("last", "mean", "max", "attention", "mean_max")


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("front", FRONTS, ids=str)
@pytest.mark.parametrize("pooling", ["last", "attention"])
def test_neither_padding_nor_other_rows_change_the_vector_of_a_sequence(layer, front, pooling):
    model = model_of(dataclasses.replace(SMALL, layer=layer, pooling=pooling, **front))
    values = some_values()
    expected = model(values)
    np.testing.assert_allclose(model(padded(values, after=5)), expected, atol=2e-6)
    np.testing.assert_allclose(model(values[1:, :5]), expected[1:], atol=2e-6)
    in_front = left_aligned(tf.constant(padded(values, before=5)))
    np.testing.assert_allclose(model(in_front), expected, atol=2e-6)
    if "pool_steps" not in front:
        np.testing.assert_allclose(model(padded(values, before=5)), expected, atol=2e-6)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("front", FRONTS, ids=str)
def test_neither_padding_nor_other_rows_change_the_vectors_of_steps(layer, front):
    model = model_of(dataclasses.replace(SMALL, layer=layer, **front), per_step=True)
    values = some_values()
    expected = model(values)
    assert expected.shape == (2, 7, 4)
    np.testing.assert_allclose(model(padded(values, after=4))[0, :7], expected[0], atol=2e-6)
    np.testing.assert_allclose(model(values[1:, :5])[0], expected[1, :5], atol=2e-6)


@pytest.mark.parametrize("normalisation", ["z_score", "centre", "sequence", "none"])
def test_every_normalisation_is_blind_to_padding(normalisation):
    model = model_of(dataclasses.replace(SMALL, normalisation=normalisation))
    values = some_values()
    np.testing.assert_allclose(model(padded(values, 3, 2)), model(values), atol=2e-6)


@pytest.mark.parametrize(
    ("layer", "convolution_count", "pooling"),
    [
        (("peephole_lstm", "gru", "lstm")[at % 3], 2 * (at % 2), each)
        for at, each in enumerate(SUMMARIES)
    ],
)
def test_a_stream_answers_after_each_step_as_the_model_does_for_the_beginning(
    layer, convolution_count, pooling
):
    config = dataclasses.replace(
        SMALL, layer=layer, pooling=pooling, convolution_count=convolution_count
    )
    model, values = model_of(config), padded(some_values(), before=1)
    found = streamed(model, config, values, (2, 3, 6))
    for steps in range(1, values.shape[1] + 1):
        np.testing.assert_allclose(found[:, steps - 1], model(values[:, :steps]), atol=2e-6)


@pytest.mark.parametrize("means", [(), (2, 5)])
@pytest.mark.parametrize("indicators", [True, False])
def test_a_stream_of_steps_equals_the_whole(means, indicators):
    config = dataclasses.replace(SMALL, convolution_count=2, running_mean_steps=means)
    model, values = model_of(config, per_step=True, indicators=indicators), some_values()
    np.testing.assert_allclose(streamed(model, config, values, (1, 5)), model(values), atol=2e-6)


def streamed(model, config, values, cuts):
    stream = sequence_encoder.Stream(model, config)
    states, found = stream.initial_states(len(values)), []
    shapes = {name: state.shape for name, state in states.items()}
    for chunk in np.split(values, cuts, axis=1):
        vectors, states = stream.advance(tf.constant(chunk), states)
        assert {name: state.shape for name, state in states.items()} == shapes
        found.append(model.get_layer("logits")(vectors))
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize(
    "changed", [{"layer": "bilstm"}, {"pool_steps": 2}, {"normalisation": "sequence"}], ids=str
)
def test_what_needs_later_steps_does_not_stream(changed):
    config = dataclasses.replace(SMALL, **changed)
    assert not config.streams
    with pytest.raises(ValueError, match="comes later"):
        sequence_encoder.Stream(model_of(config), config)


@pytest.mark.parametrize("pooling", SUMMARIES)
def test_a_sequence_without_any_value_is_answered_with_numbers(pooling):
    model = model_of(dataclasses.replace(SMALL, pooling=pooling, pool_steps=2))
    assert np.isfinite(model(np.full((2, 3, 3), NOTHING))).all()


def test_gradients_are_numbers_where_values_are_missing():
    for normalisation in ("z_score", "sequence"):
        model = model_of(
            dataclasses.replace(
                SMALL,
                pooling="attention",
                convolution_count=1,
                pool_steps=2,
                normalisation=normalisation,
            )
        )
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(padded(some_values(), after=4)) ** 2)
        for gradient in tape.gradient(loss, model.trainable_variables):
            assert np.isfinite(gradient).all()


def test_each_normalisation_computes_its_equation():
    values = some_values()
    seen, mean, deviation = ~np.isnan(values), np.array([1, 2, 3]), np.array([1, 2, 0.5])
    of_row = np.nanmean(values, axis=1, keepdims=True), np.nanstd(values, axis=1, keepdims=True)
    expected = {
        "z_score": (values - mean) / deviation,
        "centre": values - mean,
        "sequence": (values - of_row[0]) / of_row[1],
        "none": values,
    }
    for name, whole in expected.items():
        layer = SequenceInputs(name, list(mean), list(deviation), indicators=True)
        found, counted = layer(values)
        np.testing.assert_allclose(found[..., :3], np.where(seen, whole, 0), atol=1e-5)
        np.testing.assert_array_equal(found[..., 3:], seen)
        np.testing.assert_array_equal(counted, seen.any(axis=-1))


@pytest.mark.parametrize("indicators", [True, False])
def test_running_means_are_those_of_a_loop_over_the_known_values(indicators):
    values, steps = np.nan_to_num(some_values(3, 9)), (2, 7)
    known = (np.random.default_rng(2).random(values.shape) < 0.7).astype(np.float32)
    known = known if indicators else np.ones_like(values)
    counted = known.any(axis=-1)
    counted[1, 2:4] = False
    given = np.concatenate([values * known, known], axis=-1) if indicators else values
    found = RunningMeans(steps, indicators)(given, counted)
    np.testing.assert_array_equal(found[..., : given.shape[-1]], given)
    for place, each in enumerate(steps):
        total, weight = np.zeros((3, 3)), np.zeros((3, 3))
        for t in range(values.shape[1]):
            at = counted[:, t]
            total[at] = (1 - 1 / each) * total[at] + (values * known)[at, t]
            weight[at] = (1 - 1 / each) * weight[at] + known[at, t]
            expected = total / np.where(weight > 0, weight, 1)
            first = given.shape[-1] + 3 * place
            np.testing.assert_allclose(found[:, t, first : first + 3], expected, atol=1e-5)


def test_a_constant_channel_of_a_sequence_becomes_zero():
    values = np.full((1, 50, 2), 1234.567, np.float32)
    found, _ = SequenceInputs("sequence")(values)
    np.testing.assert_allclose(found, 0, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "per_step"),
    [
        ({"pooling": "last"}, False),
        ({"pooling": "attention", "normalisation": "sequence"}, False),
        ({"layer": "bilstm", "convolution_count": 1, "pool_steps": 2}, True),
        ({"running_mean_steps": (3, 10)}, True),
    ],
    ids=str,
)
def test_the_network_answers_alike_as_keras_file_and_in_onnx(changed, per_step, tmp_path):
    pytest.importorskip("tf2onnx")
    model = model_of(dataclasses.replace(SMALL, layer_count=1, **changed), per_step)
    values = some_values()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(values), model(values), atol=1e-6)
    examples = [{"values": values}, {"values": values[:1, :3]}]
    onnx_file.write(onnx_file.Network(model, "logits", examples), tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").is_file()
