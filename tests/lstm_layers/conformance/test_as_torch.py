"""The tests of `torch.nn.RNN`, `GRU`, `LSTM` and their cells, in own words.

The modules are written out here in NumPy: gates in the order i, f, g, o and r, z, n, weights of
shape (gates * hidden, in), two biases, and several layers above each other.
"""

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import StackedLSTM, VariantLSTM
from lstm_layers.weights import torch_weights
from tests.lstm_layers.conformance.recurrences_in_numpy import sigmoid

INPUT, HIDDEN, BATCH, STEPS = 2, 3, 4, 6
ALL = {"return_sequences": True, "return_state": True}


def _state_dict(module, layers=1, directions=1, bias=True, seed=0):
    rng = np.random.default_rng(seed)
    rows = {"LSTM": 4, "GRU": 3}[module] * HIDDEN
    weights = {}
    for layer in range(layers):
        for suffix in ("", "_reverse")[:directions]:
            columns = HIDDEN * directions if layer else INPUT
            weights[f"weight_ih_l{layer}{suffix}"] = rng.normal(size=(rows, columns))
            weights[f"weight_hh_l{layer}{suffix}"] = rng.normal(size=(rows, HIDDEN))
            if bias:
                for name in ("ih", "hh"):
                    weights[f"bias_{name}_l{layer}{suffix}"] = rng.normal(size=rows)
    return {name: value.astype("float32") for name, value in weights.items()}


def _cell(module, weights, suffix, x, state):
    """Computes a step of one direction of one layer for rows (batch, features)."""
    a = x @ weights[f"weight_ih_{suffix}"].T + weights.get(f"bias_ih_{suffix}", 0.0)
    b = state[0] @ weights[f"weight_hh_{suffix}"].T + weights.get(f"bias_hh_{suffix}", 0.0)
    if module == "LSTM":
        i, f, g, o = np.split(a + b, 4, -1)
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3, -1), np.split(b, 3, -1)
    n = np.tanh(a_n + sigmoid(a_r + b_r) * b_n)
    z = sigmoid(a_z + b_z)
    return [(1.0 - z) * n + z * state[0]]


def _module(module, weights, x, lengths, initial, layers, directions):
    """Runs a module over packed rows: each up to its length, then zeros as in padded outputs."""
    x = x.astype("float64")
    last = []
    for layer in range(layers):
        halves = []
        for d in range(directions):
            suffix = f"l{layer}" + ("_reverse" if d else "")
            y = np.zeros((BATCH, STEPS, HIDDEN))
            states = [state[layer * directions + d].astype("float64") for state in initial]
            for row, length in enumerate(lengths):
                state = [each[row : row + 1] for each in states]
                for t in range(length)[::-1] if d else range(length):
                    state = _cell(module, weights, suffix, x[row : row + 1, t], state)
                    y[row, t] = state[0][0]
                for each, value in zip(states, state, strict=True):
                    each[row] = value[0]
            halves.append(y)
            last += states
        x = np.concatenate(halves, -1)
    return x, last


def _initial(module, count, seed=5):
    kinds = 2 if module == "LSTM" else 1
    return np.random.default_rng(seed).normal(size=(kinds, count, BATCH, HIDDEN)).astype("float32")


@pytest.mark.parametrize("module", ["LSTM", "GRU"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("lengths", [[6, 6, 6, 6], [2, 6, 1, 4]])
@pytest.mark.parametrize("bias", [False, True])
def test_modules_over_packed_rows(
    sequences, assert_close, module, directions, layers, lengths, bias
):
    """`test_rnn_*` and the reference of packed sequences, not sorted by length."""
    weights = _state_dict(module, layers, directions, bias)
    initial = _initial(module, layers * directions)
    expected, last = _module(module, weights, sequences, lengths, initial, layers, directions)
    outputs, found = sequences, []
    mask = tf.constant(np.arange(STEPS) < np.array(lengths)[:, None])
    for n, layer in enumerate(torch_weights.from_torch(weights, **ALL)):
        states = [
            tf.constant(state[n * directions + d]) for d in range(directions) for state in initial
        ]
        outputs, *ends = layer(outputs, initial_state=states, mask=mask)
        found += ends
    real = np.arange(STEPS) < np.array(lengths)[:, None]
    assert_close([outputs * real[..., None], *found], [expected, *last])


@pytest.mark.parametrize("module", ["LSTM", "GRU"])
def test_a_stack_of_two_is_a_module_of_two_layers(sequences, assert_close, module):
    weights, initial = _state_dict(module, 2), _initial(module, 2)
    expected, last = _module(module, weights, sequences, [STEPS] * BATCH, initial, 2, 1)
    stack = StackedLSTM(HIDDEN, 2, cell="lstm" if module == "LSTM" else "gru", **ALL)
    stack.build((None, None, INPUT))
    taken = [layer.get_weights() for layer in torch_weights.from_torch(weights)]
    stack.set_weights([array for arrays in taken for array in arrays])
    states = [tf.constant(state[n]) for n in range(2) for state in initial]
    assert_close(list(stack(sequences, initial_state=states)), [expected, *last])


def test_a_projection(sequences, assert_close):
    """`test_projections_lstm_*`: h is projected, and it is the projected h that is fed back."""
    rng, proj = np.random.default_rng(1), 2
    w_x, w_h = rng.normal(size=(4 * HIDDEN, INPUT)), rng.normal(size=(4 * HIDDEN, proj))
    bias, w_hr = rng.normal(size=4 * HIDDEN), rng.normal(size=(proj, HIDDEN))
    h, c = np.zeros((BATCH, proj)), np.zeros((BATCH, HIDDEN))
    for t in range(STEPS):
        i, f, g, o = np.split(sequences[:, t] @ w_x.T + h @ w_h.T + bias, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)) @ w_hr.T
    layer = VariantLSTM(HIDDEN, projection_units=proj, return_state=True)
    layer.build((None, None, INPUT))
    layer.set_weights([w_x.T, w_h.T, bias, w_hr.T])
    assert_close(list(layer(sequences)), [h, h, c])


def test_no_state_is_a_state_of_zeros(counterpart, sequences):
    """`test_rnn_initial_hidden_state`."""
    layer = counterpart.build(**ALL)
    zeros = [np.zeros((BATCH, 3), "float32")] * (2 if counterpart.kind == "lstm" else 1)
    for one, other in zip(layer(sequences), layer(sequences, initial_state=zeros), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("shape", [(1, 3), (3, 3), (4, 1), (4, 2), (3,), (1, 4, 3)])
def test_a_state_of_another_shape_is_refused(counterpart, sequences, which, shape):
    """`test_rnn_args_check`, `test_RNN_cell_no_broadcasting`: also where it would broadcast."""
    states = [np.zeros((4, 3), "float32")] * (2 if counterpart.kind == "lstm" else 1)
    if which >= len(states):
        pytest.skip("the layer has one state")
    states[which] = np.zeros(shape, "float32")
    with pytest.raises(ValueError, match=f"initial state {which} of"):
        counterpart.build()(sequences, initial_state=states)


@pytest.mark.parametrize("units", [0, -1])
def test_a_size_without_a_unit_is_refused(counterpart, units):
    """`test_rnn_cell_forward_zero_hidden_size`."""
    with pytest.raises(ValueError, match="units"):
        type(counterpart.make())(units)


def test_inputs_that_are_views_of_other_arrays(counterpart, sequences, assert_close):
    """`test_noncontig`: a transposed, strided and reversed view is read as it looks."""
    layer = counterpart.build()
    view = np.repeat(sequences, 2, axis=1).transpose(1, 0, 2)[::-2].transpose(1, 0, 2)
    assert not view.flags.c_contiguous
    assert_close(layer(view), counterpart.expected(layer, view)[0][:, -1])


@pytest.mark.parametrize("training", [False, True])
def test_weights_that_are_frozen_get_no_gradient_and_inputs_do(counterpart, sequences, training):
    """`test_rnn_retain_variables` and training of parts of a module."""
    layer = counterpart.build()
    layer.trainable = False
    x = tf.constant(sequences)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, training=training) ** 2)
    gradients = [tape.gradient(loss, x).numpy() for _ in range(2)]
    assert np.abs(gradients[0]).min() > 0
    np.testing.assert_array_equal(*gradients)


def test_dropout_between_the_layers_leaves_the_last_outputs_alone(sequences):
    """`test_RNN_dropout`: nearly all of what lies between dropped, and no output of the top one."""
    stack = StackedLSTM(HIDDEN, 2, cell="lstm", dropout_between=0.99, seed=1, **ALL)
    stack.build((None, None, INPUT))
    weights = stack.get_weights()
    rng = np.random.default_rng(0)
    stack.set_weights([rng.normal(size=w.shape) for w in weights])
    outputs = stack(sequences, training=True)[0]
    assert np.abs(outputs).min() > 0
    silent = stack(np.zeros_like(sequences), training=False)[0]
    assert np.abs(outputs - silent).max() > 0
    np.testing.assert_array_equal(stack(sequences)[0], stack(sequences)[0])


def test_dropout_can_be_changed_on_a_layer_that_is_built(counterpart, sequences):
    """`test_RNN_change_dropout`: a rate of zero that is set acts at the next call."""
    layer = counterpart.build(dropout=0.9, seed=2)
    assert np.abs(layer(sequences, training=True) - layer(sequences)).max() > 1e-3
    layer.cell.dropout = 0.0
    np.testing.assert_allclose(layer(sequences, training=True), layer(sequences), rtol=1e-6)


def test_relu_and_tanh_without_gates(sequences, assert_close):
    """`test_RNN_nonlinearity`."""
    from tests.lstm_layers.conformance.conftest import Counterpart

    counterpart = Counterpart("simple_rnn")
    for phi in ("tanh", "relu"):
        layer = counterpart.build(activation=phi)
        expected, _ = counterpart.expected(layer, sequences, phi=phi)
        assert_close(layer(sequences), expected[:, -1])
    with pytest.raises(ValueError, match="garbage"):
        counterpart.make(activation="garbage")
