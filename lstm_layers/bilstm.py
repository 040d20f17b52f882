"""`BiLSTM`, two recurrent layers, one of which reads from the end."""

from __future__ import annotations

import keras

from lstm_layers import arguments, initializers
from lstm_layers.attributes import reading
from lstm_layers.layer_kinds import OPTIONS, layer_of_kind
from lstm_layers.recurrences import implementations

_OWN_OPTIONS = {"go_backwards", "zero_output_for_mask"}
MERGE_MODES = ("concat", "sum", "mul", "ave", None)


@reading("forward_layer", OPTIONS)
@keras.saving.register_keras_serializable(package="lstm_layers")
class BiLSTM(keras.layers.Layer):
    """Reads (batch, time, features) in both directions.

    Source: Graves and Schmidhuber, "Framewise phoneme classification with bidirectional LSTM",
    2005. Weights are those of the forward layer, then those of the backward layer; states
    likewise, each in the order of its own: [forward h, forward c, backward h, backward c], or
    [forward h, backward h] for GRU.

    Args:
        units: of each direction.
        cell: a name of `layer_kinds.KINDS`: "peephole_lstm", "lstm" (no peepholes), "gru", "rnn",
            "variant_lstm" (with the options of `VariantLSTM`), or one of `GREFF_VARIANTS`.
        merge_mode: the operation that joins the directions' outputs: "concat", "sum", "mul", "ave",
            or None for a pair of outputs.
        return_sequences: return every step's output, backward outputs aligned in time with the
            forward ones; else the last forward and the last backward output, which is the one at
            the first step.
        return_state: return the states as well, in the order above.
        name, trainable, dtype: those of `keras.layers.Layer`.
        **options: of both layers: `peepholes`, `dropout`, `stateful`, …, but `go_backwards` and
            `zero_output_for_mask`. With `return_sequences`, outputs at masked steps are zero, since
            the two directions carry different things there.

    Call arguments:
        sequences: (batch, time, features).
        initial_state: list of (batch, size) in the order above.
        mask, training, sequences_mask: as in `RecurrentLayer`.

    Returns:
        The merged output (a pair for None); then the states where `return_state`.

    Raises:
        ValueError: an unknown cell or merge mode, an option that is not the caller's to choose or
            that the cell's name already stands for, a wrong number of states, `step`, and what the
            layers raise.
    """

    def __init__(
        self,
        units: int,
        cell: str = "peephole_lstm",
        merge_mode: str | None = "concat",
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype=None,
        **options,
    ):
        own = arguments.of_every_layer(options)
        super().__init__(name=name, trainable=trainable, dtype=dtype, **own)
        self.input_spec = keras.InputSpec(ndim=3)
        if merge_mode not in MERGE_MODES:
            raise ValueError(f"merge_mode must be one of {MERGE_MODES}, got {merge_mode!r}")
        for option in sorted(_OWN_OPTIONS & options.keys()):
            raise ValueError(f"{option} is not an option of BiLSTM: it follows from the direction")
        self.cell = cell
        self.merge_mode = merge_mode
        self.return_sequences = return_sequences
        self.return_state = return_state
        shared = {
            **options,
            "units": units,
            "return_sequences": return_sequences,
            "return_state": True,
            "zero_output_for_mask": return_sequences,
            "dtype": self.dtype_policy,
            "trainable": trainable,
        }
        self.forward_layer = layer_of_kind(cell, name="forward", **shared)
        self.backward_layer = layer_of_kind(
            cell, name="backward", go_backwards=True, **initializers.others(shared, 1)
        )
        self.supports_masking = True

    @property
    def states(self) -> tuple | None:
        """The states of a stateful layer that is built, in the order above; else None."""
        halves = self.forward_layer.states, self.backward_layer.states
        return None if None in halves else tuple(state for half in halves for state in half)

    @property
    def state_size(self) -> list[int]:
        return [*self.forward_layer.state_size, *self.backward_layer.state_size]

    def get_initial_state(self, batch_size):
        """Returns zeros in the order of the states, each (batch_size, size)."""
        halves = self.forward_layer, self.backward_layer
        return [state for half in halves for state in half.get_initial_state(batch_size)]

    def build(self, sequences_shape, initial_state_shape=None):
        self.input_spec = arguments.sequences_spec(self.name, sequences_shape)
        self.forward_layer.build(sequences_shape)
        self.backward_layer.build(sequences_shape)

    def call(self, sequences, initial_state=None, mask=None, training=None, sequences_mask=None):
        mask = sequences_mask if mask is None else mask  # as in `RecurrentLayer`
        if mask is not None:
            arguments.check_mask(self.name, sequences, mask)
        states: list = [None, None]
        if initial_state is not None:
            count = len(self.forward_layer.state_size)
            if len(initial_state) != 2 * count:
                raise ValueError(
                    f"{self.name} takes {2 * count} initial states, forward ones first, "
                    f"got {len(initial_state)}"
                )
            states = [list(initial_state[:count]), list(initial_state[count:])]
        with implementations.side_by_side(2):
            forward, *forward_states = self.forward_layer(
                sequences, initial_state=states[0], mask=mask, training=training
            )
            backward, *backward_states = self.backward_layer(
                sequences, initial_state=states[1], mask=mask, training=training
            )
        if self.return_sequences:
            backward = keras.ops.flip(backward, axis=1)
        merged = self._merge(forward, backward)
        if not self.return_state:
            return merged
        outputs = merged if self.merge_mode is None else (merged,)
        return (*outputs, *forward_states, *backward_states)

    def _merge(self, forward, backward):
        match self.merge_mode:
            case "concat":
                return keras.ops.concatenate([forward, backward], axis=-1)
            case "sum":
                return forward + backward
            case "mul":
                return forward * backward
            case "ave":
                return (forward + backward) / 2
            case _:
                return forward, backward

    def step(self, inputs, state):
        raise ValueError(
            "a bidirectional layer cannot run step by step: its backward half starts at the end "
            "of the sequence; use PeepholeLSTM or GRU for streams"
        )

    def reset_state(self):
        """Starts both directions of a stateful layer from zeros."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self):
        """Does what `reset_state` does, under the other name that Keras has for it."""
        self.reset_state()

    def rematerialized_call(self, layer_call, *args, **kwargs):
        return layer_call  # the two layers within do it

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        output, *states = self.forward_layer.compute_output_shape(sequences_shape)
        if self.merge_mode == "concat":
            output = (*output[:-1], 2 * output[-1])
        outputs = (output, output) if self.merge_mode is None else (output,)
        if self.return_state:
            return (*outputs, *states, *states)
        return outputs if self.merge_mode is None else output

    def compute_mask(self, _, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        mask = mask if self.return_sequences else None
        masks = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            return masks + [None] * 2 * len(self.forward_layer.state_size)
        return masks if self.merge_mode is None else mask

    def get_config(self):
        # The layer's own configuration: options as the caller gave them may be objects.
        options = self.forward_layer.get_config()
        for option in _OWN_OPTIONS:
            del options[option]
        return {
            **options,
            **super().get_config(),
            **({} if self.autocast else {"autocast": False}),
            "cell": self.cell,
            "merge_mode": self.merge_mode,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
        }
