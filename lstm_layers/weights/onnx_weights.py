"""Conversion from and to the inputs W, R, B and P of ONNX's LSTM and GRU, as NumPy arrays.

With d directions, u units and g gates: W (d, g·u, features), R (d, g·u, u), B (d, 2·g·u), the
biases of the inputs and then those of the state, and for LSTM P (d, 3·u); B and P may be missing.

LSTM: gates i, o, f, c, that is i, o, f, g here, and peepholes i, o, f. Its two biases act as their
sum, so they are added on the way in, and on the way out the second is zero. GRU: gates z, r, h,
that is z, r, n; `linear_before_reset` is `reset_after`, with two biases that are kept apart, and
without it their sum.

Source: sections "LSTM" and "GRU" of the ONNX operator documentation (versions 7 to 22).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_layers.bilstm import BiLSTM
from lstm_layers.gru import GRU
from lstm_layers.peephole_lstm import PeepholeLSTM
from lstm_layers.weights import layer_weights
from lstm_layers.weights.gate_weights import (
    GRU_GATES,
    LSTM_GATES,
    GRUWeights,
    LSTMWeights,
    reordered,
)

_LSTM_ORDER = "iofg"
_PEEPHOLE_ORDER = "iof"
_GRU_ORDER = "zrn"


def lstm_from_onnx(W: Any, R: Any, B: Any = None, P: Any = None) -> list[LSTMWeights]:  # noqa: N803
    """Returns the weights of each direction of an LSTM operator; shapes above.

    Raises:
        ValueError: arrays that are not of four gates, or of different sizes.
    """
    found = []
    for each in _directions(W, R, B, P, gates=4):
        kernel, recurrent_kernel, biases, peepholes = each
        bias = None if biases is None else reordered(biases.sum(axis=0), _LSTM_ORDER, LSTM_GATES)
        by_gate: Sequence = [None] * 3
        if peepholes is not None:
            by_gate = np.split(reordered(peepholes, _PEEPHOLE_ORDER, "ifo"), 3)
        found.append(
            LSTMWeights(
                reordered(kernel, _LSTM_ORDER, LSTM_GATES),
                reordered(recurrent_kernel, _LSTM_ORDER, LSTM_GATES),
                bias,
                *by_gate,
            )
        )
    return found


def gru_from_onnx(
    W: Any,  # noqa: N803
    R: Any,  # noqa: N803
    B: Any = None,  # noqa: N803
    linear_before_reset: int = 0,
) -> list[GRUWeights]:
    """Returns the weights of each direction of a GRU operator; shapes above.

    Args:
        W, R, B: the operator's inputs.
        linear_before_reset: its attribute, 0 if it is not given there.

    Raises:
        ValueError: arrays that are not of three gates, or of different sizes.
    """
    found = []
    for kernel, recurrent_kernel, biases, _ in _directions(W, R, B, None, gates=3):
        bias = biases if linear_before_reset or biases is None else biases.sum(axis=0)
        found.append(
            GRUWeights(
                reordered(kernel, _GRU_ORDER, GRU_GATES),
                reordered(recurrent_kernel, _GRU_ORDER, GRU_GATES),
                None if bias is None else reordered(bias, _GRU_ORDER, GRU_GATES),
                bool(linear_before_reset),
            )
        )
    return found


def lstm_to_onnx(directions: Sequence[LSTMWeights]) -> dict[str, np.ndarray]:
    """Returns W, R, and B and P if present, of an LSTM operator for one or two directions."""
    inputs = {
        "W": [reordered(each.kernel, LSTM_GATES, _LSTM_ORDER).T for each in directions],
        "R": [reordered(each.recurrent_kernel, LSTM_GATES, _LSTM_ORDER).T for each in directions],
    }
    if any(each.bias is not None for each in directions):
        biases = (_or_zeros(each.bias, 4 * each.units) for each in directions)
        inputs["B"] = [
            np.concatenate([reordered(bias, LSTM_GATES, _LSTM_ORDER), np.zeros_like(bias)])
            for bias in biases
        ]
    if any(each.peepholes for each in directions):
        inputs["P"] = [
            np.concatenate(
                [_or_zeros(each.peepholes.get(gate), each.units) for gate in _PEEPHOLE_ORDER]
            )
            for each in directions
        ]
    return {name: np.stack(arrays) for name, arrays in inputs.items()}


def gru_to_onnx(directions: Sequence[GRUWeights]) -> dict[str, np.ndarray]:
    """Returns W, R, and B if present, of a GRU operator for one or two directions.

    Its attribute `linear_before_reset` must be the weights' `reset_after`.
    """
    inputs = {
        "W": [reordered(each.kernel, GRU_GATES, _GRU_ORDER).T for each in directions],
        "R": [reordered(each.recurrent_kernel, GRU_GATES, _GRU_ORDER).T for each in directions],
    }
    if any(each.bias is not None for each in directions):
        inputs["B"] = []
        for each in directions:
            bias = _or_zeros(each.bias, (2, 3 * each.units) if each.reset_after else 3 * each.units)
            pair = bias if each.reset_after else np.stack([bias, np.zeros_like(bias)])
            inputs["B"].append(reordered(pair, GRU_GATES, _GRU_ORDER).reshape(-1))
    return {name: np.stack(arrays) for name, arrays in inputs.items()}


def from_onnx(
    W: Any,  # noqa: N803
    R: Any,  # noqa: N803
    B: Any = None,  # noqa: N803
    P: Any = None,  # noqa: N803
    linear_before_reset: int = 0,
    **options,
) -> PeepholeLSTM | GRU | BiLSTM:
    """Makes a new layer with the weights of an LSTM or GRU operator, told apart by shape.

    Args:
        W, R, B, P: the operator's inputs; shapes above.
        linear_before_reset: its attribute, of GRU.
        **options: of the layer. An operator with direction "reverse" is a layer with
            `go_backwards=True`, whose outputs start with the last step, which ONNX's do not.
            Activations other than sigmoid and tanh must be given.

    Raises:
        ValueError: arrays that are neither of LSTM nor of GRU.
    """
    R = np.asarray(R)  # noqa: N806
    gates = R.shape[1] / R.shape[2]
    if gates not in (3, 4):
        raise ValueError(f"R of shape {R.shape} has neither the 4 gates of LSTM nor the 3 of GRU")
    if gates == 4:
        return layer_weights.layer_of(lstm_from_onnx(W, R, B, P), **options)
    if P is not None:
        raise ValueError("a GRU has no peepholes P")
    return layer_weights.layer_of(gru_from_onnx(W, R, B, linear_before_reset), **options)


def to_onnx(layer: PeepholeLSTM | GRU | BiLSTM) -> dict[str, np.ndarray]:
    """Returns W, R, and B and P if present, of the LSTM or GRU operator for a layer.

    Attributes are not included: `linear_before_reset` must be the layer's `reset_after`, direction
    "reverse" for `go_backwards`. `onnx_export.export_onnx` writes the whole model.

    Raises:
        TypeError: another kind of layer.
        ValueError: a layer without weights.
    """
    directions: Any = layer_weights.directions_of(layer)
    is_gru = isinstance(directions[0], GRUWeights)
    return gru_to_onnx(directions) if is_gru else lstm_to_onnx(directions)


def _or_zeros(array: np.ndarray | None, shape) -> np.ndarray:
    return np.zeros(shape, "float32") if array is None else array


def _directions(W, R, B, P, gates: int):  # noqa: N803
    """Yields by direction kernel, recurrent_kernel, biases (2, g·u) or None, peepholes or None."""
    W, R = np.asarray(W), np.asarray(R)  # noqa: N806
    B, P = (None if array is None else np.asarray(array) for array in (B, P))  # noqa: N806
    count, _, units = R.shape
    for name, array, shape in (
        ("W", W, (count, gates * units, W.shape[-1])),
        ("R", R, (count, gates * units, units)),
        ("B", B, (count, 2 * gates * units)),
        ("P", P, (count, 3 * units)),
    ):
        if array is not None and array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    for direction in range(count):
        yield (
            W[direction].T,
            R[direction].T,
            None if B is None else B[direction].reshape(2, -1),
            None if P is None else P[direction],
        )
