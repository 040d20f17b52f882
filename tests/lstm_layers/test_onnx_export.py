"""Exported models, run by onnxruntime, beside the layers that they were written from."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, BiLSTM, PeepholeLSTM, onnx_export

onnx = pytest.importorskip("onnx", reason="writes the models")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the models")

FEATURES, UNITS = 2, 3
LENGTHS = np.array([6, 4, 0, 3], "int32")
LAYERS = {
    "lstm": lambda **options: PeepholeLSTM(UNITS, peepholes="", **options),
    "peephole_lstm": lambda **options: PeepholeLSTM(UNITS, **options),
    "gru": lambda **options: GRU(UNITS, **options),
    "gru_reset_before": lambda **options: GRU(UNITS, reset_after=False, **options),
    "bilstm": lambda **options: BiLSTM(UNITS, **options),
    "bigru": lambda **options: BiLSTM(UNITS, "gru", **options),
}
by_name = pytest.mark.parametrize("name", LAYERS)
one_way = pytest.mark.parametrize("name", ["peephole_lstm", "gru"])
sequences_or_last = pytest.mark.parametrize("return_sequences", [True, False])


def _random(layer, features=FEATURES, batch=None):
    layer.build((batch, None, features))
    rng = np.random.default_rng(9)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def _run(path, **feeds):
    """Outputs by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert {each.name for each in session.get_inputs()} == set(feeds)
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def _assert_close(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def _assert_whole(layer, path, sequences, lengths=None):
    """All inputs and outputs of a layer that returns its states, against the layer."""
    cell = getattr(layer, "forward_layer", layer).cell
    names = ["h", "c"][: len(cell.state_size)]
    if isinstance(layer, BiLSTM):
        names = [f"{way}_{name}" for way in ("forward", "backward") for name in names]
    rng = np.random.default_rng(10)
    states = [rng.normal(size=(len(sequences), UNITS)).astype("float32") for _ in names]
    onnx_export.export_onnx(
        layer, path, lengths=lengths is not None, initial_states=True, last_states=True
    )
    feeds = {f"initial_0_{name}": state for name, state in zip(names, states, strict=True)}
    mask = None
    if lengths is not None:
        feeds["lengths"] = lengths
        mask = tf.sequence_mask(lengths, sequences.shape[1])
    found = _run(path, sequences=sequences, **feeds)
    outputs, *last = layer(
        sequences, initial_state=[tf.constant(state) for state in states], mask=mask
    )
    assert list(found) == ["outputs", *(f"last_0_{name}" for name in names)]
    for one, other in zip(found.values(), [outputs, *last], strict=True):
        _assert_close(one, other)


@sequences_or_last
@pytest.mark.parametrize("use_bias", [True, False])
@by_name
def test_outputs_and_states(name, use_bias, return_sequences, path, sequences):
    options = {"return_sequences": return_sequences, "return_state": True, "use_bias": use_bias}
    _assert_whole(_random(LAYERS[name](**options)), path, sequences)


@sequences_or_last
@by_name
def test_lengths_are_a_mask(name, return_sequences, path, sequences):
    layer = _random(LAYERS[name](return_sequences=return_sequences, return_state=True))
    _assert_whole(layer, path, sequences, LENGTHS)


@pytest.mark.parametrize("go_backwards", [True, False])
@one_way
def test_zero_outputs_at_masked_steps(name, go_backwards, path, sequences):
    options = {"return_state": True, "zero_output_for_mask": True, "go_backwards": go_backwards}
    _assert_whole(_random(LAYERS[name](**options)), path, sequences, LENGTHS)
    if not go_backwards:
        layer = _random(LAYERS[name](return_sequences=True, **options))
        _assert_whole(layer, path, sequences, LENGTHS)


@sequences_or_last
@one_way
def test_a_layer_that_reads_from_the_end(name, return_sequences, path, sequences):
    options = {"return_sequences": return_sequences, "return_state": True, "go_backwards": True}
    layer = _random(LAYERS[name](**options))
    _assert_whole(layer, path, sequences)
    if not return_sequences:
        _assert_whole(layer, path, sequences, LENGTHS)


@pytest.mark.parametrize("peepholes", ["i", "f", "o", "io"])
def test_each_peephole_is_its_own(peepholes, path, sequences):
    options = {"return_sequences": True, "return_state": True}
    _assert_whole(_random(PeepholeLSTM(UNITS, peepholes=peepholes, **options)), path, sequences)


@sequences_or_last
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
def test_directions_are_merged(merge_mode, return_sequences, path, sequences):
    layer = _random(BiLSTM(UNITS, merge_mode=merge_mode, return_sequences=return_sequences))
    onnx_export.export_onnx(layer, path, lengths=True)
    found = _run(path, sequences=sequences, lengths=LENGTHS)
    expected = layer(sequences, mask=tf.sequence_mask(LENGTHS, sequences.shape[1]))
    names = ["forward_outputs", "backward_outputs"] if merge_mode is None else ["outputs"]
    assert list(found) == names
    for one, other in zip(found.values(), keras.tree.flatten(expected), strict=True):
        _assert_close(one, other)


ACTIVATIONS = [
    ("hard_sigmoid", "softsign"),
    ("linear", "hard_sigmoid"),
    ("softsign", "sigmoid"),
    ("relu", "hard_sigmoid"),
]


@pytest.mark.parametrize(("activation", "recurrent_activation"), ACTIVATIONS)
@pytest.mark.parametrize("name", ["peephole_lstm", "gru_reset_before", "bilstm", "bigru"])
def test_activations(name, activation, recurrent_activation, path, sequences):
    layer = LAYERS[name](
        activation=activation,
        recurrent_activation=recurrent_activation,
        return_sequences=True,
        return_state=True,
    )
    layer = _random(layer)
    layer.set_weights([weight / 3.0 for weight in layer.get_weights()])  # linear ones would grow
    _assert_whole(layer, path, sequences)


@pytest.mark.parametrize("lengths", [LENGTHS, None])
def test_a_stack_of_all_kinds(lengths, path, sequences):
    stack = [
        _random(PeepholeLSTM(UNITS, return_sequences=True), FEATURES),
        _random(BiLSTM(4, "gru", merge_mode="sum", return_sequences=True), UNITS),
        _random(BiLSTM(5, return_sequences=True), 4),
        _random(GRU(2, return_sequences=True), 10),
    ]
    onnx_export.export_onnx(stack, path, lengths=lengths is not None)
    feeds = {} if lengths is None else {"lengths": lengths}
    mask = None if lengths is None else tf.sequence_mask(lengths, sequences.shape[1])
    x = sequences
    for layer in stack:
        x = layer(x, mask=mask)
    _assert_close(_run(path, sequences=sequences, **feeds)["outputs"], x)


def test_a_stack_hands_on_the_order_of_a_layer_that_reads_from_the_end(path, sequences):
    first = _random(GRU(UNITS, go_backwards=True, return_sequences=True))
    second = _random(PeepholeLSTM(UNITS), UNITS)
    onnx_export.export_onnx([first, second], path)
    _assert_close(_run(path, sequences=sequences)["outputs"], second(first(sequences)))


def test_a_stream_in_pieces_of_any_length_is_the_whole(path):
    stack = [
        _random(PeepholeLSTM(4, return_sequences=True), 3),
        _random(GRU(2, return_sequences=True), 4),
    ]
    onnx_export.export_onnx(stack, path, initial_states=True, last_states=True)
    x = np.random.default_rng(12).normal(size=(5, 11, 3)).astype("float32")
    sizes = {"0_h": 4, "0_c": 4, "1_h": 2}
    states = {name: np.zeros((5, size), "float32") for name, size in sizes.items()}
    pieces = []
    for piece in np.split(x, [1, 4, 10], axis=1):
        found = _run(
            path, sequences=piece, **{f"initial_{name}": state for name, state in states.items()}
        )
        states = {name: found[f"last_{name}"] for name in states}
        pieces.append(found["outputs"])
    _assert_close(np.concatenate(pieces, axis=1), stack[1](stack[0](x)))


def test_dropout_of_every_kind_is_left_out(path, sequences):
    layer = _random(PeepholeLSTM(UNITS, dropout=0.5, recurrent_dropout=0.5, weight_dropout=0.5))
    onnx_export.export_onnx(layer, path)
    _assert_close(_run(path, sequences=sequences)["outputs"], layer(sequences, training=False))


def test_a_stateful_layer_is_exported_with_its_states_in_the_open(path, sequences):
    layer = _random(GRU(UNITS, stateful=True), batch=4)
    with pytest.raises(ValueError, match="initial_states=True and last_states=True"):
        onnx_export.export_onnx(layer, path, initial_states=True)
    onnx_export.export_onnx(layer, path, initial_states=True, last_states=True)
    state = np.zeros((4, UNITS), "float32")
    for _ in range(2):
        found = _run(path, sequences=sequences, initial_0_h=state)
        state = found["last_0_h"]
        _assert_close(found["outputs"], layer(sequences))


def test_the_operators_are_native_and_few(path):
    onnx_export.export_onnx([_random(BiLSTM(2, return_sequences=True)), _random(GRU(2), 4)], path)
    nodes = [node.op_type for node in onnx.load(path).graph.node]
    assert nodes.count("LSTM") == nodes.count("GRU") == 1
    assert not {"Loop", "Scan", "If"} & set(nodes)


@pytest.mark.parametrize(
    ("stack", "options", "words"),
    [
        ([], {}, "no layer to export"),
        ([GRU(2), GRU(2)], {}, "layer 0 must return one sequence"),
        (
            [BiLSTM(2, merge_mode=None, return_sequences=True), GRU(2)],
            {},
            "layer 0 must return one",
        ),
        ([GRU(3, return_sequences=True), GRU(2)], {}, "layer 1 takes 2 features, but 3 come"),
        (
            [GRU(2, go_backwards=True, return_sequences=True, name="late")],
            {"lengths": True},
            "late returns the last step first",
        ),
    ],
)
def test_what_the_operators_cannot_do_is_refused(stack, options, words, path):
    for layer in stack:
        layer.build((None, None, FEATURES))
    with pytest.raises(ValueError, match=words):
        onnx_export.export_onnx(stack, path, **options)
    assert not path.exists()


def test_an_activation_that_onnx_has_not_is_refused(path):
    layer = _random(GRU(2))
    layer.cell.activation = "swish"
    with pytest.raises(ValueError, match="no activation 'swish'"):
        onnx_export.export_onnx(layer, path)


def test_other_layers_are_refused(path):
    with pytest.raises(TypeError, match="got Dense"):
        onnx_export.export_onnx(keras.layers.Dense(2), path)


def test_without_onnx_the_message_says_what_to_install(monkeypatch, path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="pip install onnx"):
        onnx_export.export_onnx(_random(GRU(2)), path)


def test_a_file_appears_whole_or_not_at_all(monkeypatch, path):
    onnx_export.export_onnx(_random(GRU(2)), path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx_export.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        onnx_export.export_onnx(_random(GRU(5)), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
