"""`RecurrentLayer`, the base of the recurrent layers, and `computed_by`.

`keras.layers.RNN` brings states, `stateful`, `return_sequences`, `return_state` and the wrappers
`Bidirectional` and `TimeDistributed`. `RecurrentLayer` replaces its loop over a cell by one call of
a pure function over all steps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from lstm_layers.recurrences import implementations
from lstm_layers.recurrent_cell import RecurrentCell, Run, layers_within


class RecurrentLayer(keras.layers.RNN):
    """Base of `PeepholeLSTM`, `GRU`, `VariantLSTM` and `SimpleRNN`.

    Masking: at a step whose mask is False every state is copied from the step before and the
    output is h as copied (zeros with `zero_output_for_mask`), wherever the gaps are. So padding on
    either side changes no other output, and a fully masked row ends in its initial state.

    Args:
        cell_class: a `RecurrentCell` with a method `recurrence`.
        cell_options: arguments of the cell.
        return_sequences: return h of every step, not of the last.
        return_state: return the last states as well, h first.
        go_backwards: process from the last step to the first, and return outputs in that order.
        stateful: start each call from where the last one ended, row by row; `reset_state()` starts
            anew. The batch size must be static.
        unroll: write the steps out instead of looping; for short, static lengths.
        zero_output_for_mask: outputs at masked steps are zero.
        weight_dropout: rate of DropConnect on the recurrent kernel (Merity et al. 2018, section
            2): one mask a call, shared by rows and steps, in training only.
        implementation: how the loop over time is computed, see `implementations`; "auto" takes
            the fastest one for the call.
        name, trainable, dtype: those of `keras.layers.Layer`. With a 16-bit dtype the products
            are computed in it, gates and cell states in float32.
        **more_cell_options: further arguments of the cell.

    Attributes:
        implementation_used: the one that the last call took (in a graph: its last trace), or None.

    Call arguments:
        sequences: (batch, time, features).
        initial_state: list of (batch, units), h first; zeros by default.
        mask: (batch, time) bool, False at steps to be skipped.
        training: whether dropout acts.

    Returns:
        h, (batch, units) or (batch, time, units); then the states where `return_state`.

    Raises:
        ValueError: a wrong number of states, a state of another shape than (batch, units), a rate
            out of its range.
    """

    def __init__(
        self,
        cell_class: type[RecurrentCell],
        cell_options: dict[str, Any],
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        weight_dropout: float = 0.0,
        implementation: str = "auto",
        name: str | None = None,
        trainable: bool = True,
        dtype=None,
        **more_cell_options,
    ):
        layer = {"trainable": trainable, "dtype": dtype}
        super().__init__(
            cell_class(**cell_options, **more_cell_options, **layer),
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            name=name,
            **layer,
        )
        if not 0.0 <= weight_dropout < 1.0:
            raise ValueError(f"weight_dropout must be in [0, 1), got {weight_dropout}")
        self.weight_dropout = weight_dropout
        self.implementation = implementations.checked(implementation)
        self.implementation_used: str | None = None
        # Keras after 3.15 turns these off in RNN, and masks would be dropped without a word.
        self.supports_masking = True

    @property
    def units(self) -> int:
        return self.cell.units

    def compute_mask(self, _, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        outputs = mask if self.return_sequences else None
        if outputs is not None and self.go_backwards:
            outputs = ops.flip(outputs, axis=1)  # outputs start with the last step
        return [outputs, *(None for _ in self.state_size)] if self.return_state else outputs

    def call(self, sequences, initial_state=None, mask=None, training=False):
        if initial_state is not None:
            if not isinstance(initial_state, (list, tuple)):
                initial_state = [initial_state]
            self._check_state(sequences, initial_state)
        try:
            return super().call(sequences, initial_state, mask=mask, training=training)
        finally:
            # Otherwise the next call would use the dropout mask of a call that failed.
            self._maybe_reset_dropout_masks(self.cell)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Overrides `keras.layers.RNN.inner_loop`.

        Args:
            sequences: (batch, time, features).
            initial_state: list of (batch, units) in the cell's order.
            mask: (batch, time) bool, or None.

        Returns:
            The last output, all outputs in the order in which they were computed, the last states.
        """
        cell = self.cell
        dtype = cell.compute_dtype
        inputs = ops.transpose(ops.cast(sequences, dtype), (1, 0, 2))
        if mask is not None:
            mask = ops.transpose(ops.cast(mask, "bool"))
        if self.go_backwards:
            inputs = ops.flip(inputs, axis=0)
            mask = None if mask is None else ops.flip(mask, axis=0)

        dropout_mask = recurrent_dropout_mask = None
        recurrent_kernel = ops.cast(cell.recurrent_kernel, dtype)
        if training:
            dropout_mask = cell.get_dropout_mask(sequences[:, 0, :])
            recurrent_dropout_mask = cell.get_recurrent_dropout_mask(initial_state[0])
            if self.weight_dropout:
                recurrent_kernel = keras.random.dropout(
                    recurrent_kernel, self.weight_dropout, seed=cell.seed_generator
                )
        if dropout_mask is not None:
            inputs = inputs * ops.cast(dropout_mask, dtype)
        if self.stateful and keras.backend.backend() == "torch":
            # The last states are written over these, which the gradient may still need.
            initial_state = [ops.copy(state) for state in initial_state]
        state_dtype = cell.state_dtype
        if recurrent_dropout_mask is not None:
            recurrent_dropout_mask = ops.cast(recurrent_dropout_mask, state_dtype)

        self.implementation_used = implementations.choose(
            self.implementation, cell, inputs, bool(training), self.unroll
        )
        outputs, states = cell.recurrence(
            Run(
                inputs,
                recurrent_kernel,
                tuple(ops.cast(state, state_dtype) for state in initial_state),
                mask,
                recurrent_dropout_mask,
                self.unroll,
                self.implementation_used,
                bool(training),
            )
        )
        last_output = states[0]
        if mask is not None and self.zero_output_for_mask:
            outputs = ops.where(mask[:, :, None], outputs, ops.zeros_like(outputs))
            last_output = ops.where(mask[-1][:, None], last_output, ops.zeros_like(last_output))
        outputs = ops.transpose(outputs, (1, 0, 2))
        if keras.backend.backend() == "tensorflow":  # a loop forgets a static length
            outputs.set_shape([*sequences.shape[:2], cell.output_size])
        return last_output, outputs, list(states)

    def step(self, inputs, state):
        """Runs one step of a stream, without dropout.

        Args:
            inputs: (batch, features).
            state: list of (batch, units), as `get_initial_state(batch_size)` makes and this
                method returns.

        Returns:
            The output (batch, units), and the new state. Feeding steps one by one gives what the
            layer gives for the whole sequence.
        """
        if not self.built:
            self.build((inputs.shape[0], None, inputs.shape[-1]))
        return self.cell(inputs, list(state), training=False)

    def _check_state(self, sequences, initial_state):
        # A state of one row would broadcast against the batch without a word.
        if len(initial_state) != len(self.state_size):
            raise ValueError(
                f"{self.name} takes {len(self.state_size)} initial states, got {len(initial_state)}"
            )
        batch = sequences.shape[0]
        for position, (state, size) in enumerate(zip(initial_state, self.state_size, strict=True)):
            if getattr(state.shape, "rank", 2) is None:  # a tensor of TensorFlow, of any shape
                continue
            expected, shape = (batch, size), tuple(state.shape)
            known = zip(expected, shape, strict=False)
            if len(shape) != 2 or any(None not in pair and pair[0] != pair[1] for pair in known):
                raise ValueError(
                    f"initial state {position} of {self.name} has shape {shape}, "
                    f"expected (batch, units) = {expected}"
                )

    def get_config(self):
        config = super().get_config()
        del config["cell"]
        own = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            own.pop(key)
        return {
            **config,
            **own,
            "weight_dropout": self.weight_dropout,
            "implementation": self.implementation,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@contextlib.contextmanager
def computed_by(implementation: str, model: keras.layers.Layer) -> Iterator[None]:
    """Lets the recurrent layers of `model` compute by `implementation` while the block runs.

    It applies to eager calls and to functions traced in the block; a function that was traced
    before does not change. "portable", which every layer has, uses no operation that TensorFlow
    made for recurrences: its results are the reference for the faster implementations.

    Args:
        implementation: one of `implementations.IMPLEMENTATIONS`.
        model: a model or layer, which may hold layers in any depth.

    Raises:
        ValueError: an unknown implementation; at a call, one that its layer lacks.
    """
    implementations.checked(implementation)
    layers = [layer for layer in layers_within(model) if isinstance(layer, RecurrentLayer)]
    before = [layer.implementation for layer in layers]
    try:
        for layer in layers:
            layer.implementation = implementation
        yield
    finally:
        for layer, each in zip(layers, before, strict=True):
            layer.implementation = each
