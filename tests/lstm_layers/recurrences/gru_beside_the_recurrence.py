"""The GRU of `gru_graph` and, to be compared with it, of `gru_xla`."""

from lstm_layers.recurrences import gru_graph, gru_xla
from lstm_layers.recurrences.gru_step import Options, Weights
from tests.lstm_layers.recurrences.beside_the_recurrence import (
    BATCH,
    FEATURES,
    TIME,
    UNITS,
    drawn,
)

OUTPUTS = ("h", "last h")


def arrays(dtype, reset_after=True, use_bias=True, time=TIME, batch=BATCH, sizes=(FEATURES, UNITS)):
    """Inputs, weights and states by name, all of them random."""
    features, units = sizes
    shapes = {
        "inputs": (time, batch, features),
        "kernel": (features, 3 * units),
        "recurrent_kernel": (units, 3 * units),
        "h_0": (batch, units),
    }
    if use_bias:
        shapes["bias"] = (3 * units,)
        if reset_after:
            shapes["recurrent_bias"] = (3 * units,)
    return drawn(shapes, dtype)


def _implementation(module, mask, dropout_mask, options):
    """`run(given)` by a module's loop."""

    def run(given):
        names = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
        weights = Weights(*(given.get(name) for name in names), dropout_mask)
        h, final = module.run(given["inputs"], mask, (given["h_0"],), weights, options)
        return dict(zip(OUTPUTS, (h, *final), strict=True))

    return run


def recurrence(mask=None, dropout_mask=None, options=Options()):
    """The implementation that others are compared with."""
    return _implementation(gru_graph, mask, dropout_mask, options)


def compiled(mask=None, dropout_mask=None, options=Options(), keep=True):
    """The same by XLA."""
    return _implementation(gru_xla, mask, dropout_mask, options._replace(training=keep))
