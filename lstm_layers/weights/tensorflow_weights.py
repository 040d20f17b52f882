"""Conversion from and to the LSTM cells of TensorFlow 1 and of TensorFlow Addons.

TensorFlow 1, `tf.nn.rnn_cell.LSTMCell` (the same variables in `BasicLSTMCell`, which has no
peepholes, and `LSTMBlockCell`): `kernel` (features + u, 4u), rows of the inputs above those of h,
and `bias` (4u,), gates i, j, f, o, that is i, g, f, o here; `w_i_diag`, `w_f_diag`, `w_o_diag` (u,)
with `use_peepholes`. When it runs it adds `forget_bias`, 1.0 by default, to the bias of the forget
gate. States are (c, h).

TensorFlow Addons, `tfa.rnn.PeepholeLSTMCell`: `kernel` (features, 4u), `recurrent_kernel` (u, 4u)
and `bias` (4u,), gates i, f, c, o, as here; `input_gate_peephole_weights`,
`forget_gate_peephole_weights` and `output_gate_peephole_weights` (u,). States are [h, c].

Sources: the method `call` of LSTMCell in TensorFlow 1.15, `python/ops/rnn_cell_impl.py`, after Sak
et al. 2014; the class in TensorFlow Addons 0.23, `rnn/peephole_lstm_cell.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_layers.peephole_lstm import PeepholeLSTM
from lstm_layers.weights import layer_weights
from lstm_layers.weights.gate_weights import LSTM_GATES, LSTMWeights, named, reordered

_TENSORFLOW1_ORDER = "igfo"
_DIAGONALS = {gate: f"w_{gate}_diag" for gate in "ifo"}
_ADDONS_PEEPHOLES = {
    gate: f"{word}_gate_peephole_weights"
    for gate, word in (("i", "input"), ("f", "forget"), ("o", "output"))
}


def lstm_from_tensorflow1(
    variables: Mapping[str, Any], forget_bias: float = 1.0, prefix: str = ""
) -> LSTMWeights:
    """Returns the weights of an `LSTMCell`.

    Args:
        variables: name to array, as a checkpoint holds them.
        forget_bias: the option of the cell; it becomes part of the bias. An `LSTMBlockCell` has
            the same default.
        prefix: what the cell's names begin with, such as "rnn/lstm_cell/".

    Raises:
        ValueError: a name that is missing, a projection (`num_proj`), shapes that don't fit.
    """
    if any(name.startswith(f"{prefix}projection/") for name in variables):
        raise ValueError("this LSTMCell has a projection (num_proj): there is no layer for it here")
    kernel = reordered(named(variables, f"{prefix}kernel"), _TENSORFLOW1_ORDER, LSTM_GATES)
    bias = reordered(named(variables, f"{prefix}bias"), _TENSORFLOW1_ORDER, LSTM_GATES)
    units = len(bias) // 4
    if kernel.shape[1] != 4 * units or len(kernel) <= units:
        raise ValueError(f"kernel {kernel.shape} does not go with bias {bias.shape}")
    return LSTMWeights(
        kernel[:-units],
        kernel[-units:],
        _with_forget_bias(bias, forget_bias),
        *_peepholes(variables, {gate: prefix + name for gate, name in _DIAGONALS.items()}),
    )


def lstm_to_tensorflow1(
    weights: LSTMWeights, forget_bias: float = 1.0, prefix: str = ""
) -> dict[str, np.ndarray]:
    """Returns the variables of an `LSTMCell` with `forget_bias`, which is taken off the bias.

    There are three peepholes if the weights have any, with zeros for missing ones, and always a
    bias.
    """
    bias = weights.bias
    if bias is None:
        bias = np.zeros(4 * weights.units, weights.kernel.dtype)
    variables = {
        "kernel": np.concatenate([weights.kernel, weights.recurrent_kernel]),
        "bias": _with_forget_bias(bias, -forget_bias),
    }
    variables = {
        name: reordered(array, LSTM_GATES, _TENSORFLOW1_ORDER) for name, array in variables.items()
    }
    if weights.peepholes:
        variables.update(_three(weights, _DIAGONALS))
    return {prefix + name: array for name, array in variables.items()}


def lstm_from_addons(variables: Mapping[str, Any]) -> LSTMWeights:
    """Reads the weights of an Addons `PeepholeLSTMCell`, by name; `bias` may be missing.

    Raises:
        ValueError: another name that is missing.
    """
    return LSTMWeights(
        named(variables, "kernel"),
        named(variables, "recurrent_kernel"),
        named(variables, "bias") if "bias" in variables else None,
        *(named(variables, name) for name in _ADDONS_PEEPHOLES.values()),
    )


def lstm_to_addons(weights: LSTMWeights) -> dict[str, np.ndarray]:
    """Returns the weights of a `PeepholeLSTMCell` of TensorFlow Addons, by name.

    They are in the order of its `get_weights`, with zeros for peepholes that the weights lack.
    """
    named_weights = {"kernel": weights.kernel, "recurrent_kernel": weights.recurrent_kernel}
    if weights.bias is not None:
        named_weights["bias"] = weights.bias
    return {**named_weights, **_three(weights, _ADDONS_PEEPHOLES)}


def from_tensorflow1(
    variables: Mapping[str, Any], forget_bias: float = 1.0, prefix: str = "", **options
) -> PeepholeLSTM:
    """Makes a new layer with the weights of an `LSTMCell`; see `lstm_from_tensorflow1`.

    `options` are those of `PeepholeLSTM`.
    """
    weights = lstm_from_tensorflow1(variables, forget_bias, prefix)
    return layer_weights.layer_of([weights], **options)


def to_tensorflow1(
    layer: PeepholeLSTM, forget_bias: float = 1.0, prefix: str = ""
) -> dict[str, np.ndarray]:
    """Returns the variables of an `LSTMCell` for a layer; see `lstm_to_tensorflow1`.

    Raises:
        TypeError: another kind of layer.
        ValueError: another `recurrent_activation` than sigmoid.
    """
    weights = _lstm_weights(layer)
    if layer.cell.recurrent_activation != "sigmoid":
        raise ValueError(
            f"the gates of an LSTMCell are sigmoids, not {layer.cell.recurrent_activation!r}"
        )
    return lstm_to_tensorflow1(weights, forget_bias, prefix)


def from_addons(variables: Mapping[str, Any], **options) -> PeepholeLSTM:
    """Makes a new layer with the weights of a `PeepholeLSTMCell` of Addons; see `lstm_from_addons`.

    `options` are those of `PeepholeLSTM`.
    """
    return layer_weights.layer_of([lstm_from_addons(variables)], **options)


def to_addons(layer: PeepholeLSTM) -> dict[str, np.ndarray]:
    """Returns the weights of an Addons `PeepholeLSTMCell` for a layer; see `lstm_to_addons`.

    Raises:
        TypeError: another kind of layer.
    """
    return lstm_to_addons(_lstm_weights(layer))


def _lstm_weights(layer) -> LSTMWeights:
    directions = layer_weights.directions_of(layer)
    if len(directions) != 1 or not isinstance(directions[0], LSTMWeights):
        raise TypeError(
            f"expected a PeepholeLSTM, got {type(layer).__name__}; convert the layers of a BiLSTM "
            "one by one"
        )
    return directions[0]


def _with_forget_bias(bias: np.ndarray, amount: float) -> np.ndarray:
    """Adds `amount` to the forget gate's part of `bias` (4u,), in the order i, f, g, o."""
    units = len(bias) // 4
    added = np.zeros_like(bias)
    added[units : 2 * units] = amount
    return bias + added


def _peepholes(variables, names: dict[str, str]) -> list[np.ndarray | None]:
    return [named(variables, n) if n in variables else None for n in names.values()]


def _three(weights: LSTMWeights, names: dict[str, str]) -> dict[str, np.ndarray]:
    zeros = np.zeros(weights.units, weights.kernel.dtype)
    return {name: weights.peepholes.get(gate, zeros) for gate, name in names.items()}
