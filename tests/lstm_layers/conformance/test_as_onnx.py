"""The cases of the operators LSTM, GRU and RNN of ONNX, in own words, from their equations.

The operators are written out here in NumPy: gates in the order i, o, f, c and z, r, h, two biases,
peepholes i, o, f, and Y of zeros after the length of a row. `from_onnx` takes the arrays over.
"""

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import SimpleRNN, VariantLSTM
from lstm_layers.weights import onnx_weights
from tests.lstm_layers.conformance.recurrences_in_numpy import sigmoid

STEPS, BATCH, FEATURES, UNITS = 5, 4, 2, 3
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _one_direction(operator, w, r, b, p, x, length, h, c, before, coupled=False):
    """Runs one row (steps, features) of one direction up to its length."""
    bias_x, bias_h = np.split(b, 2)
    y = np.zeros((len(x), UNITS))
    for t in range(length):
        if operator == "LSTM":
            a_i, a_o, a_f, a_c = np.split(w @ x[t] + r @ h + bias_x + bias_h, 4)
            p_i, p_o, p_f = np.split(p, 3)
            i = sigmoid(a_i + p_i * c)
            f = 1.0 - i if coupled else sigmoid(a_f + p_f * c)
            c = f * c + i * np.tanh(a_c)
            h = sigmoid(a_o + p_o * c) * np.tanh(c)
        elif operator == "GRU":
            x_z, x_r, x_h = np.split(w @ x[t] + bias_x, 3)
            r_z, r_r, r_h = np.split(r, 3)
            b_z, b_r, b_h = np.split(bias_h, 3)
            z, reset = sigmoid(x_z + r_z @ h + b_z), sigmoid(x_r + r_r @ h + b_r)
            fed_back = r_h @ (reset * h) + b_h if before else reset * (r_h @ h + b_h)
            h = (1.0 - z) * np.tanh(x_h + fed_back) + z * h
        else:
            h = np.tanh(w @ x[t] + r @ h + bias_x + bias_h)
        y[t] = h
    return y, h, c


def _operator(operator, arrays, x, lengths, initial, direction, before=False, coupled=False):
    """Runs an operator; returns Y (batch, steps, directions * units), and Y_h, Y_c by direction."""
    directions = ["forward", "reverse"] if direction == "bidirectional" else [direction]
    outputs, last = [], []
    for d, each in enumerate(directions):
        rows = []
        for row, length in enumerate(lengths):
            steps = x[row].copy()
            if each == "reverse":
                steps[:length] = steps[:length][::-1]
            states = [state[d][row] for state in initial]
            w, r, b, p = (arrays[name][d] for name in "WRBP")
            y, h, c = _one_direction(operator, w, r, b, p, steps, length, *states, before, coupled)
            if each == "reverse":
                y[:length] = y[:length][::-1]
            rows.append((y, h, c))
        y, h, c = (np.stack(values) for values in zip(*rows, strict=True))
        outputs.append(y)
        last += [h, c] if operator == "LSTM" else [h]
    return np.concatenate(outputs, -1), last


def _arrays(operator, directions, bias=True, peepholes=True, seed=0):
    rng = np.random.default_rng(seed)
    rows = GATES[operator] * UNITS
    shapes = {"W": (rows, FEATURES), "R": (rows, UNITS), "B": (2 * rows,), "P": (3 * UNITS,)}
    arrays = {name: rng.normal(size=(directions, *shape)) for name, shape in shapes.items()}
    arrays["B"] *= bias
    arrays["P"] *= peepholes
    return arrays


def _initial(directions, given=True, seed=1):
    return np.random.default_rng(seed).normal(size=(2, directions, BATCH, UNITS)) * given


CASES = {
    "defaults": {"bias": False, "peepholes": False, "given": False},
    "initial bias": {"peepholes": False, "given": False},
    "peepholes": {"given": False},
    "initial states": {},
}
LENGTHS = {"whole": [5, 5, 5, 5], "lengths": [5, 2, 1, 4], "a row of no step": [3, 0, 5, 1]}


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("operator", ["LSTM", "GRU", "GRU before"])
def test_operators(operator, case, direction, lengths, assert_close):
    """`test_lstm_*`, `test_gru_*`: every case in every direction, with sequence lengths too."""
    operator, _, before = operator.partition(" ")
    chosen = {"bias": True, "peepholes": True, "given": True, **CASES[case]}
    directions = 2 if direction == "bidirectional" else 1
    arrays = _arrays(operator, directions, chosen["bias"], chosen["peepholes"])
    initial = _initial(directions, chosen["given"])
    x = np.random.default_rng(4).normal(size=(BATCH, STEPS, FEATURES))
    counts = np.array(LENGTHS[lengths])
    expected, last = _operator(operator, arrays, x, counts, initial, direction, bool(before))

    options = {"return_sequences": True, "return_state": True, "dtype": "float64"}
    if operator == "LSTM":
        layer = onnx_weights.from_onnx(*(arrays[name] for name in "WRBP"), **options)
    else:
        layer = onnx_weights.from_onnx(
            *(arrays[name] for name in "WRB"), linear_before_reset=int(not before), **options
        )
    if direction == "reverse":
        config = {**layer.get_config(), "go_backwards": True}
        weights, layer = layer.get_weights(), type(layer).from_config(config)
        layer.build((None, None, FEATURES))
        layer.set_weights(weights)
    states = [
        state[d] for d in range(directions) for state in initial[: 2 if operator == "LSTM" else 1]
    ]
    mask = None if lengths == "whole" else tf.constant(np.arange(STEPS) < counts[:, None])
    outputs, *found = layer(x, initial_state=[tf.constant(each) for each in states], mask=mask)
    outputs = outputs.numpy()
    if direction == "reverse":
        outputs = outputs[:, ::-1]
    real = np.arange(STEPS) < counts[:, None]
    assert_close([outputs * real[..., None], *found], [expected, *last])


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("given", [False, True])
def test_the_operator_without_gates(direction, given, assert_close):
    """`test_simple_rnn_*`, `test_rnn_seq_length`, by the weights of the layer as they are."""
    arrays, initial = _arrays("RNN", 1), _initial(1, given)
    x = np.random.default_rng(4).normal(size=(BATCH, STEPS, FEATURES))
    counts = np.array(LENGTHS["lengths"])
    expected, last = _operator("RNN", arrays, x, counts, initial, direction)
    layer = SimpleRNN(
        UNITS,
        return_sequences=True,
        return_state=True,
        dtype="float64",
        go_backwards=direction == "reverse",
    )
    layer.build((None, None, FEATURES))
    w, r, b = (arrays[name][0] for name in "WRB")
    layer.set_weights([w.T, r.T, b[:UNITS] + b[UNITS:]])
    real = np.arange(STEPS) < counts[:, None]
    outputs, state = layer(x, initial_state=[tf.constant(initial[0][0])], mask=tf.constant(real))
    outputs = outputs.numpy()[:, ::-1] if direction == "reverse" else outputs.numpy()
    assert_close([outputs * real[..., None], state], [expected, *last])


def test_coupled_gates(assert_close):
    """The attribute `input_forget`: the forget gate is what the input gate leaves."""
    arrays, initial = _arrays("LSTM", 1), _initial(1)
    x = np.random.default_rng(4).normal(size=(BATCH, STEPS, FEATURES))
    expected, last = _operator(
        "LSTM", arrays, x, np.array([STEPS] * BATCH), initial, "forward", coupled=True
    )
    layer = VariantLSTM(
        UNITS, coupled_gates=True, peepholes="io", dtype="float64", return_sequences=True,
        return_state=True,
    )  # fmt: skip
    layer.build((None, None, FEATURES))

    def ours(array):  # i, o, f, c to i, g, o along the first axis
        i, o, _, c = np.split(array, 4)
        return np.concatenate([i, c, o])

    w, r, b, p = (arrays[name][0] for name in "WRBP")
    bias = b[: 4 * UNITS] + b[4 * UNITS :]
    p_i, p_o, _ = np.split(p, 3)
    layer.set_weights([ours(w).T, ours(r).T, ours(bias), p_i, p_o])
    states = [tf.constant(state[0]) for state in initial]
    assert_close(list(layer(x, initial_state=states)), [expected, *last])
