"""`StackedLSTM`: recurrent layers on top of each other, as one layer."""

from __future__ import annotations

import functools

import keras
from keras import ops

from lstm_layers import arguments, initializers
from lstm_layers.attributes import reading
from lstm_layers.layer_kinds import OPTIONS, layer_of_kind


@reading("lowest_layer", OPTIONS)
@keras.saving.register_keras_serializable(package="lstm_layers")
class StackedLSTM(keras.layers.Layer):
    """Reads (batch, time, features) with `depth` recurrent layers, each over the outputs below it.

        y_1 = layer_1(x),    y_n = layer_n(y_{n-1})    or layer_n(y_{n-1}) + y_{n-1}, if residual

    Weights are those of the lowest layer, then those of the next; states likewise, lowest layer
    first, each in its own order: [h_1, c_1, h_2, c_2, …], or [h_1, h_2, …] for GRU. The output is
    y of the highest layer; if residual, it is not a state.

    Sources: Graves, Mohamed and Hinton, "Speech recognition with deep recurrent neural networks",
    2013, section 2; residual connections as in Wu et al., "Google's neural machine translation
    system", 2016, section 3.1.

    Args:
        units: of each layer.
        depth: number of layers.
        cell: a name of `layer_kinds.KINDS`: "peephole_lstm", "lstm" (no peepholes), "gru", "rnn",
            "variant_lstm" (with the options of `VariantLSTM`), or one of `GREFF_VARIANTS`.
        dropout: rate on the inputs of the lowest layer, one mask a sequence.
        dropout_between: rate on the inputs of every other layer, likewise.
        residual: add to each layer's output its input, from the second layer on.
        seed: of the dropout masks; each layer draws its own.
        return_sequences, return_state, go_backwards, zero_output_for_mask: as in `RecurrentLayer`.
        name, trainable, dtype: those of `keras.layers.Layer`.
        **options: of every layer: `recurrent_dropout`, `stateful`, `peepholes`, …

    Call arguments:
        sequences: (batch, time, features).
        initial_state: list of (batch, size) in the order above.
        mask, training, sequences_mask: as in `RecurrentLayer`.

    Returns:
        The output, (batch, size) or (batch, time, size); then the states where `return_state`.

    Raises:
        ValueError: an unknown cell, an option that its name already stands for, a wrong number of
            states, and what the layers raise.
    """

    def __init__(
        self,
        units: int,
        depth: int = 2,
        cell: str = "peephole_lstm",
        *,
        dropout: float = 0.0,
        dropout_between: float = 0.0,
        residual: bool = False,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype=None,
        **options,
    ):
        own = arguments.of_every_layer(options)
        super().__init__(name=name, trainable=trainable, dtype=dtype, **own)
        self.input_spec = keras.InputSpec(ndim=3)
        if depth < 1:
            raise ValueError(f"depth must be positive, got {depth}")
        if not 0.0 <= dropout_between < 1.0:
            raise ValueError(f"dropout_between must be in [0, 1), got {dropout_between}")
        self.depth = depth
        self.cell = cell
        self.dropout_between = dropout_between
        self.residual = residual
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.zero_output_for_mask = zero_output_for_mask
        self.recurrent_layers = [
            layer_of_kind(
                cell,
                **initializers.others(options, level),
                units=units,
                dropout=dropout_between if level else dropout,
                seed=None if seed is None else seed + level,
                return_sequences=return_sequences or level < depth - 1,
                return_state=True,
                name=f"layer_{level + 1}",
                trainable=trainable,
                dtype=self.dtype_policy,
            )
            for level in range(depth)
        ]
        self.supports_masking = True

    @property
    def lowest_layer(self):
        return self.recurrent_layers[0]

    @property
    def state_size(self) -> list[int]:
        return [size for layer in self.recurrent_layers for size in layer.state_size]

    @property
    def states(self) -> list | None:
        """The states of a stateful stack that is built, lowest layer first; else None."""
        levels = [layer.states for layer in self.recurrent_layers]
        return None if None in levels else [state for level in levels for state in level]

    def build(self, sequences_shape, initial_state_shape=None):
        self.input_spec = arguments.sequences_spec(self.name, sequences_shape)
        for layer in self.recurrent_layers:
            layer.build(sequences_shape)
            sequences_shape = (*sequences_shape[:2], layer.cell.output_size)

    def call(self, sequences, initial_state=None, mask=None, training=None, sequences_mask=None):
        mask = sequences_mask if mask is None else mask  # as in `RecurrentLayer`
        if mask is not None:
            arguments.check_mask(self.name, sequences, mask)
        states = self._by_layer(initial_state)
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        outputs, last_states, last_outputs = sequences, [], []
        for level, (layer, state) in enumerate(zip(self.recurrent_layers, states, strict=True)):
            below = outputs
            outputs, *last = layer(below, initial_state=state, mask=mask, training=training)
            last_states += last
            if self.residual and level:
                if not layer.return_sequences:  # not below[:, -1]: there may be no step
                    below = functools.reduce(lambda lower, h: h + lower, last_outputs)
                outputs = outputs + below
            last_outputs.append(last[0])
        if self.zero_output_for_mask and mask is not None:
            kept = ops.cast(mask, "bool")
            kept = kept if self.return_sequences else ops.all(kept[:, -1:], axis=1)
            outputs = ops.where(kept[..., None], outputs, ops.zeros_like(outputs))
        return (outputs, *last_states) if self.return_state else outputs

    def step(self, inputs, state):
        """Runs one step of a stream, without dropout.

        Args:
            inputs: (batch, features).
            state: list of (batch, size), as `get_initial_state(batch_size)` makes and this method
                returns.

        Returns:
            The output (batch, size), and the new state. Feeding steps one by one gives what the
            layer gives for the whole sequence.
        """
        new: list = []
        for level, (layer, before) in enumerate(
            zip(self.recurrent_layers, self._by_layer(state), strict=True)
        ):
            outputs, after = layer.step(inputs, before)
            new += after
            inputs = outputs + inputs if self.residual and level else outputs
        return inputs, new

    def get_initial_state(self, batch_size):
        """Returns zeros in the order of the states, each (batch_size, size)."""
        return [
            state
            for layer in self.recurrent_layers
            for state in layer.get_initial_state(batch_size)
        ]

    def reset_state(self):
        """Starts every layer of a stateful stack from zeros."""
        for layer in self.recurrent_layers:
            layer.reset_state()

    def reset_states(self):
        """Does what `reset_state` does, under the other name that Keras has for it."""
        self.reset_state()

    def rematerialized_call(self, layer_call, *args, **kwargs):
        return layer_call  # the layers within do it

    def _by_layer(self, states) -> list:
        """Returns the states of each layer, or None for each."""
        if states is None:
            return [None] * self.depth
        if len(states) != len(self.state_size):
            raise ValueError(
                f"{self.name}, lowest layer first, takes {len(self.state_size)} initial states, "
                f"got {len(states)}"
            )
        count = len(states) // self.depth
        return [list(states[first : first + count]) for first in range(0, len(states), count)]

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch, time = sequences_shape[:2]
        size = self.recurrent_layers[-1].cell.output_size
        output = (batch, time, size) if self.return_sequences else (batch, size)
        states = ((batch, size) for size in self.state_size)
        return (output, *states) if self.return_state else output

    def compute_mask(self, _, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        outputs = mask if self.return_sequences else None
        if outputs is not None and self.go_backwards:
            outputs = ops.flip(outputs, axis=1)  # outputs start with the last step
        return [outputs, *(None for _ in self.state_size)] if self.return_state else outputs

    def get_config(self):
        # The layer's own configuration: options as the caller gave them may be objects.
        own = (
            "depth",
            "cell",
            "dropout_between",
            "residual",
            "seed",
            "return_sequences",
            "return_state",
            "go_backwards",
            "zero_output_for_mask",
        )
        return {
            **self.recurrent_layers[0].get_config(),
            **super().get_config(),
            **({} if self.autocast else {"autocast": False}),
            **{name: getattr(self, name) for name in own},
        }
