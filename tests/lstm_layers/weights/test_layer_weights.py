import keras
import numpy as np
import pytest

import lstm_layers
from lstm_layers import GRU, BiLSTM, PeepholeLSTM, PeepholeLSTMCell
from lstm_layers.weights import layer_weights
from lstm_layers.weights.gate_weights import GRUWeights, LSTMWeights

LAYERS = {
    "no peepholes": lambda **options: PeepholeLSTM(3, peepholes="", **options),
    "all peepholes": lambda **options: PeepholeLSTM(3, **options),
    "two peepholes": lambda **options: PeepholeLSTM(3, peepholes="oi", **options),
    "gru": lambda **options: GRU(3, **options),
    "gru_reset_before": lambda **options: GRU(3, reset_after=False, **options),
    "bilstm": lambda **options: BiLSTM(3, **options),
    "bigru": lambda **options: BiLSTM(3, "gru", **options),
}


def _random(layer, features=2):
    layer.build((None, None, features))
    rng = np.random.default_rng(7)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_of_a_layer_s_weights_has_them_all(name, use_bias, sequences):
    layer = _random(LAYERS[name](use_bias=use_bias))
    directions = layer_weights.directions_of(layer)
    assert len(directions) == (2 if name.startswith("bi") else 1)
    copy = layer_weights.layer_of(directions)
    assert copy.get_weights()[0].any()
    for one, other in zip(copy.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(copy(sequences), layer(sequences))


def test_fields_are_named_as_in_the_cell():
    layer = _random(PeepholeLSTM(3, peepholes="fo"))
    (weights,) = layer_weights.directions_of(layer)
    for field in ("kernel", "recurrent_kernel", "bias", "forget_peephole", "output_peephole"):
        np.testing.assert_array_equal(getattr(weights, field), getattr(layer.cell, field).numpy())
    assert weights.input_peephole is None


def test_peepholes_and_a_bias_that_are_asked_for_start_at_zero(sequences):
    plain = _random(PeepholeLSTM(3, peepholes="", use_bias=False))
    directions = layer_weights.directions_of(plain)
    more = layer_weights.layer_of(directions, peepholes="ifo", use_bias=True)
    assert len(more.get_weights()) == 6
    np.testing.assert_array_equal(more(sequences), plain(sequences))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("all peepholes", {"peepholes": "if"}, "would lose those of gate 'o'"),
        ("all peepholes", {"use_bias": False}, "would lose a bias"),
        ("gru", {"reset_after": False}, "need reset_after=True"),
    ],
)
def test_options_that_would_lose_weights_are_refused(name, options, words):
    directions = layer_weights.directions_of(_random(LAYERS[name]()))
    with pytest.raises(ValueError, match=words):
        layer_weights.layer_of(directions, **options)


def test_directions_must_match():
    lstm = LSTMWeights(np.zeros((2, 12)), np.zeros((3, 12)))
    gru = GRUWeights(np.zeros((2, 9)), np.zeros((3, 9)))
    for directions in ([lstm, gru], [gru, GRUWeights(np.zeros((5, 9)), np.zeros((3, 9)))]):
        with pytest.raises(ValueError, match="same kind and shapes"):
            layer_weights.layer_of(directions)
    with pytest.raises(ValueError, match="one or two directions, got 3"):
        layer_weights.layer_of([gru] * 3)


def test_a_layer_without_weights_is_refused():
    with pytest.raises(ValueError, match="not_yet has no weights yet"):
        layer_weights.directions_of(PeepholeLSTM(3, name="not_yet"))


def test_other_layers_and_cells_are_refused():
    class Variant(PeepholeLSTMCell):
        """Computes something else with the same weights."""

    layer = PeepholeLSTM(3)
    layer.cell = Variant(3)
    for other in (layer, keras.layers.LSTM(3), keras.layers.Dense(3)):
        with pytest.raises(TypeError, match="expected a PeepholeLSTM, GRU or BiLSTM"):
            layer_weights.directions_of(other)


CONVERSIONS = ("to_keras", "to_torch", "to_onnx", "to_tensorflow1", "to_addons", "export_onnx")


@pytest.mark.parametrize("convert", CONVERSIONS)
@pytest.mark.parametrize("kind", ["rnn", "variant_lstm", "V"])
def test_a_bilstm_of_cells_without_a_counterpart_is_refused_everywhere(convert, kind, tmp_path):
    layer = _random(BiLSTM(3, kind, return_sequences=True))
    path = [tmp_path / "model.onnx"] if convert == "export_onnx" else []
    with pytest.raises(TypeError, match="expected a PeepholeLSTM, GRU or BiLSTM of them, got"):
        getattr(lstm_layers, convert)(layer, *path)
    assert not list(tmp_path.iterdir())
