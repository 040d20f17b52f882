"""An ONNX file answers as Keras does, or is not there."""

import sys

import keras
import numpy as np
import onnxruntime
import pytest

import lstm_layers
from apps.suite import errors
from apps.suite.export import onnx_file

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def network(layer=None):
    """Tokens and states in, logits and states out, through layers of any kind between."""
    keras.utils.set_random_seed(0)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    states = [keras.Input((4,), name=f"state_{name}") for name in "hc"]
    lstm = lstm_layers.PeepholeLSTM(
        4, return_sequences=True, return_state=True, peephole_initializer="normal"
    )
    values, *after = lstm(keras.layers.Embedding(9, 3)(tokens), initial_state=states)
    if layer is not None:
        values = layer(values)
    logits = keras.layers.Dense(9, name="logits")(values)
    model = keras.Model([tokens, *states], [logits, *after], name="language")
    examples = [
        {
            "tokens": RNG.integers(0, 9, (rows, time), np.int32),
            "state_h": normal(rows, 4),
            "state_c": normal(rows, 4),
        }
        for rows, time in ((1, 1), (2, 12))
    ]
    return onnx_file.Network(model, "answer", examples)


def test_a_file_answers_for_any_number_of_rows_and_steps(tmp_path):
    given = network()
    onnx_file.write(given, tmp_path / "new" / "1.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "new" / "1.onnx")
    assert [each.name for each in session.get_inputs()] == ["tokens", "state_h", "state_c"]
    names = ["answer", "state_h_after", "state_c_after"]
    assert [each.name for each in session.get_outputs()] == names
    tokens, *states = RNG.integers(0, 9, (5, 30), np.int32), normal(5, 4), normal(5, 4)
    found = session.run(names, {"tokens": tokens, "state_h": states[0], "state_c": states[1]})
    for one, other in zip(found, given.model([tokens, *states]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: lstm_layers.GRU(3, return_sequences=True),
        lambda: lstm_layers.BiLSTM(3, return_sequences=True),
        lambda: lstm_layers.StackedLSTM(3, residual=True, return_sequences=True),
        lambda: lstm_layers.LayerNormLSTM(3, return_sequences=True),
    ],
    ids=lambda make: type(make()).__name__,
)
def test_our_layers_convert(make, tmp_path):
    keras.utils.set_random_seed(0)  # where little varies, layer normalisation enlarges rounding
    onnx_file.write(network(make()), tmp_path / "1.onnx")
    assert (tmp_path / "1.onnx").stat().st_size > 0


def test_layers_compute_as_before_afterwards(tmp_path):
    given = network()
    onnx_file.write(given, tmp_path / "1.onnx")
    (lstm,) = (each for each in given.model.layers if hasattr(each, "implementation"))
    assert lstm.implementation == "auto"


def test_what_onnx_lacks_is_refused_by_the_name_of_its_layer(tmp_path):
    given = network(keras.layers.Activation(keras.ops.log1p, name="logarithm"))
    with pytest.raises(errors.UserError, match=r"language: layer logarithm.* needs Log1p"):
        onnx_file.write(given, tmp_path / "new" / "1.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_would_answer_otherwise_is_not_written(tmp_path, monkeypatch):
    given, other = network(), network()
    other.model.set_weights([0.99 * weight for weight in other.model.get_weights()])
    content = onnx_file._converted(other)
    monkeypatch.setattr(onnx_file, "_converted", lambda _: content)
    with pytest.raises(errors.UserError, match=r"differs from Keras: answer by up to 0\.0"):
        onnx_file.write(given, tmp_path / "1.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "tf2onnx", "onnxruntime"])
def test_a_missing_package_is_told_with_what_installs_it(package, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(errors.UserError, match=rf"^{package} is not installed; .*\[onnx\]"):
        onnx_file.write(network(), tmp_path / "1.onnx")
    assert not list(tmp_path.iterdir())
