"""The LSTM of `lstm_graph` and, to be compared with it, of the other implementations."""

from lstm_layers.recurrences import lstm_block, lstm_graph, lstm_xla
from lstm_layers.recurrences.lstm_step import Options, Weights
from tests.lstm_layers.recurrences.beside_the_recurrence import (
    BATCH,
    FEATURES,
    TIME,
    UNITS,
    drawn,
)

OUTPUTS = ("h", "last h", "last c")


def arrays(dtype, peepholes="ifo", use_bias=True, time=TIME, batch=BATCH, sizes=(FEATURES, UNITS)):
    """Inputs, weights and states by name, all of them random."""
    features, units = sizes
    shapes = {
        "inputs": (time, batch, features),
        "kernel": (features, 4 * units),
        "recurrent_kernel": (units, 4 * units),
        "h_0": (batch, units),
        "c_0": (batch, units),
        "bias": (4 * units,),
        "i": (units,),
        "f": (units,),
        "o": (units,),
    }
    left_out = set("ifo") - set(peepholes) | (set() if use_bias else {"bias"})
    return {name: value for name, value in drawn(shapes, dtype).items() if name not in left_out}


def _implementation(module, mask, dropout_mask, options):
    """`run(given)` by a module's loop."""

    def run(given):
        names = ("kernel", "recurrent_kernel", "bias", "i", "f", "o")
        weights = Weights(*(given.get(name) for name in names), dropout_mask)
        initial = given["h_0"], given["c_0"]
        h, final = module.run(given["inputs"], mask, initial, weights, options)
        return dict(zip(OUTPUTS, (h, *final), strict=True))

    return run


def recurrence(mask=None, dropout_mask=None, options=Options()):
    """The implementation that others are compared with."""
    return _implementation(lstm_graph, mask, dropout_mask, options)


def compiled(mask=None, dropout_mask=None, options=Options(), keep=True):
    """The same by XLA."""
    return _implementation(lstm_xla, mask, dropout_mask, options._replace(training=keep))


def block(mask=None):
    """The same by the block operation."""
    return _implementation(lstm_block, mask, None, Options())
