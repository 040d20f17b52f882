"""The layers of one recurrence that have a counterpart elsewhere, with all weights at random."""

import keras
import numpy as np
import pytest

from lstm_layers import GRU, PeepholeLSTM, SimpleRNN
from tests.lstm_layers.conformance import recurrences_in_numpy

LAYERS = {
    "lstm": ("lstm", PeepholeLSTM, {"peepholes": ""}),
    "peephole_lstm": ("lstm", PeepholeLSTM, {}),
    "gru": ("gru", GRU, {}),
    "gru_reset_before": ("gru", GRU, {"reset_after": False}),
    "simple_rnn": ("simple", SimpleRNN, {}),
}


class Counterpart:
    """A kind of layer with its oracle; the width is three units, of inputs of two features."""

    def __init__(self, name):
        self.kind, self._layer_class, self._options = LAYERS[name]

    def build(self, **options):
        """Makes a built layer whose weights are all drawn anew, so that none stays at zero."""
        layer = self._layer_class(3, **{**self._options, **options})
        layer.build((options.get("batch"), None, 2))
        self.draw(layer)
        return layer

    def make(self, **options):
        """Makes a layer that is not built."""
        return self._layer_class(3, **{**self._options, **options})

    @staticmethod
    def draw(layer, seed=7):
        rng = np.random.default_rng(seed)
        for weight in layer.trainable_weights:
            weight.assign(rng.normal(scale=0.7, size=weight.shape))

    def expected(self, layer, x, **options):
        """Returns what the equations give for the weights of a layer."""
        weights = recurrences_in_numpy.weights_of(layer)
        return recurrences_in_numpy.run(self.kind, weights, x, **options)


@pytest.fixture(params=LAYERS)
def counterpart(request):
    return Counterpart(request.param)


@pytest.fixture
def states():
    """Two initial states (4, 3); a layer of one state takes the first."""
    return list(np.random.default_rng(3).normal(size=(2, 4, 3)).astype("float32"))


@pytest.fixture(scope="session")
def assert_close():
    """Compares outputs or lists of them with those of the oracle, to the rounding of 32 bits."""

    def check(found, expected, tolerance=1e-5):
        found = found if isinstance(found, (list, tuple)) else [found]
        expected = expected if isinstance(expected, (list, tuple)) else [expected]
        for one, other in zip(found, expected, strict=True):
            one = keras.ops.convert_to_numpy(one)
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance / 5)

    return check
