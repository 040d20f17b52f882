"""Every layer of the package, and what it computes, in NumPy and with weights in a flat list."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lstm_layers import (
    GRU,
    BiLSTM,
    PeepholeLSTM,
    SimpleRNN,
    StackedLSTM,
    VariantLSTM,
    greff_variant,
)
from tests.lstm_layers import lstm_in_numpy
from tests.lstm_layers.lstm_in_numpy import ACTIVATIONS

UNITS = 3
LAYER_NORM = {
    "coupled_gates": True,
    "peepholes": "io",
    "projection_units": 2,
    "layer_normalization": True,
    "cell_clip": 0.9,
    "zoneout_c": 0.1,
    "zoneout_h": 0.2,
}
FGR = {"peepholes": "ifo", "full_gate_recurrence": True}


class Case(NamedTuple):
    """A layer and its equations.

    Attributes:
        make: the layer, from more options.
        run: (layer, weights, x, states, mask) -> outputs of every step, last states; the mask
            (batch, time) bool.
    """

    make: Callable
    run: Callable


def _lstm(options):
    def run(layer, weights, x, states, mask):
        named = dict(zip((weight.name for weight in layer.weights), weights, strict=True))
        return lstm_in_numpy.run(named, options, x, states, keep=mask)[:2]

    return run


def _steps(step):
    """Runs `step(weights, x_t, h) -> h` over time, under a mask."""

    def run(_, weights, x, states, mask):
        (h,), outputs = states, []
        for t in range(x.shape[1]):
            h = np.where(mask[:, t, None], step(weights, x[:, t], h), h)
            outputs.append(h)
        return np.stack(outputs, axis=1), [h]

    return run


def _gru_step(weights, x, h):
    kernel, recurrent_kernel, bias = weights
    sigma, units = ACTIVATIONS["sigmoid"], h.shape[1]
    after = bias.ndim == 2
    a = x @ kernel + (bias[0] if after else bias)
    products = h @ recurrent_kernel + (bias[1] if after else 0.0)
    z = sigma(a[:, :units] + products[:, :units])
    r = sigma(a[:, units : 2 * units] + products[:, units : 2 * units])
    last = products[:, 2 * units :] * r if after else (r * h) @ recurrent_kernel[:, 2 * units :]
    return z * h + (1.0 - z) * np.tanh(a[:, 2 * units :] + last)


def _rnn_step(weights, x, h):
    return np.tanh(x @ weights[0] + h @ weights[1] + weights[2])


def _both_directions(layer, weights, x, states, mask):
    count, half = len(weights) // 2, len(states) // 2
    forward, forward_states = _lstm({})(
        layer.forward_layer, weights[:count], x, states[:half], mask
    )
    backward, backward_states = _lstm({})(
        layer.backward_layer, weights[count:], x[:, ::-1], states[half:], mask[:, ::-1]
    )
    outputs = np.concatenate([forward, backward[:, ::-1]], axis=-1) * mask[:, :, None]
    return outputs, [*forward_states, *backward_states]


def _one_after_another(layer, weights, x, states, mask):
    last_states = []
    for level, each in enumerate(layer.recurrent_layers):
        count, size = len(each.weights), len(each.state_size)
        above, last = _lstm({})(each, weights[:count], x, states[:size], mask)
        weights, states = weights[count:], states[size:]
        last_states += last
        x = above + x if level else above
    return x, last_states


CASES = {
    "peephole_lstm": Case(lambda **options: PeepholeLSTM(UNITS, **options), _lstm({})),
    "gru": Case(lambda **options: GRU(UNITS, **options), _steps(_gru_step)),
    "gru_reset_before": Case(
        lambda **options: GRU(UNITS, reset_after=False, **options), _steps(_gru_step)
    ),
    "simple_rnn": Case(lambda **options: SimpleRNN(UNITS, **options), _steps(_rnn_step)),
    "layer_norm_lstm": Case(
        lambda **options: VariantLSTM(UNITS, **LAYER_NORM, **options), _lstm(LAYER_NORM)
    ),
    "full_gate_recurrence": Case(
        lambda **options: greff_variant("FGR", UNITS, **options), _lstm(FGR)
    ),
    "bilstm": Case(lambda **options: BiLSTM(UNITS, **options), _both_directions),
    "stacked_lstm": Case(
        lambda **options: StackedLSTM(UNITS, residual=True, **options), _one_after_another
    ),
}
