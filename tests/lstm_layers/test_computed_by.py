import keras
import numpy as np
import pytest

from lstm_layers import BiLSTM, PeepholeLSTM, StackedLSTM, computed_by
from lstm_layers.recurrences import lstm_block


@pytest.fixture
def model():
    """Layers as they are, in layers, in wrappers and in a model within the model."""
    inner_inputs = keras.Input((None, 3))
    inner = keras.Model(inner_inputs, PeepholeLSTM(3, return_sequences=True)(inner_inputs))
    inputs = keras.Input((None, 2))
    x = PeepholeLSTM(3, return_sequences=True, implementation="graph")(inputs)
    x = StackedLSTM(3, depth=2, return_sequences=True)(inner(x))
    x = keras.layers.Bidirectional(PeepholeLSTM(3, return_sequences=True))(x)
    return keras.Model(inputs, BiLSTM(3)(x))


X = np.random.default_rng(0).normal(size=(2, 9, 2)).astype("float32")


def test_every_layer_computes_by_what_is_said_and_by_its_own_afterwards(model, monkeypatch):
    expected = model(X).numpy()

    def never(*_):
        raise AssertionError("the block operation ran")

    with monkeypatch.context() as patched, computed_by("portable", model):
        patched.setattr(lstm_block, "_forward", never)
        patched.setattr("lstm_layers.recurrences.lstm_graph.lstm", never)
        found = model(X).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    first, inner = model.layers[1], model.layers[2].layers[1]
    assert (first.implementation, inner.implementation) == ("graph", "auto")
    model(X)
    assert (first.implementation_used, inner.implementation_used) == ("graph", "block")


def test_an_error_inside_leaves_nothing_behind(model):
    with pytest.raises(KeyError), computed_by("portable", model):
        raise KeyError
    assert model.layers[1].implementation == "graph"


def test_an_unknown_implementation_is_refused_and_changes_nothing(model):
    with pytest.raises(ValueError, match="implementation must be one of"), computed_by("a", model):
        pass
    assert model.layers[1].implementation == "graph"
