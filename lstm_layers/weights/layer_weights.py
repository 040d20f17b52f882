"""Conversion between layers and their weights by direction: `directions_of` and `layer_of`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_layers.bilstm import BiLSTM
from lstm_layers.gru import GRU, GRUCell
from lstm_layers.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell
from lstm_layers.weights.gate_weights import GRUWeights, LSTMWeights, Weights


def directions_of(layer: PeepholeLSTM | GRU | BiLSTM) -> list[Weights]:
    """Returns the weights of a built layer: one item, or forward and backward of a `BiLSTM`.

    Raises:
        TypeError: another kind of layer.
        ValueError: a layer without weights yet.
    """
    return [_weights_of(half) for half in halves_of(layer)]


def halves_of(layer: PeepholeLSTM | GRU | BiLSTM) -> list[PeepholeLSTM | GRU]:
    """Returns the layer itself, or the forward and the backward layer of a `BiLSTM`."""
    if isinstance(layer, BiLSTM):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


def layer_of(
    directions: Sequence[Weights], *, batch_size: int | None = None, **options
) -> PeepholeLSTM | GRU | BiLSTM:
    """Makes a new, built layer that holds the weights.

    Args:
        directions: one item for `PeepholeLSTM` or `GRU`, two (forward, backward) for `BiLSTM`.
        batch_size: of the inputs; needed where `stateful`.
        **options: of the layer. `peepholes` and `use_bias` follow from the weights unless they
            are given: a peephole or bias that the weights lack is then zero.

    Raises:
        ValueError: directions that differ in kind or size, an option that would lose weights.
    """
    first = directions[0]
    if any(
        type(each) is not type(first) or each.kernel.shape != first.kernel.shape
        for each in directions
    ):
        raise ValueError("the directions of a layer must be of the same kind and shapes")
    derived: dict[str, object] = {"use_bias": any(each.bias is not None for each in directions)}
    if isinstance(first, GRUWeights):
        kind = "gru"
        derived["reset_after"] = first.reset_after
    else:
        kind = "peephole_lstm"
        letters = {gate for each in directions for gate in getattr(each, "peepholes", "")}
        derived["peepholes"] = "".join(gate for gate in "ifo" if gate in letters)
    options = {**derived, **options}
    if len(directions) == 2:
        layer = BiLSTM(first.units, kind, **options)
    elif len(directions) == 1:
        layer = (GRU if kind == "gru" else PeepholeLSTM)(first.units, **options)
    else:
        raise ValueError(f"a layer has one or two directions, got {len(directions)}")
    layer.build((batch_size, None, first.kernel.shape[0]))
    cells: list[Any] = [half.cell for half in halves_of(layer)]
    pairs = zip(directions, cells, strict=True)
    layer.set_weights([array for each, cell in pairs for array in _arrays(each, cell)])
    return layer


def refuse_peepholes(weights: LSTMWeights, other_side: str) -> None:
    """Raises ValueError where `weights` has peepholes that are not all zero."""
    if weights.has_peepholes:
        raise ValueError(
            f"{other_side} has no peepholes, and these of gates {''.join(weights.peepholes)!r} "
            "are not zero: the results would differ"
        )


def _weights_of(layer) -> Weights:
    cell: Any = getattr(layer, "cell", None)
    if type(cell) not in (PeepholeLSTMCell, GRUCell):  # a subclass may compute something else
        raise TypeError(
            f"expected a PeepholeLSTM, GRU or BiLSTM of them, got {type(layer).__name__}"
        )
    arrays = layer.get_weights()
    if not arrays:
        raise ValueError(f"{layer.name} has no weights yet: build it or call it on data first")
    kernel, recurrent_kernel, *more = arrays
    bias = more.pop(0) if cell.use_bias else None
    if isinstance(cell, GRUCell):
        return GRUWeights(kernel, recurrent_kernel, bias, cell.reset_after)
    peepholes = {gate: more.pop(0) for gate in "ifo" if gate in cell.peepholes}
    return LSTMWeights(kernel, recurrent_kernel, bias, *(peepholes.get(gate) for gate in "ifo"))


def _arrays(weights: Weights, cell: PeepholeLSTMCell | GRUCell) -> list[np.ndarray]:
    """Returns the weights in the order of `get_weights`, with zeros for weights they lack."""
    arrays = [weights.kernel, weights.recurrent_kernel]
    bias = weights.bias
    if cell.use_bias:
        arrays.append(np.zeros(cell.bias.shape, "float32") if bias is None else bias)
    elif bias is not None and np.any(bias):
        raise ValueError("use_bias=False would lose a bias that is not zero")
    if isinstance(weights, GRUWeights):
        if cell.reset_after != weights.reset_after:
            raise ValueError(f"these weights need reset_after={weights.reset_after}")
        return arrays
    for gate, weight in weights.peepholes.items():
        if gate not in cell.peepholes and np.any(weight):
            raise ValueError(
                f"peepholes={cell.peepholes!r} would lose those of gate {gate!r}, which are not "
                "zero"
            )
    zeros = np.zeros(cell.units, "float32")
    return arrays + [weights.peepholes.get(gate, zeros) for gate in "ifo" if gate in cell.peepholes]
