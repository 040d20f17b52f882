"""The LSTM of `lstm_graph` and, to be compared with it, of `lstm_xla`."""

import tensorflow as tf

from lstm_layers.recurrences import lstm_graph, lstm_xla
from lstm_layers.recurrences.lstm_portable import Peepholes
from lstm_layers.recurrences.lstm_step import Options
from tests.lstm_layers.recurrences.beside_the_recurrence import BATCH, FEATURES, TIME, UNITS, drawn

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


def implementation(function):
    """`run(given)` for `function(inputs, kernel, recurrent_kernel, bias, peepholes, state)`."""

    def run(given):
        peepholes = Peepholes(*(given.get(gate) for gate in "ifo"))
        weights = (given[name] for name in ("inputs", "kernel", "recurrent_kernel"))
        found = function(*weights, given.get("bias"), peepholes, (given["h_0"], given["c_0"]))
        return dict(zip(OUTPUTS, found, strict=True))

    return run


def recurrence(mask=None, dropout_mask=None, options=Options()):
    """The implementation that others are compared with."""

    @implementation
    def run(inputs, kernel, recurrent_kernel, bias, peepholes, state):
        z = tf.einsum("tbf,fg->tbg", inputs, kernel)
        z = z if bias is None else z + bias
        return lstm_graph.lstm(z, recurrent_kernel, peepholes, state, mask, dropout_mask, options)

    return run


def compiled(mask=None, dropout_mask=None, options=Options(), keep=True):
    """The same by XLA."""

    @implementation
    def run(inputs, kernel, recurrent_kernel, bias, peepholes, state):
        weights = lstm_xla.Weights(kernel, recurrent_kernel, bias, peepholes)
        return lstm_xla.lstm(inputs, weights, state, mask, dropout_mask, options, keep)

    return run
