"""Both ways between these layers and the ONNX operators, run by onnxruntime."""

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, BiLSTM, PeepholeLSTM
from lstm_layers.weights import onnx_weights

onnx = pytest.importorskip("onnx", reason="writes the other side of the conversion")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the other side of the conversion")

FEATURES, UNITS = 2, 3
LAYERS = {
    "lstm": lambda **options: PeepholeLSTM(UNITS, peepholes="", **options),
    "peephole_lstm": lambda **options: PeepholeLSTM(UNITS, **options),
    "peephole_lstm_fo": lambda **options: PeepholeLSTM(UNITS, peepholes="fo", **options),
    "gru": lambda **options: GRU(UNITS, **options),
    "gru_reset_before": lambda **options: GRU(UNITS, reset_after=False, **options),
    "bilstm": lambda **options: BiLSTM(UNITS, **options),
    "bigru": lambda **options: BiLSTM(UNITS, "gru", **options),
    "bigru_reset_before": lambda **options: BiLSTM(UNITS, "gru", reset_after=False, **options),
}
# Inputs of an operator, and its attributes.
OPERATORS = {
    "lstm": ("WRBP", {}),
    "lstm_no_peepholes": ("WRB", {}),
    "lstm_no_bias": ("WRP", {}),
    "gru": ("WRB", {"linear_before_reset": 1}),
    "gru_reset_before": ("WRB", {"linear_before_reset": 0}),
    "gru_no_bias": ("WR", {}),
}
by_name = pytest.mark.parametrize("name", LAYERS)


def _run(sequences, initial, arrays, **attributes):
    """Outputs (batch, time, directions * units) and last states, as our layers return them."""
    directions, gates, units = arrays["R"].shape
    operator, kinds = ("LSTM", "hc") if gates == 4 * units else ("GRU", "h")
    states = {f"initial_{kind}": np.stack(initial[k :: len(kinds)]) for k, kind in enumerate(kinds)}
    feeds = {"X": sequences.transpose(1, 0, 2), **arrays, **states}
    names = ["X", "W", "R", "B", "", *states, *("P" if operator == "LSTM" else "")]
    outputs = ["Y", *(f"Y_{kind}" for kind in kinds)]
    node = onnx.helper.make_node(
        operator,
        [name if name in feeds else "" for name in names],
        outputs,
        hidden_size=units,
        direction={1: "forward", 2: "bidirectional"}[directions],
        **attributes,
    )
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info(n, kind, array.shape) for n, array in feeds.items()],
        [onnx.helper.make_tensor_value_info(name, kind, None) for name in outputs],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    y, *last = session.run(None, feeds)
    y = y.transpose(2, 0, 1, 3).reshape(*sequences.shape[:2], -1)
    return y, *(state[d] for d in range(directions) for state in last)


def _random(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _layer(name, **options):
    layer = LAYERS[name](return_sequences=True, return_state=True, **options)
    layer.build((None, None, FEATURES))
    layer.set_weights([_random(w.shape, 30 + k) for k, w in enumerate(layer.get_weights())])
    return layer


def _initial(layer, sequences):
    count = len(layer.compute_output_shape(sequences.shape)) - 1
    return [_random((len(sequences), UNITS), 50 + k) for k in range(count)]


def _assert_same_results(layer, arrays, sequences, **attributes):
    initial = _initial(layer, sequences)
    expected = _run(sequences, initial, arrays, **attributes)
    found = layer(sequences, initial_state=[tf.constant(state) for state in initial])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def _operator_arrays(name, directions):
    inputs, attributes = OPERATORS[name]
    gates = 4 if name.startswith("lstm") else 3
    shapes = {
        "W": (gates * UNITS, FEATURES),
        "R": (gates * UNITS, UNITS),
        "B": (2 * gates * UNITS,),
        "P": (3 * UNITS,),
    }
    arrays = {each: _random((directions, *shapes[each]), 40 + k) for k, each in enumerate(inputs)}
    return arrays, attributes


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("name", OPERATORS)
def test_from_onnx_gives_the_same_results(name, directions, sequences):
    arrays, attributes = _operator_arrays(name, directions)
    layer = onnx_weights.from_onnx(**arrays, **attributes, return_sequences=True, return_state=True)
    assert type(layer) is (BiLSTM if directions == 2 else GRU if "gru" in name else PeepholeLSTM)
    _assert_same_results(layer, arrays, sequences, **attributes)


@pytest.mark.parametrize("use_bias", [True, False])
@by_name
def test_to_onnx_gives_the_same_results(name, use_bias, sequences):
    layer = _layer(name, use_bias=use_bias)
    arrays = onnx_weights.to_onnx(layer)
    assert ("B" in arrays) == use_bias
    attributes = {"linear_before_reset": int("before" not in name)} if "gru" in name else {}
    _assert_same_results(layer, arrays, sequences, **attributes)


@pytest.mark.parametrize("use_bias", [True, False])
@by_name
def test_there_and_back_is_exact(name, use_bias):
    layer = _layer(name, use_bias=use_bias)
    options = {"linear_before_reset": int("before" not in name)} if "gru" in name else {}
    peepholes = {"peepholes": "fo"} if name.endswith("_fo") else {}
    back = onnx_weights.from_onnx(**onnx_weights.to_onnx(layer), **options, **peepholes)
    for one, other in zip(back.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_gru_of_onnx_comes_back_with_both_biases_exactly():
    arrays, attributes = _operator_arrays("gru", 2)
    back = onnx_weights.to_onnx(onnx_weights.from_onnx(**arrays, **attributes))
    assert set(back) == set("WRB")
    for name, array in back.items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"W": np.zeros((1, 9, 2))}, r"W has shape \(1, 9, 2\), expected \(1, 12, 2\)"),
        ({"B": np.zeros((1, 12))}, r"B has shape \(1, 12\), expected \(1, 24\)"),
        ({"P": np.zeros((2, 9))}, r"P has shape \(2, 9\), expected \(1, 9\)"),
        ({"R": np.zeros((1, 3, 3))}, "neither the 4 gates of LSTM nor the 3 of GRU"),
        ({"R": np.zeros((1, 9, 3))}, "a GRU has no peepholes"),
    ],
)
def test_arrays_that_are_not_those_of_an_operator_are_refused(changed, words):
    arrays, _ = _operator_arrays("lstm", 1)
    with pytest.raises(ValueError, match=words):
        onnx_weights.from_onnx(**{**arrays, **changed})
