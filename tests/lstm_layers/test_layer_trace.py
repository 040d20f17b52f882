"""The gates and states that `trace` computes are those of the layer."""

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, PeepholeLSTM, SimpleRNN, trace

LAYERS = {
    "lstm": lambda **options: PeepholeLSTM(3, peephole_initializer="random_normal", **options),
    "gru": lambda **options: GRU(3, bias_initializer="random_normal", **options),
    "gru_reset_before": lambda **options: GRU(3, reset_after=False, **options),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("kind", [None, "mixed"])
def test_states_are_those_of_the_layer(name, go_backwards, kind, sequences, masks):
    layer = LAYERS[name](return_sequences=True, return_state=True, go_backwards=go_backwards)
    mask = None if kind is None else tf.constant(masks[kind])
    layer.build(sequences.shape)
    draw = np.random.default_rng(0)
    initial = [tf.constant(draw.normal(size=(4, 3)), tf.float32) for _ in layer.state_size]
    expected, *last = layer(sequences, initial_state=initial, mask=mask)
    found = trace(layer, sequences, mask, initial)
    np.testing.assert_allclose(found.h, expected, rtol=1e-5, atol=1e-6)
    for name, state in zip("hc", last, strict=False):
        np.testing.assert_allclose(getattr(found, name)[:, -1], state, rtol=1e-5, atol=1e-6)


def test_the_gates_of_an_lstm_explain_its_states(sequences):
    layer = LAYERS["lstm"]()
    layer.build(sequences.shape)
    i, f, g, o, c, h = (value.numpy() for value in trace(layer, sequences))
    before = np.concatenate([np.zeros((4, 1, 3)), c[:, :-1]], axis=1)
    np.testing.assert_allclose(c, f * before + i * g, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(h, o * np.tanh(c), rtol=1e-5, atol=1e-6)
    assert all(((gate > 0) & (gate < 1)).all() for gate in (i, f, o))


def test_the_gates_of_a_gru_explain_its_state(sequences):
    layer = LAYERS["gru"]()
    layer.build(sequences.shape)
    z, _, n, _, h = (value.numpy() for value in trace(layer, sequences))
    before = np.concatenate([np.zeros((4, 1, 3)), h[:, :-1]], axis=1)
    np.testing.assert_allclose(h, z * before + (1 - z) * n, rtol=1e-5, atol=1e-6)


def test_another_layer_is_refused(sequences):
    layer = SimpleRNN(3)
    layer.build(sequences.shape)
    with pytest.raises(TypeError, match="SimpleRNN"):
        trace(layer, sequences)
