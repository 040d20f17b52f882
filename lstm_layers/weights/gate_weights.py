"""Weights of one direction of a layer as NumPy arrays, and the order of their gates.

Every conversion goes through `LSTMWeights` or `GRUWeights`, which hold what `get_weights` of
`PeepholeLSTM` and `GRU` returns, under names. One letter stands for a gate: i input, f forget,
g the candidate, elsewhere called c or j, o output; z update, r reset, n the candidate, elsewhere
called h.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

LSTM_GATES = "ifgo"
GRU_GATES = "zrn"


class LSTMWeights(NamedTuple):
    """Weights of `PeepholeLSTM` with u units; gates in the order i, f, g, o.

    Fields:
        kernel: (features, 4u).
        recurrent_kernel: (u, 4u).
        bias: (4u,), or None.
        input_peephole, forget_peephole, output_peephole: (u,), or None where the gate does not
            see the cell state.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray | None = None
    input_peephole: np.ndarray | None = None
    forget_peephole: np.ndarray | None = None
    output_peephole: np.ndarray | None = None

    @property
    def units(self) -> int:
        return len(self.recurrent_kernel)

    @property
    def peepholes(self) -> dict[str, np.ndarray]:
        """The peepholes present, by gate letter, in the order i, f, o."""
        named = dict(zip("ifo", self[3:], strict=True))
        return {gate: weight for gate, weight in named.items() if weight is not None}

    @property
    def has_peepholes(self) -> bool:
        """True if a peephole has an influence; zeros have none."""
        return any(np.any(weight) for weight in self.peepholes.values())


class GRUWeights(NamedTuple):
    """Weights of `GRU` with u units; gates in the order z, r, n.

    Fields:
        kernel: (features, 3u).
        recurrent_kernel: (u, 3u).
        bias: (2, 3u), of the inputs and of the state, where `reset_after`; else (3u,); or None.
        reset_after: the reset gate acts after the product with the recurrent kernel.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray | None = None
    reset_after: bool = True

    @property
    def units(self) -> int:
        return len(self.recurrent_kernel)


Weights = LSTMWeights | GRUWeights


def reordered(array: Any, given: str, wanted: str, axis: int = -1) -> np.ndarray:
    """Returns `array` with the equal blocks of its gates in another order.

    Args:
        array: gates side by side along `axis`, each a block of `units`.
        given: one letter a gate, in the order in which `array` has them.
        wanted: the same letters in the order to be returned.
        axis: of the gates.

    Raises:
        ValueError: a size along `axis` that these gates cannot share equally.
    """
    array = np.asarray(array)
    if array.shape[axis] % len(given):
        raise ValueError(
            f"an array of shape {array.shape} does not hold {len(given)} gates along axis {axis}"
        )
    blocks = dict(zip(given, np.split(array, len(given), axis), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted], axis)


def named(arrays: Mapping[str, Any], name: str) -> np.ndarray:
    """Returns the array called `name`.

    Raises:
        ValueError: a name that is missing; the message lists the names present.
    """
    if name not in arrays:
        raise ValueError(f"there is no {name!r} among {', '.join(sorted(arrays)) or 'no arrays'}")
    return np.asarray(arrays[name])
