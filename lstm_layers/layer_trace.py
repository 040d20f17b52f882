"""`trace`, which computes the gates and states of a layer at every step."""

from __future__ import annotations

from typing import Any

from keras import ops

from lstm_layers.gru import GRU
from lstm_layers.peephole_lstm import PeepholeLSTM
from lstm_layers.recurrences import gru_step, lstm_step
from lstm_layers.recurrences.portable import scan


def trace(
    layer: PeepholeLSTM | GRU, x, mask=None, initial_state=None
) -> lstm_step.Step | gru_step.Step:
    """Computes the gates and states of a layer at every step, without dropout.

    They follow from the layer's weights by the equations of `lstm_step` or `gru_step`, on any
    backend. At a masked step the states are copied; its gates are those of the step if it were
    real.

    Args:
        layer: a built layer.
        x: (batch, time, features).
        mask: (batch, time) bool, False at steps to be skipped.
        initial_state: list of (batch, units), h first; zeros by default.

    Returns:
        Named values, each (batch, time, units): i, f, g, o, c and h of a `PeepholeLSTM`; z, r, n, u
        and h of a `GRU`. Steps are in the order in which the layer reads them, the last one first
        with `go_backwards`.

    Raises:
        TypeError: another kind of layer.
    """
    if not isinstance(layer, (PeepholeLSTM, GRU)):
        raise TypeError(f"expected a PeepholeLSTM or GRU, got {type(layer).__name__}")
    kind: Any = gru_step.Step if isinstance(layer, GRU) else lstm_step.Step
    cell = layer.cell
    z = ops.transpose(ops.cast(cell.input_products(x), cell.state_dtype), (1, 0, 2))
    sequences = [z] if mask is None else [z, ops.transpose(ops.cast(mask, "bool"))]
    if layer.go_backwards:
        sequences = [ops.flip(each, axis=0) for each in sequences]
    state = initial_state or layer.get_initial_state(ops.shape(x)[0])
    state = [ops.cast(each, cell.state_dtype) for each in state]

    def step(carry, z, keep=None):
        before = dict(zip("hc", carry[1:], strict=False))
        new = cell.step_values(z, before["h"], carry[1:])
        if keep is not None:
            new = new._replace(
                **{
                    name: ops.where(keep[:, None], getattr(new, name), value)
                    for name, value in before.items()
                }
            )
        return ops.concatenate(new, axis=-1), *(getattr(new, name) for name in before)

    # `scan` keeps the first of each carry: all values side by side.
    count = len(kind._fields)
    carry = [ops.concatenate([ops.zeros_like(state[0])] * count, axis=-1), *state]
    values, _ = scan(step, carry, sequences)
    return kind(*ops.split(ops.transpose(values, (1, 0, 2)), count, axis=-1))
