"""Conversion from and to the state_dict of a torch `nn.LSTM` or `nn.GRU`, without torch.

For layer k, `weight_ih_l<k>` (g·u, features), `weight_hh_l<k>` (g·u, u), `bias_ih_l<k>` and
`bias_hh_l<k>` (g·u,), and the same with `_reverse` for the other direction; u is the hidden size.

`nn.LSTM`: gates i, f, g, o, as here; the two biases act as their sum, so they are added on the way
in, and on the way out b_hh is zero. `nn.GRU`: gates r, z, n; the reset gate acts after the product
(`reset_after=True`), so the two biases are kept apart.

Source: sections "Variables" and the equations of `torch.nn.LSTM` and `torch.nn.GRU` in the
documentation of PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    Weights,
    named,
    reordered,
)

_LSTM_ORDER = "ifgo"
_GRU_ORDER = "rzn"


def lstm_from_torch(
    state_dict: Mapping[str, Any], layer: int = 0, reverse: bool = False
) -> LSTMWeights:
    """Reads one direction of one layer of an `nn.LSTM`.

    Args:
        state_dict: name to array, or to anything `numpy.asarray` takes, such as a tensor on the
            CPU.
        layer: counted from 0.
        reverse: the direction from the end.

    Raises:
        ValueError: a name that is missing, a projection (`proj_size`), another number of gates.
    """
    kernel, recurrent_kernel, biases = _read(state_dict, layer, reverse, _LSTM_ORDER, LSTM_GATES)
    return LSTMWeights(kernel, recurrent_kernel, None if biases is None else biases.sum(axis=0))


def gru_from_torch(
    state_dict: Mapping[str, Any], layer: int = 0, reverse: bool = False
) -> GRUWeights:
    """Reads one direction of an `nn.GRU` layer; arguments and errors as in `lstm_from_torch`."""
    kernel, recurrent_kernel, biases = _read(state_dict, layer, reverse, _GRU_ORDER, GRU_GATES)
    return GRUWeights(kernel, recurrent_kernel, biases, reset_after=True)


def lstm_to_torch(
    weights: LSTMWeights, layer: int = 0, reverse: bool = False
) -> dict[str, np.ndarray]:
    """Returns the entries of one direction of an `nn.LSTM` layer, with zeros for b_hh.

    Raises:
        ValueError: peepholes that are not zero.
    """
    layer_weights.refuse_peepholes(weights, "nn.LSTM")
    biases = None
    if weights.bias is not None:
        biases = np.stack([weights.bias, np.zeros_like(weights.bias)])
    return _written(weights, biases, layer, reverse, LSTM_GATES, _LSTM_ORDER)


def gru_to_torch(
    weights: GRUWeights, layer: int = 0, reverse: bool = False
) -> dict[str, np.ndarray]:
    """Returns the entries of one direction of one layer of an `nn.GRU`.

    Raises:
        ValueError: `reset_after=False`.
    """
    if not weights.reset_after:
        raise ValueError("nn.GRU applies the reset gate after the product: reset_after=True")
    return _written(weights, weights.bias, layer, reverse, GRU_GATES, _GRU_ORDER)


def from_torch(
    state_dict: Mapping[str, Any], prefix: str = "", **options
) -> list[PeepholeLSTM | GRU | BiLSTM]:
    """Makes the layers of an `nn.LSTM` or `nn.GRU`, first to last.

    Args:
        state_dict: of the module, or of a model that contains it.
        prefix: the beginning of its names there, such as "encoder.lstm.".
        **options: of every layer. All return sequences, as torch does, unless one says otherwise.
            The dropout between layers of torch is not in a state_dict: put a
            `keras.layers.Dropout` there.

    Returns:
        One layer for each one there, `BiLSTM` where there are two directions. They take
        (batch, time, features), torch's `batch_first=True`. The initial and last states of torch,
        (layers * directions, batch, u), are in the order of these layers and their directions.

    Raises:
        ValueError: a state_dict of another kind of module, or with `proj_size`.
    """
    own = {
        name.removeprefix(prefix): array
        for name, array in state_dict.items()
        if name.startswith(prefix)
    }
    if "weight_hr_l0" in own:
        raise _projection()
    rows, units = named(own, "weight_hh_l0").shape
    readers: dict[int, Callable[..., Weights]] = {
        4 * units: lstm_from_torch,
        3 * units: gru_from_torch,
    }
    if rows not in readers:
        raise ValueError(
            f"weight_hh_l0 of shape {(rows, units)} has neither the 4 gates of nn.LSTM nor the 3 "
            "of nn.GRU"
        )
    ways = [False, True] if "weight_hh_l0_reverse" in own else [False]
    layers: list = []
    while f"weight_hh_l{len(layers)}" in own:
        directions = [readers[rows](own, len(layers), reverse) for reverse in ways]
        layers.append(layer_weights.layer_of(directions, **{"return_sequences": True, **options}))
    return layers


def to_torch(
    layers: PeepholeLSTM | GRU | BiLSTM | Sequence[PeepholeLSTM | GRU | BiLSTM], prefix: str = ""
) -> dict[str, np.ndarray]:
    """Returns the state_dict of the `nn.LSTM` or `nn.GRU` with the weights of the layers.

    Args:
        layers: one layer or several, first to last, of the same kind, units and directions.
        prefix: the beginning of the names.

    Returns:
        Name to array. `module.load_state_dict({name: torch.from_numpy(array) …})` takes it.

    Raises:
        TypeError: another kind of layer.
        ValueError: a feature that torch lacks: peepholes that are not zero, other activations
            than tanh and sigmoid, `reset_after=False`, `go_backwards`, directions that are not
            concatenated, layers that differ in kind, units, directions or biases.
    """
    stack = list(layers) if isinstance(layers, Sequence) else [layers]
    found = {}
    kinds = set()
    for position, layer in enumerate(stack):
        directions = layer_weights.directions_of(layer)
        _check_options(layer)
        first = directions[0]
        kinds.add((type(first), first.units, len(directions), first.bias is None))
        expected = len(directions) * first.units
        if position and first.kernel.shape[0] != expected:
            raise ValueError(
                f"layer {position} takes {first.kernel.shape[0]} features, but {expected} come "
                "from the one before"
            )
        for reverse, each in enumerate(directions):
            write: Any = gru_to_torch if isinstance(each, GRUWeights) else lstm_to_torch
            found.update(write(each, position, bool(reverse)))
    if len(kinds) > 1:
        raise ValueError("the layers differ in kind, units, directions or biases")
    return {prefix + name: array for name, array in found.items()}


def _check_options(layer) -> None:
    cell = layer_weights.halves_of(layer)[0].cell
    if (cell.activation, cell.recurrent_activation) != ("tanh", "sigmoid"):
        raise ValueError(
            "torch has tanh and sigmoid only, not "
            f"{cell.activation!r} and {cell.recurrent_activation!r}"
        )
    if isinstance(layer, BiLSTM):
        if layer.merge_mode != "concat":
            raise ValueError(f"torch concatenates directions, not merge_mode={layer.merge_mode!r}")
    elif layer.go_backwards:
        raise ValueError("torch has no layer that reads from the end alone (go_backwards)")


def _name(kind: str, layer: int, reverse: bool) -> str:
    return f"{kind}_l{layer}{'_reverse' if reverse else ''}"


def _projection() -> ValueError:
    return ValueError(
        "this nn.LSTM has a projection (proj_size, weight_hr): there is no layer for it here"
    )


def _read(state_dict, layer, reverse, given, wanted):
    """Returns kernel (features, g·u), recurrent_kernel (u, g·u), biases (2, g·u) or None."""
    if _name("weight_hr", layer, reverse) in state_dict:
        raise _projection()
    arrays = [
        reordered(named(state_dict, _name(kind, layer, reverse)), given, wanted, axis=0)
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        if kind.startswith("weight") or _name(kind, layer, reverse) in state_dict
    ]
    kernel, recurrent_kernel, *biases = arrays
    units = recurrent_kernel.shape[1]
    if len(recurrent_kernel) != len(given) * units or len(kernel) != len(given) * units:
        raise ValueError(
            f"weight_hh of shape {recurrent_kernel.shape} does not hold {len(given)} gates"
        )
    return kernel.T, recurrent_kernel.T, np.stack(biases) if biases else None


def _written(weights: Weights, biases, layer, reverse, given, wanted) -> dict[str, np.ndarray]:
    arrays = {"weight_ih": weights.kernel.T, "weight_hh": weights.recurrent_kernel.T}
    if biases is not None:
        arrays.update(bias_ih=biases[0], bias_hh=biases[1])
    return {
        _name(kind, layer, reverse): reordered(array, given, wanted, axis=0)
        for kind, array in arrays.items()
    }
