"""The tests of Flax's recurrent modules (`linen` and `nnx`), in own words."""

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, BiLSTM, PeepholeLSTM
from tests.lstm_layers.conformance import recurrences_in_numpy

ALL = {"return_sequences": True, "return_state": True}
LENGTHS = np.array([3, 6, 1, 4])


@pytest.fixture
def lengths_mask():
    return np.arange(6)[None] < LENGTHS[:, None]


def test_what_a_row_gives_up_to_its_length_is_what_it_gives_alone(
    counterpart, sequences, lengths_mask, assert_close
):
    """`test_basic_seq_lengths`, `test_numerical_equivalence_with_mask`, `test_return_carry`."""
    layer = counterpart.build(**ALL)
    outputs, *last = layer(sequences, mask=tf.constant(lengths_mask))
    for row, length in enumerate(LENGTHS):
        expected, state = counterpart.expected(layer, sequences[row : row + 1, :length])
        assert_close(outputs[row, :length], expected[0])
        assert_close([each[row] for each in last], [each[0] for each in state])


@pytest.mark.parametrize("kept", [False, True])
def test_reversed_rows_of_unequal_length(counterpart, sequences, lengths_mask, assert_close, kept):
    """`test_reverse`, `test_reverse_but_keep_order`, `test_flip_sequence`.

    Flax flips the real steps of a row and leaves its padding behind them. Our outputs start with
    the padding, since all steps are flipped: flipped once more, both are in the order of the input.
    """
    layer = counterpart.build(**ALL, go_backwards=True)
    outputs, *last = layer(sequences, mask=tf.constant(lengths_mask))
    for row, length in enumerate(LENGTHS):
        reverse = sequences[row : row + 1, :length][:, ::-1]
        expected, state = counterpart.expected(layer, reverse)
        found = outputs[row].numpy()
        if kept:
            assert_close(found[::-1][:length], expected[0, ::-1])
        else:
            assert_close(found[6 - length :], expected[0])
        assert_close([each[row] for each in last], [each[0] for each in state])


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_two_directions_of_unequal_lengths(sequences, lengths_mask, assert_close, cell):
    """`test_bidirectional` with lengths: each row as if it were alone."""
    layer = BiLSTM(3, cell, **ALL, bias_initializer="random_normal")
    outputs, *last = layer(sequences, mask=tf.constant(lengths_mask))
    for row, length in enumerate(LENGTHS):
        alone, *states = layer(sequences[row : row + 1, :length])
        assert_close(outputs[row, :length], alone[0])
        assert_close([each[row] for each in last], [each[0] for each in states])


def test_unrolled_is_looped(counterpart, sequences):
    """`test_rnn_unroll`."""
    looped = counterpart.build(**ALL)
    unrolled = counterpart.build(**ALL, unroll=True)
    for one, other in zip(looped(sequences), unrolled(sequences), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["relu", "softsign", "linear", "hard_sigmoid"])
def test_other_activations(counterpart, sequences, assert_close, name):
    """`test_lstm_with_custom_activations`."""
    layer = counterpart.build(**ALL, activation=name)
    expected, state = counterpart.expected(layer, sequences, phi=name)
    assert_close(list(layer(sequences)), [expected, *state])


def test_other_gates(sequences, assert_close):
    for kind, layer in (
        ("lstm", PeepholeLSTM(3, recurrent_activation="hard_sigmoid", **ALL)),
        ("gru", GRU(3, recurrent_activation="hard_sigmoid", **ALL)),
    ):
        outputs, *last = layer(sequences)
        weights = recurrences_in_numpy.weights_of(layer)
        expected, state = recurrences_in_numpy.run(kind, weights, sequences, sigma="hard_sigmoid")
        assert_close([outputs, *last], [expected, *state])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_outputs_and_states_are_of_the_layers_type(counterpart, sequences, dtype):
    """`test_lstm_with_different_dtypes`: and as near to 64 bits as the type can be."""
    layer = counterpart.build(**ALL, dtype=dtype)
    found = layer(tf.cast(sequences, dtype))
    assert {each.dtype.name for each in found} == {dtype}
    expected, state = counterpart.expected(layer, tf.cast(sequences, dtype).numpy())
    tolerance = {"float16": 1e-2, "bfloat16": 1e-1, "float32": 1e-5, "float64": 1e-12}[dtype]
    for one, other in zip(found, (expected, *state), strict=True):
        np.testing.assert_allclose(tf.cast(one, "float64"), other, rtol=tolerance, atol=tolerance)


def test_batches_of_other_sizes_in_turn(counterpart, assert_close):
    """`test_rnn_with_variable_batch_size`: none, one and many rows by one layer."""
    layer = counterpart.build(**ALL)
    for batch in (3, 1, 0, 8):
        x = np.random.default_rng(batch).normal(size=(batch, 5, 2))
        expected, state = counterpart.expected(layer, x)
        assert_close(list(layer(x)), [expected, *state])


def test_weights_in_the_layout_of_flax(sequences, assert_close):
    """`test_lstm_equivalence_with_flax_linen`, `test_rnn_equivalence_with_flax_linen`.

    An LSTM of Flax has a kernel without a bias for each gate of the input, and one with a bias for
    each gate of h; its GRU has a bias for h in the candidate alone.
    """
    rng = np.random.default_rng(2)
    of_x = {gate: rng.normal(size=(2, 3)) for gate in "ifgo"}
    of_h = {gate: (rng.normal(size=(3, 3)), rng.normal(size=3)) for gate in "ifgo"}
    h, c = np.zeros((4, 3)), np.zeros((4, 3))
    sigmoid = recurrences_in_numpy.sigmoid
    for t in range(6):
        a = {k: sequences[:, t] @ of_x[k] + h @ of_h[k][0] + of_h[k][1] for k in "ifgo"}
        c = sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["g"])
        h = sigmoid(a["o"]) * np.tanh(c)
    layer = PeepholeLSTM(3, peepholes="")
    layer.build((None, None, 2))
    kernels = [of_x, {k: v[0] for k, v in of_h.items()}, {k: v[1] for k, v in of_h.items()}]
    layer.set_weights([np.concatenate([each[k] for k in "ifgo"], -1) for each in kernels])
    assert_close(layer(sequences), h)

    of_x = {gate: (rng.normal(size=(2, 3)), rng.normal(size=3)) for gate in "zrn"}
    of_h = {gate: rng.normal(size=(3, 3)) for gate in "zrn"}
    b_n = rng.normal(size=3)
    h = np.zeros((4, 3))
    for t in range(6):
        x = {k: sequences[:, t] @ of_x[k][0] + of_x[k][1] for k in "zrn"}
        z, r = (sigmoid(x[k] + h @ of_h[k]) for k in "zr")
        h = (1 - z) * np.tanh(x["n"] + r * (h @ of_h["n"] + b_n)) + z * h
    layer = GRU(3)
    layer.build((None, None, 2))
    bias = np.stack(
        [np.concatenate([of_x[k][1] for k in "zrn"]), np.concatenate([np.zeros(6), b_n])]
    )
    kernel = np.concatenate([of_x[k][0] for k in "zrn"], -1)
    layer.set_weights([kernel, np.concatenate([of_h[k] for k in "zrn"], -1), bias])
    assert_close(layer(sequences), h)
