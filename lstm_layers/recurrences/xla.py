"""The compiled loops over time that `lstm_xla` and `gru_xla` share.

One loop forward and one backward, each a compiled function of its own that can be called from any
graph or eagerly. XLA compiles anew for every shape. Steps at which every row is masked, at the
start or at the end of a batch, are not computed. A masked step copies the states, so that what it
writes backward is zero, and the states' gradients pass through.

A batch of many rows runs in groups of rows: one for each core, since TensorFlow runs loops side by
side that know nothing of each other, and the products of one loop are too small to share. Those of
a masked batch have about as many real steps each, and there may be more of them: a group ends where
its longest row ends. Groups are of one size, so that there is one compilation for all.

All values that the backward pass reads leave the forward loop as arrays of their own: XLA on CPU
would otherwise compute a gate again inside each of its consumers.
"""

from __future__ import annotations

import abc
import functools
import os
from collections.abc import Callable

import tensorflow as tf

from lstm_layers.recurrences import implementations
from lstm_layers.recurrences.scan import (
    Tensors,
    compiled_by_xla,
    gradients_of_unrecorded,
    not_recorded,
    of_real_steps,
    scan,
    within_this_graph,
)

# Fewer rows, or a smaller W and R, cost more than groups leave out: two groups of 16 rows take 1.03
# times as long as 32 rows at 85,000 numbers in W and R, 1.15 times at 50,000, 1.4 times at 8,000.
ROWS_OF_A_GROUP = 16
WEIGHTS_OF_GROUPS = 60_000
# Groups that share the cores win with fewer rows, and with weights of any size. On two cores a
# training step in two groups takes 0.6 to 0.85 times as long as in one loop at 32 to 128 units and
# 4 to 64 rows a group, 0.84 to 1.05 times at 256 and 320 units and 8 rows, and 1.25 times at 512
# units and 2 rows.
ROWS_OF_A_CORE = 8


class Cell(abc.ABC):
    """The equations of one kind of cell, without its tensors: a frozen dataclass.

    Equal cells share traced and compiled functions. Weights are a flat list of tensors, in an order
    that the cell chooses.
    """

    units: int

    @property
    @abc.abstractmethod
    def kept(self) -> int:
        """The number of tensors (batch, units) that a forward step keeps for the backward one."""

    @property
    @abc.abstractmethod
    def written(self) -> tuple[int, ...]:
        """The widths, in units, of the gradients that a backward step writes."""

    @property
    @abc.abstractmethod
    def summed(self) -> int:
        """The number of tensors (batch, units) that the backward loop adds up."""

    @abc.abstractmethod
    def forward(self, weights: Tensors) -> Callable:
        """Returns a step `(x (batch, features), states, h' ⊙ m) -> (new states, kept)`."""

    @abc.abstractmethod
    def backward(self, weights: Tensors, m: tf.Tensor | None) -> Callable:
        """Returns a step `(kept, h', h' ⊙ m, d states) -> (d states before, written, summed)`."""

    @abc.abstractmethod
    def weight_gradients(
        self, weights: Tensors, inputs: tf.Tensor, fed_back: tf.Tensor, kept: Tensors, written, sums
    ) -> tuple:
        """Returns the gradients of the inputs and of each weight, from the values of all steps.

        Args:
            inputs: (time, batch, features).
            fed_back: (time, batch, units), h' ⊙ m.
            kept: each (time, batch, units).
            written: each (time, batch, its width).
            sums: each (units,), over time and batch.
        """

    @abc.abstractmethod
    def recorded(
        self, inputs: tf.Tensor, state: Tensors, weights: Tensors, mask, recurrent_dropout_mask
    ) -> tuple:
        """Returns the results of `run`, computed in operations that a tape records."""


def run(
    cell: Cell,
    inputs: tf.Tensor,
    mask: tf.Tensor | None,
    initial: tuple[tf.Tensor, ...],
    weights: Tensors,
    recurrent_dropout_mask: tf.Tensor | None,
    keep: bool,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """Runs a cell over time.

    Args:
        cell: the equations.
        inputs: (time, batch, features).
        mask: (time, batch) bool, False where states are to be copied from the step before; or
            None.
        initial: h and other states before the first step, each (batch, units).
        weights: those of the cell.
        recurrent_dropout_mask: (batch, units), multiplied into h before every product.
        keep: keep the values that a gradient needs. Without them the forward pass is faster, and a
            gradient runs it again.

    Returns:
        h at every step (time, batch, units), and the last states (batch, units).
    """
    steps = inputs.shape[0]
    if steps == 0:  # there is no loop to compile
        return cell.recorded(inputs, initial, weights, mask, recurrent_dropout_mask)
    if steps is not None:
        groups = _groups(inputs, mask, weights)
        if groups > 1:
            return _loops(
                groups, cell, inputs, mask, initial, weights, recurrent_dropout_mask, keep
            )
        return _loop(cell, inputs, mask, initial, weights, recurrent_dropout_mask, keep)
    # Only the call tells the steps, and XLA cannot read a step of none: one more, which is left
    # out again.
    time = tf.shape(inputs)[0]
    more = [[0, tf.maximum(1 - time, 0)]]
    inputs = tf.pad(inputs, [*more, [0, 0], [0, 0]])
    mask = None if mask is None else tf.pad(mask, [*more, [0, 0]])
    h, last = _loop(cell, inputs, mask, initial, weights, recurrent_dropout_mask, keep)
    last = tuple(tf.where(time > 0, *pair) for pair in zip(last, initial, strict=True))
    return h[:time], last


def _groups(inputs: tf.Tensor, mask: tf.Tensor | None, weights: Tensors) -> int:
    """Returns the number of groups, all of one size, in which the rows of a batch run."""
    batch = inputs.shape[1]
    if not batch or compiled_by_xla():  # it would compile the loop of each group
        return 1
    if mask is not None and mask.shape[1] != batch:  # one row may stand for all
        return 1
    most = min(batch // ROWS_OF_A_CORE, _cores())
    matrices = [weight.shape.num_elements() for weight in weights if weight.shape.rank == 2]
    if mask is not None and sum(matrices) >= WEIGHTS_OF_GROUPS:
        most = max(most, batch // ROWS_OF_A_GROUP)
    return max(count for count in range(1, max(1, most) + 1) if batch % count == 0)


def _cores() -> int:
    """Returns the number of cores that this loop may use, of those of a graph for CPU."""
    if tf.executing_eagerly() or tf.config.list_logical_devices("GPU"):
        return 1  # eager operations run one after another
    usable = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    threads = tf.config.threading.get_inter_op_parallelism_threads() or cores
    return max(1, min(cores, threads) // implementations.loops_side_by_side())


def _loops(
    groups: int,
    cell: Cell,
    inputs: tf.Tensor,
    mask: tf.Tensor | None,
    initial: tuple[tf.Tensor, ...],
    weights: Tensors,
    recurrent_dropout_mask: tf.Tensor | None,
    keep: bool,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """Runs the groups as loops that nothing ties to each other; the rest as in `run`."""
    sort, restore = _as_they_are, _as_they_are
    if mask is not None:
        order = tf.argsort(tf.reduce_sum(tf.cast(mask, tf.int32), axis=0), direction="DESCENDING")
        back = tf.math.invert_permutation(order)
        sort = functools.partial(_permuted, order=order, back=back)
        restore = functools.partial(_permuted, order=back, back=order)

    def divided(values, axis):
        if values is None:
            return [None] * groups
        return tf.split(sort(values, axis=axis), groups, axis=axis)

    of_groups = zip(
        divided(inputs, 1),
        divided(mask, 1),
        zip(*(divided(state, 0) for state in initial), strict=True),
        divided(recurrent_dropout_mask, 0),
        strict=True,
    )
    found = [
        _loop(cell, rows, real, tuple(states), weights, dropped, keep)
        for rows, real, states, dropped in of_groups
    ]
    h = restore(tf.concat([h for h, _ in found], axis=1), axis=1)
    last = zip(*(last for _, last in found), strict=True)
    return h, tuple(restore(tf.concat(each, axis=0), axis=0) for each in last)


def _as_they_are(values: tf.Tensor, axis: int) -> tf.Tensor:
    """Keeps the rows of a batch without a mask in their order."""
    return values


def _permuted(values: tf.Tensor, order: tf.Tensor, back: tf.Tensor, axis: int) -> tf.Tensor:
    """Takes the entries along an axis in another order, `back` being the order that undoes it.

    The gradient that TensorFlow has for this adds up and transposes.
    """

    @tf.custom_gradient
    def permuted(values):
        def gradient(upstream):
            return _permuted(tf.convert_to_tensor(upstream), back, order, axis)

        return tf.gather(values, order, axis=axis), gradient

    found = permuted(values)
    found.set_shape(values.shape)
    return found


def _loop(
    cell: Cell,
    inputs: tf.Tensor,
    mask: tf.Tensor | None,
    initial: tuple[tf.Tensor, ...],
    weights: Tensors,
    recurrent_dropout_mask: tf.Tensor | None,
    keep: bool,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """Runs a cell over one step at least; arguments and results as in `run`."""
    count = len(initial)
    masks = mask, recurrent_dropout_mask

    @tf.custom_gradient
    def recurrence(inputs, *tensors):
        read = within_this_graph((inputs, tensors[:count], tensors[count:], *masks))
        with not_recorded():
            h, last, kept = _compiled_forward(cell, keep)(*read)
        # The function may have been traced for other sizes as well, and know none.
        h.set_shape([*inputs.shape[:2], cell.units])
        for each in last:
            each.set_shape([inputs.shape[1], cell.units])

        def gradients(arriving):
            given = within_this_graph(read)
            values = kept if keep else _compiled_forward(cell, True)(*given)[2]
            arriving, h_all, values = within_this_graph((arriving, h, values))
            whole = mask is None or compiled_by_xla()
            found = _compiled_backward(cell, whole)(arriving, h_all, values, *given)
            if whole:
                return found
            d_first, written, sums = found
            d_inputs, *d_weights = _of_computed_steps(cell, given, h_all, values, written, sums)
            return d_inputs, *d_first, *d_weights

        def recorded(inputs, *tensors):
            return cell.recorded(inputs, tensors[:count], tensors[count:], *masks)

        def gradient(*arriving):
            return gradients_of_unrecorded(gradients, recorded, arriving, (inputs, *tensors))

        return (h, *last), gradient

    h, *final = recurrence(inputs, *initial, *weights)
    return h, tuple(final)


@functools.cache
def _compiled_forward(cell: Cell, keep: bool):
    """Returns the forward pass: h at every step, the last states, and the values kept."""

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def forward(inputs, initial_state, weights, mask, m):
        time = tf.shape(inputs)[0]
        first, end = _steps_to_compute(mask, time)
        cell_step = cell.forward(weights)

        def step(t, before):
            h = before[0]
            new, kept = cell_step(inputs[t], before, h if m is None else h * m)
            if mask is not None:
                rows = mask[t][:, None]
                new = [tf.where(rows, *pair) for pair in zip(new, before, strict=True)]
            return tuple(new), (new[0], *(kept if keep else ()))

        outputs = [initial_state[0]] * (1 + cell.kept if keep else 1)
        last, (h, *kept) = scan(step, initial_state, time, outputs, steps=(first, end))
        if mask is not None:
            t = tf.range(time)[:, None, None]
            h = tf.where(t < first, initial_state[0], tf.where(t < end, h, last[0]))
        return h, last, tuple(kept)

    return forward


def _of_computed_steps(cell: Cell, given, h, kept, written, sums) -> tuple:
    """Returns the gradients of inputs and weights, by products over no more steps than the loops.

    XLA multiplies all steps, since it knows no shape that depends on a mask.
    """
    inputs, (h_0, *_), weights, mask, m = given
    time = tf.shape(inputs)[0]
    first, end = _steps_to_compute(mask, time)
    h_before = tf.concat([h_0[None], h], axis=0)[first:end]
    mask = mask[first:end]
    d_inputs, *d_weights = cell.weight_gradients(
        weights,
        of_real_steps(inputs[first:end], mask),
        h_before if m is None else h_before * m,
        [of_real_steps(each[first:end], mask) for each in kept],
        [each[first:end] for each in written],
        sums,
    )
    return tf.pad(d_inputs, [[first, time - end], [0, 0], [0, 0]]), *d_weights


@functools.cache
def _compiled_backward(cell: Cell, whole: bool):
    """Returns the backward pass: gradients of inputs, initial states and weights.

    Without `whole` it stops after the loop: gradients of initial states, what the loop wrote and
    its sums.
    """

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def backward(arriving, h, kept, inputs, initial_state, weights, mask, m):
        d_h_all, *d_last = arriving
        time = tf.shape(inputs)[0]
        first, end = _steps_to_compute(mask, time)
        h_0 = initial_state[0]
        h_before = tf.concat([h_0[None], h[:-1]], axis=0)
        fed_back = h_before if m is None else h_before * m
        cell_step = cell.backward(weights, m)

        def step(t, carry):
            (d_h, *others), sums = carry
            after = d_h + d_h_all[t], *others
            now = [values[t] for values in kept]
            before, written, added = cell_step(now, h_before[t], fed_back[t], after)
            if mask is not None:
                rows = mask[t][:, None]
                before = [tf.where(rows, *pair) for pair in zip(before, after, strict=True)]
                written, added = (
                    [tf.where(rows, value, tf.zeros_like(value)) for value in values]
                    for values in (written, added)
                )
            sums = tuple(total + value for total, value in zip(sums, added, strict=True))
            return (tuple(before), sums), written

        t_all = tf.range(time)[:, None, None]
        if mask is not None:  # h after the loop's end is that of its last step
            d_last[0] += tf.reduce_sum(tf.where(t_all >= end, d_h_all, 0.0), axis=0)
        (d_first, sums), written = scan(
            step,
            (tuple(d_last), (tf.zeros_like(h_0),) * cell.summed),
            time,
            [tf.concat([h_0] * width, axis=-1) for width in cell.written],
            reverse=True,
            steps=(first, end),
        )
        d_h_0, *others = d_first
        if mask is not None:
            d_h_0 += tf.reduce_sum(tf.where(t_all < first, d_h_all, 0.0), axis=0)
        sums = [tf.reduce_sum(total, axis=0) for total in sums]
        if not whole:
            return (d_h_0, *others), written, sums
        inputs, kept = of_real_steps(inputs, mask), [of_real_steps(each, mask) for each in kept]
        d_inputs, *d_weights = cell.weight_gradients(weights, inputs, fed_back, kept, written, sums)
        return d_inputs, d_h_0, *others, *d_weights

    return backward


def _steps_to_compute(mask: tf.Tensor | None, time: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the first step at which any row is real, and the end; 0 and 0 without one."""
    if mask is None:
        return tf.constant(0), time
    t = tf.range(time)
    any_row = tf.reduce_any(mask, axis=1)
    end = tf.reduce_max(tf.where(any_row, t + 1, 0))
    return tf.minimum(tf.reduce_min(tf.where(any_row, t, time)), end), end
