"""`RecurrentLayer`, the base of the recurrent layers, and `computed_by`.

`keras.layers.RNN` brings states, `stateful`, `return_sequences`, `return_state` and the wrappers
`Bidirectional` and `TimeDistributed`. `RecurrentLayer` replaces its loop over a cell by one call of
a pure function over all steps.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import Any, ClassVar

import keras
from keras import ops

from lstm_layers import arguments
from lstm_layers.attributes import reading
from lstm_layers.recurrences import implementations
from lstm_layers.recurrent_cell import RecurrentCell, Run, layers_within, options_of_weights

# Whether the call that runs in this thread computes its loop again for a gradient.
_REMATERIALIZED = contextvars.ContextVar("rematerialized", default=False)


@reading(
    "cell",
    (
        "units",
        "activation",
        "recurrent_activation",
        "use_bias",
        "dropout",
        "recurrent_dropout",
        "seed",
        *options_of_weights(RecurrentCell),
    ),
)
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
            are computed in it, gates and cell states in float32. `activity_regularizer`,
            `autocast` and `input_shape` are the layer's as well.
        **more_cell_options: further arguments of the cell.

    Attributes:
        implementation_used: the one that the last call took (in a graph: its last trace), or None.

    Call arguments:
        sequences: (batch, time, features).
        initial_state: list of (batch, units), h first; zeros by default.
        mask: (batch, time) bool, False at steps to be skipped, or (1, time) for all rows.
        training: whether dropout acts.
        sequences_mask: Keras gives the mask that the sequences carry here when states are given;
            `mask` goes before it.

    Returns:
        h, (batch, units) or (batch, time, units); then the states where `return_state`.

    Raises:
        ValueError: a wrong number of states, a state of another shape than (batch, units), a mask
            or sequences of another shape, a rate out of its range.
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
        own = arguments.of_every_layer(more_cell_options)
        super().__init__(
            # A name that does not count the cells of a process: weights are called alike in a copy.
            cell_class(**cell_options, **more_cell_options, **layer, name="cell"),
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            name=name,
            **layer,
            **own,
        )
        self.input_spec = keras.InputSpec(ndim=3)
        if not 0.0 <= weight_dropout < 1.0:
            raise ValueError(f"weight_dropout must be in [0, 1), got {weight_dropout}")
        self.weight_dropout = weight_dropout
        self.implementation = implementations.checked(implementation)
        self.implementation_used: str | None = None
        # Keras after 3.15 turns these off in RNN, and masks would be dropped without a word.
        self.supports_masking = True

    options_read: ClassVar[tuple[str, ...]]

    @property
    def units(self) -> int:
        return self.cell.units

    @property
    def activation(self):
        """φ, as the function of Keras."""
        return keras.activations.get(self.cell.activation)

    @property
    def recurrent_activation(self):
        """σ, as the function of Keras."""
        return keras.activations.get(self.cell.recurrent_activation)

    def compute_mask(self, _, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        outputs = mask if self.return_sequences else None
        if outputs is not None and self.go_backwards:
            outputs = ops.flip(outputs, axis=1)  # outputs start with the last step
        return [outputs, *(None for _ in self.state_size)] if self.return_state else outputs

    def build(self, sequences_shape, initial_state_shape=None):
        self.input_spec = arguments.sequences_spec(self.name, sequences_shape)
        super().build(sequences_shape, initial_state_shape)

    def call(self, sequences, initial_state=None, mask=None, training=False, sequences_mask=None):
        # Keras hands over the mask that the sequences carry as `mask` where they are the only
        # tensors, and under this other name where states are given as well.
        mask = sequences_mask if mask is None else mask
        if mask is not None:
            arguments.check_mask(self.name, sequences, mask)
        if self.unroll and sequences.shape[1] is None:
            raise ValueError(
                f"Cannot unroll {self.name} over a time dimension that is unknown: give a "
                "keras.Input with a number of steps, or leave unroll=False"
            )
        state = self._before(sequences, initial_state)
        last_output, outputs, states = self.inner_loop(sequences, state, mask, training)
        states = [ops.cast(each, self.compute_dtype) for each in states]
        if self.stateful:
            for variable, value in zip(self.states, states, strict=True):
                variable.assign(value)
        output = ops.cast(outputs if self.return_sequences else last_output, self.compute_dtype)
        return (output, *states) if self.return_state else output

    def _before(self, sequences, initial_state) -> list:
        """Returns the states before the first step, as a caller or a stateful layer has them."""
        if initial_state is not None:
            if not isinstance(initial_state, (list, tuple)):
                initial_state = [initial_state]
            arguments.check_states(self.name, sequences, self.state_size, initial_state)
        elif self.stateful:
            initial_state = self.states
        else:
            initial_state = self.get_initial_state(ops.shape(sequences)[0])
        batch, expected = sequences.shape[0], self._expected_batch_size
        if self.stateful and None not in (batch, expected) and batch != expected:
            raise ValueError(
                f"{self.name} is stateful, for the batch size {expected}, and got a batch size of "
                f"{batch}: the states of the last call belong to its rows"
            )
        dtype = self.cell.compute_dtype
        return [ops.convert_to_tensor(each, dtype=dtype) for each in initial_state]

    def rematerialized_call(self, layer_call, *args, **kwargs):
        """Overrides that of Keras, for `keras.RematScope`.

        Keras would run all of `call` again for a gradient, with other dropout masks, and
        TensorFlow's part of it takes no keywords in a graph. Here the loop over time alone runs
        again, from the same inputs, masks and states.
        """
        if super().rematerialized_call(layer_call, *args, **kwargs) is layer_call:
            return layer_call

        @functools.wraps(layer_call)
        def call(*args, **kwargs):
            token = _REMATERIALIZED.set(True)
            try:
                return layer_call(*args, **kwargs)
            finally:
                _REMATERIALIZED.reset(token)

        return call

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

        # Drawn in inference as well: which mask a step of training gets does not depend on whether
        # the model was evaluated before it in a graph of its own.
        h = initial_state[0]
        dropout_mask = self._drawn_mask(cell.dropout, sequences, dtype)
        recurrent_dropout_mask = self._drawn_mask(cell.recurrent_dropout, h, h.dtype)
        recurrent_kernel = ops.cast(cell.recurrent_kernel, dtype)
        drawn = None
        if not training:
            dropout_mask = recurrent_dropout_mask = None
        elif self.weight_dropout:
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
        if training:
            drawn = cell.draw(inputs)

        implementation = implementations.choose(
            self.implementation, cell, inputs, bool(training), self.unroll, mask is not None
        )
        self.implementation_used = implementation
        if implementation == "portable" and mask is not None:
            # Else the backend's gradient would multiply NaN in masked steps with zero: NaN.
            inputs = ops.where(mask[:, :, None], inputs, ops.zeros_like(inputs))
        run = Run(
            inputs,
            recurrent_kernel,
            tuple(ops.cast(state, state_dtype) for state in initial_state),
            mask,
            recurrent_dropout_mask,
            self.unroll,
            implementation,
            bool(training),
            drawn,
        )
        again = _REMATERIALIZED.get()
        outputs, states = _rematerialized(cell, run) if again else cell.recurrence(run)
        last_output = states[0]
        if mask is not None and self.zero_output_for_mask:
            outputs = ops.where(mask[:, :, None], outputs, ops.zeros_like(outputs))
            is_real = ops.all(mask[-1:], axis=0)  # true where there is no step
            last_output = ops.where(is_real[:, None], last_output, ops.zeros_like(last_output))
        outputs = ops.transpose(outputs, (1, 0, 2))
        if keras.backend.backend() == "tensorflow":  # a loop forgets a static length
            outputs.set_shape([*sequences.shape[:2], cell.output_size])
        return last_output, outputs, list(states)

    def _drawn_mask(self, rate: float, values, dtype):
        """Draws a mask (batch, size) for values (batch, …, size), None for a rate of zero."""
        # Not kept on the cell, as Keras has it: calls in other threads would take it for theirs.
        if not rate:
            return None
        ones = ops.ones((ops.shape(values)[0], values.shape[-1]), dtype)
        return keras.random.dropout(ones, rate, seed=self.cell.seed_generator)

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

    def save_own_variables(self, store):
        """Saves the states of a stateful layer, so that a copy goes on where this layer is."""
        super().save_own_variables(store)
        for position, state in enumerate(self.states or ()):
            store[f"state_{position}"] = state

    def load_own_variables(self, store):
        """Loads what `save_own_variables` saved; a state for another number of rows is left out."""
        names = store.keys()
        given = {name: store[name] for name in names}
        for position, state in enumerate(self.states or ()):
            value = given.get(f"state_{position}")
            if value is not None and tuple(value.shape) == tuple(state.shape):
                state.assign(value)
        others = {name: value for name, value in given.items() if not name.startswith("state_")}
        super().load_own_variables(others)

    def get_config(self):
        config = super().get_config()
        del config["cell"]
        own = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            own.pop(key)
        if not self.autocast:
            config["autocast"] = False
        return {
            **config,
            **own,
            "weight_dropout": self.weight_dropout,
            "implementation": self.implementation,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _rematerialized(cell: RecurrentCell, run: Run) -> tuple:
    """Computes all steps, and computes them again for a gradient instead of keeping them."""

    def again(inputs, recurrent_kernel, *state):
        run_again = run._replace(inputs=inputs, recurrent_kernel=recurrent_kernel, state=state)
        outputs, states = cell.recurrence(run_again)
        return (outputs, *states)

    outputs, *states = keras.remat(again)(run.inputs, run.recurrent_kernel, *run.state)
    return outputs, tuple(states)


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
