"""Both ways between `PeepholeLSTM` and the cells of TensorFlow 1 and TensorFlow Addons.

Neither is public beside Keras 3. Their documented equations are written out here in NumPy;
besides, `tf.raw_ops.BlockLSTM`, the operator of `LSTMBlockCell`, still runs, and as long as
TensorFlow carries it, the class of TensorFlow 1 itself.
"""

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, BiLSTM, PeepholeLSTM
from lstm_layers.weights import tensorflow_weights

FEATURES, UNITS = 2, 3
letters = pytest.mark.parametrize("peepholes", ["ifo", "io", "f", ""])
forget_biases = pytest.mark.parametrize("forget_bias", [1.0, 0.0, 2.5])


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def _tensorflow1_cell(variables, x, c, h, forget_bias):
    """LSTMCell of TensorFlow 1 (Sak et al. 2014): gates i, j, f, o; returns outputs, c, h."""
    zeros = np.zeros(UNITS)
    w_i, w_f, w_o = (variables.get(f"w_{gate}_diag", zeros) for gate in "ifo")
    outputs = []
    for inputs in x.transpose(1, 0, 2):
        product = np.concatenate([inputs, h], axis=1) @ variables["kernel"] + variables["bias"]
        i, j, f, o = np.split(product, 4, axis=1)
        c = _sigmoid(f + forget_bias + w_f * c) * c + _sigmoid(i + w_i * c) * np.tanh(j)
        h = _sigmoid(o + w_o * c) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1), c, h


def _block_lstm(variables, x, c, h, forget_bias):
    """The operator of LSTMBlockCell, with the same variables; returns outputs, c, h."""
    zeros = np.zeros(UNITS, "float32")
    found = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.constant(x.shape[1], tf.int64),
        x=x.transpose(1, 0, 2),
        cs_prev=c,
        h_prev=h,
        w=variables["kernel"],
        wci=variables.get("w_i_diag", zeros),
        wcf=variables.get("w_f_diag", zeros),
        wco=variables.get("w_o_diag", zeros),
        b=variables["bias"],
        forget_bias=forget_bias,
        cell_clip=0.0,
        use_peephole=True,
    )
    outputs = found.h.numpy()
    return outputs.transpose(1, 0, 2), found.cs.numpy()[-1], outputs[-1]


def _addons_cell(variables, x, c, h):
    """PeepholeLSTMCell of TensorFlow Addons: gates i, f, c, o; returns outputs, c, h."""
    p_i, p_f, p_o = (
        variables[f"{gate}_gate_peephole_weights"] for gate in ("input", "forget", "output")
    )
    outputs = []
    for inputs in x.transpose(1, 0, 2):
        z = inputs @ variables["kernel"] + h @ variables["recurrent_kernel"]
        z_i, z_f, z_c, z_o = np.split(z + variables.get("bias", 0.0), 4, axis=1)
        i, f = _sigmoid(z_i + p_i * c), _sigmoid(z_f + p_f * c)
        c = f * c + i * np.tanh(z_c)
        h = _sigmoid(z_o + p_o * c) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1), c, h


TENSORFLOW1 = pytest.mark.parametrize("cell", [_tensorflow1_cell, _block_lstm])


@pytest.fixture
def state():
    """Initial h and c, (4, units)."""
    rng = np.random.default_rng(11)
    return [rng.normal(size=(4, UNITS)).astype("float32") for _ in range(2)]


def _random(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _variables(peepholes=True):
    variables = {
        "kernel": _random((FEATURES + UNITS, 4 * UNITS), 1),
        "bias": _random(4 * UNITS, 2),
    }
    diagonals = {f"w_{gate}_diag": _random(UNITS, 3 + k) for k, gate in enumerate("ifo")}
    return {**variables, **(diagonals if peepholes else {})}


def _layer(peepholes="ifo", **options):
    layer = PeepholeLSTM(UNITS, peepholes=peepholes, **options)
    layer.build((None, None, FEATURES))
    layer.set_weights(
        [_random(weight.shape, 20 + k) for k, weight in enumerate(layer.get_weights())]
    )
    return layer


def _assert_same_results(layer, sequences, state, expected):
    h, c = state
    outputs, c_expected, h_expected = expected
    whole = PeepholeLSTM.from_config(
        {**layer.get_config(), "return_sequences": True, "return_state": True}
    )
    whole.build((None, None, FEATURES))
    whole.set_weights(layer.get_weights())
    found = whole(sequences, initial_state=[tf.constant(h), tf.constant(c)])
    for one, other in zip(found, (outputs, h_expected, c_expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@TENSORFLOW1
@forget_biases
@pytest.mark.parametrize("peepholes", [True, False])
def test_from_tensorflow1_gives_the_same_results(cell, forget_bias, peepholes, sequences, state):
    variables = _variables(peepholes)
    layer = tensorflow_weights.from_tensorflow1(variables, forget_bias)
    assert layer.cell.peepholes == ("ifo" if peepholes else "")
    expected = cell(variables, sequences, state[1], state[0], forget_bias)
    _assert_same_results(layer, sequences, state, expected)


@TENSORFLOW1
@forget_biases
@letters
def test_to_tensorflow1_gives_the_same_results(cell, forget_bias, peepholes, sequences, state):
    layer = _layer(peepholes)
    variables = tensorflow_weights.to_tensorflow1(layer, forget_bias)
    assert ("w_i_diag" in variables) == bool(peepholes)
    expected = cell(variables, sequences, state[1], state[0], forget_bias)
    _assert_same_results(layer, sequences, state, expected)


@pytest.mark.filterwarnings("ignore::UserWarning")  # it says that it is deprecated
def test_the_class_itself_that_tensorflow_still_carries(sequences, state):
    module = pytest.importorskip(
        "tensorflow.python.keras.layers.legacy_rnn.rnn_cell_impl",
        reason="a private module of TensorFlow, which may go",
    )
    cell = module.LSTMCell(UNITS, use_peepholes=True)
    cell.build(tf.TensorShape([None, FEATURES]))
    layer = _layer()
    variables = tensorflow_weights.to_tensorflow1(layer, prefix="lstm_cell/")
    names = [weight.name.removesuffix(":0").split("/")[-1] for weight in cell.weights]
    assert {f"lstm_cell/{name}" for name in names} == set(variables)
    cell.set_weights([variables[f"lstm_cell/{name}"] for name in names])
    h, c = (tf.constant(each) for each in state)
    outputs = []
    for inputs in sequences.transpose(1, 0, 2):
        h, (c, _) = cell(tf.constant(inputs), (c, h))
        outputs.append(h.numpy())
    _assert_same_results(layer, sequences, state, (np.stack(outputs, axis=1), c, h))
    back = tensorflow_weights.from_tensorflow1(
        {f"a/{name}": weight for name, weight in zip(names, cell.get_weights(), strict=True)},
        prefix="a/",
    )
    _assert_same_results(back, sequences, state, (np.stack(outputs, axis=1), c, h))


@pytest.mark.parametrize("use_bias", [True, False])
@letters
def test_to_addons_and_from_addons_give_the_same_results(peepholes, use_bias, sequences, state):
    layer = _layer(peepholes, use_bias=use_bias)
    variables = tensorflow_weights.to_addons(layer)
    expected = _addons_cell(variables, sequences, state[1], state[0])
    _assert_same_results(layer, sequences, state, expected)
    back = tensorflow_weights.from_addons(variables)
    assert back.cell.peepholes == "ifo"
    _assert_same_results(back, sequences, state, expected)


def test_there_and_back_is_exact():
    layer = _layer()
    layer.cell.bias.assign(np.arange(4.0 * UNITS) / 8.0)  # adding 1.0 to it rounds nothing off
    for back in (
        tensorflow_weights.from_tensorflow1(tensorflow_weights.to_tensorflow1(layer)),
        tensorflow_weights.from_addons(tensorflow_weights.to_addons(layer)),
    ):
        for one, other in zip(back.get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_of_addons_are_in_the_order_of_its_get_weights():
    assert list(tensorflow_weights.to_addons(_layer())) == [
        "kernel",
        "recurrent_kernel",
        "bias",
        "input_gate_peephole_weights",
        "forget_gate_peephole_weights",
        "output_gate_peephole_weights",
    ]


def test_a_layer_without_bias_becomes_a_cell_that_cancels_its_forget_bias(sequences, state):
    layer = _layer(use_bias=False)
    variables = tensorflow_weights.to_tensorflow1(layer)
    expected = _tensorflow1_cell(variables, sequences, state[1], state[0], forget_bias=1.0)
    _assert_same_results(layer, sequences, state, expected)


def test_a_projection_is_refused():
    variables = {"a/projection/kernel": np.zeros((3, 2)), "a/kernel": np.zeros((4, 12))}
    with pytest.raises(ValueError, match="num_proj"):
        tensorflow_weights.from_tensorflow1(variables, prefix="a/")


def test_what_is_missing_or_does_not_fit_is_told():
    with pytest.raises(ValueError, match="no 'kernel' among bias"):
        tensorflow_weights.from_tensorflow1({"bias": np.zeros(12)})
    variables = tensorflow_weights.to_addons(_layer())
    del variables["output_gate_peephole_weights"]
    with pytest.raises(ValueError, match="no 'output_gate_peephole_weights'"):
        tensorflow_weights.from_addons(variables)
    with pytest.raises(ValueError, match="does not go with bias"):
        tensorflow_weights.from_tensorflow1({**_variables(), "bias": np.zeros(16)})


def test_gates_that_are_not_sigmoids_are_refused():
    with pytest.raises(ValueError, match="not 'hard_sigmoid'"):
        tensorflow_weights.to_tensorflow1(_layer(recurrent_activation="hard_sigmoid"))


@pytest.mark.parametrize("layer", [GRU(UNITS), BiLSTM(UNITS)])
def test_other_layers_are_refused(layer):
    layer.build((None, None, FEATURES))
    for convert in (tensorflow_weights.to_tensorflow1, tensorflow_weights.to_addons):
        with pytest.raises(TypeError, match="expected a PeepholeLSTM"):
            convert(layer)
