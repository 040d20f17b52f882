"""The GRU of `gru_graph` and, to be compared with it, of `gru_xla`."""

import tensorflow as tf

from lstm_layers.recurrences import gru_graph, gru_xla
from lstm_layers.recurrences.gru_step import Options
from tests.lstm_layers.recurrences.beside_the_recurrence import BATCH, FEATURES, TIME, UNITS, drawn

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


def recurrence(mask=None, dropout_mask=None, options=Options()):
    """The implementation that others are compared with."""

    def run(given):
        a = tf.einsum("tbf,fg->tbg", given["inputs"], given["kernel"])
        if "bias" in given:
            a = a + given["bias"]
        weights = given["recurrent_kernel"], given.get("recurrent_bias")
        found = gru_graph.gru(a, *weights, given["h_0"], mask, dropout_mask, options)
        return dict(zip(OUTPUTS, found, strict=True))

    return run


def compiled(mask=None, dropout_mask=None, options=Options(), keep=True):
    """The same by XLA."""

    def run(given):
        weights = gru_xla.Weights(*(given.get(name) for name in gru_xla.Weights._fields))
        found = gru_xla.gru(
            given["inputs"], weights, given["h_0"], mask, dropout_mask, options, keep
        )
        return dict(zip(OUTPUTS, found, strict=True))

    return run
