"""`ConvLSTM`, an LSTM over pictures with peepholes."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from lstm_layers import arguments
from lstm_layers.attributes import reading
from lstm_layers.conv_lstm_cell import ConvLSTMCell
from lstm_layers.recurrences.portable import scan
from lstm_layers.recurrent_cell import options_of_weights


@keras.saving.register_keras_serializable(package="lstm_layers")
@reading(
    "cell",
    (
        "filters",
        "kernel_size",
        "peepholes",
        "peephole_per",
        "bottleneck",
        "bottleneck_activation",
        "unit_forget_bias",
        "use_bias",
        "dropout",
        "recurrent_dropout",
        "seed",
        *options_of_weights(ConvLSTMCell),
    ),
)
class ConvLSTM(keras.layers.Layer):
    """Convolutional LSTM with peepholes over (batch, time, height, width, channels).

    With * a convolution that keeps the size (zeros beyond the edge), and h', c' the states of the
    step before:

        i = σ(W_i * x + R_i * h' + p_i ⊙ c' + b_i)        c = f ⊙ c' + i ⊙ g
        f = σ(W_f * x + R_f * h' + p_f ⊙ c' + b_f)        o = σ(W_o * x + R_o * h' + p_o ⊙ c + b_o)
        g = φ(W_g * x + R_g * h' + b_g)                   h = o ⊙ φ(c)

    Shi et al. have one peephole weight for each channel and place. That fixes the height and width
    for good, so here p has one weight for a channel by default, and the layer reads pictures of any
    size; `peephole_per="position"` is the published form.

    With `bottleneck`, the gates see [x, h'] through a bottleneck of `filters` channels. D is a
    depthwise and P a pointwise convolution:

        n = ψ(P_x (D_x * x) + P_h (D_h * h') + b_n)       z = P_g (D_g * n) + b

    and z_i, z_f, z_g, z_o replace the sums of convolutions above. The published form has no
    peepholes (`peepholes=""`) and ReLU for φ as well (`activation="relu"`).

    What x adds to every step is one convolution over all steps, before the loop. The backend
    differentiates the loop.

    Weights, in this order: `kernel` W (height, width, channels, 4 filters), `recurrent_kernel` R
    (height, width, filters, 4 filters), `bias` (4 filters,), gates in the order i, f, g, o; then
    `input_`, `forget_`, `output_peephole`, (filters,) or (height, width, filters), as far as
    `peepholes` names them. With `bottleneck`: `input_depthwise`, `kernel`, `recurrent_depthwise`,
    `recurrent_kernel`, `bottleneck_bias`, `gate_depthwise`, `gate_kernel`, `bias`, peepholes.

    Masking: at a step whose mask is False both states are copied from the step before and the
    output is h as copied (zeros with `zero_output_for_mask`), wherever the gaps are.

    Sources: Shi et al., "Convolutional LSTM network: a machine learning approach for precipitation
    nowcasting", 2015; Liu and Zhu, "Mobile video object detection with temporally-aware feature
    maps", 2018.

    Args:
        filters, kernel_size: see `ConvLSTMCell`.
        return_sequences: return h of every step, not of the last.
        return_state: return the last h and c as well.
        go_backwards: process from the last step to the first, and return outputs in that order.
        stateful: start each call from where the last one ended, row by row; `reset_state()` starts
            anew. Batch size, height and width must be static.
        unroll: write the steps out instead of looping; for short, static lengths.
        zero_output_for_mask: outputs at masked steps are zero.
        name, trainable, dtype: those of `keras.layers.Layer`. With a 16-bit dtype the convolutions
            are computed in it, gates and states in float32. `activity_regularizer`, `autocast`
            and `input_shape` are the layer's as well.
        **cell_options: the other ones of `ConvLSTMCell`. `dropout` and `recurrent_dropout` drop
            whole channels, the same ones at all steps and places of a sequence.

    Call arguments:
        sequences: (batch, time, height, width, channels).
        initial_state: [h, c], each (batch, height, width, filters); zeros by default.
        mask: (batch, time) bool, False at steps to be skipped, or (1, time) for all rows.
        training: whether dropout acts.
        sequences_mask: the mask that the sequences carry, where states are given.

    Returns:
        h, (batch, height, width, filters) or (batch, time, height, width, filters); then h and c
        where `return_state`.

    Raises:
        ValueError: sequences, states or a mask of another shape, and what `ConvLSTMCell` raises.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype=None,
        **cell_options,
    ):
        layer: dict[str, Any] = {"trainable": trainable, "dtype": dtype}
        own = arguments.of_every_layer(cell_options)
        super().__init__(name=name, **layer, **own)
        self.cell = ConvLSTMCell(filters, kernel_size, **cell_options, **layer)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.input_spec = keras.InputSpec(ndim=5)
        self.supports_masking = True
        self.states: Any = None

    options_read: ClassVar[tuple[str, ...]]

    @property
    def state_size(self) -> list[int]:
        return self.cell.state_size

    @property
    def activation(self):
        """φ, as the function of Keras."""
        return keras.activations.get(self.cell.activation)

    @property
    def recurrent_activation(self):
        """σ, as the function of Keras."""
        return keras.activations.get(self.cell.recurrent_activation)

    def build(self, sequences_shape, initial_state_shape=None):
        if len(sequences_shape) != 5 or sequences_shape[-1] is None:
            raise ValueError(
                f"{self.name} reads (batch, time, height, width, channels) with a known number of "
                f"channels, got the shape {tuple(sequences_shape)}"
            )
        self.input_spec = keras.InputSpec(ndim=5, axes={-1: sequences_shape[-1]})
        batch, _, height, width, channels = sequences_shape
        if not self.cell.built:
            self.cell.build((batch, height, width, channels))
            self.cell.built = True
        if self.stateful:
            if None in (batch, height, width):
                raise ValueError(
                    f"{self.name} is stateful, so batch size, height and width must be known, got "
                    f"the shape {tuple(sequences_shape)}"
                )
            shape = (batch, height, width, self.filters)
            self.states = [
                keras.Variable(
                    "zeros", shape, self.compute_dtype, trainable=False, name=f"{kind}_state"
                )
                for kind in "hc"
            ]
        self.built = True

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch, time, height, width, _ = sequences_shape
        state = (batch, height, width, self.filters)
        output = (batch, time, *state[1:]) if self.return_sequences else state
        return [output, state, state] if self.return_state else output

    def compute_mask(self, _, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        outputs = mask if self.return_sequences else None
        if outputs is not None and self.go_backwards:
            outputs = ops.flip(outputs, axis=1)  # outputs start with the last step
        return [outputs, None, None] if self.return_state else outputs

    def get_initial_state(self, batch_size, height: int, width: int) -> list:
        """Returns zeros, [h, c] before a first step."""
        shape = (batch_size, height, width, self.filters)
        return [ops.zeros(shape, self.compute_dtype) for _ in range(2)]

    def reset_state(self) -> None:
        """Sets the states of a stateful layer to zero."""
        for state in self.states or ():
            state.assign(ops.zeros(state.shape, state.dtype))

    def call(self, sequences, initial_state=None, mask=None, training=False, sequences_mask=None):
        mask = sequences_mask if mask is None else mask
        if mask is not None:
            arguments.check_mask(self.name, sequences, mask)
            mask = ops.transpose(ops.cast(mask, "bool"))
        cell, dtype = self.cell, self.cell.state_dtype
        state = tuple(ops.cast(each, dtype) for each in self._before(sequences, initial_state))
        inputs = ops.transpose(ops.cast(sequences, cell.compute_dtype), (1, 0, 2, 3, 4))
        # Drawn in inference as well, so that an evaluation changes no later draw of the training.
        drop = cell.channel_mask(cell.dropout, sequences)
        drop_fed_back = cell.channel_mask(cell.recurrent_dropout, state[0])
        if not training:
            drop = drop_fed_back = None
        if drop is not None:
            inputs = inputs * ops.cast(drop, inputs.dtype)
        time, batch, *size = ops.shape(inputs)
        z = cell.input_products(ops.reshape(inputs, (-1, *size)))
        z = ops.reshape(z, (time, batch, *size[:2], z.shape[-1]))
        if self.go_backwards:
            z = ops.flip(z, axis=0)
            mask = None if mask is None else ops.flip(mask, axis=0)

        def step(state, z, keep=None):
            new = cell.stepped(z, state, drop_fed_back)
            if keep is not None:
                keep = keep[:, None, None, None]
                new = [ops.where(keep, *pair) for pair in zip(new, state, strict=True)]
            return [_shaped(*pair) for pair in zip(new, state, strict=True)]

        outputs, last = scan(step, state, [z] if mask is None else [z, mask], unroll=self.unroll)
        last_output = last[0]
        if mask is not None and self.zero_output_for_mask:
            outputs = ops.where(mask[:, :, None, None, None], outputs, ops.zeros_like(outputs))
            is_real = ops.all(mask[-1:], axis=0)[:, None, None, None]
            last_output = ops.where(is_real, last_output, ops.zeros_like(last_output))
        last = [ops.cast(each, self.compute_dtype) for each in last]
        if self.stateful:
            for variable, value in zip(self.states, last, strict=True):
                variable.assign(value)
        output = ops.transpose(outputs, (1, 0, 2, 3, 4)) if self.return_sequences else last_output
        output = ops.cast(output, self.compute_dtype)
        if self.return_sequences and keras.backend.backend() == "tensorflow":
            output.set_shape([*sequences.shape[:4], self.filters])  # a loop forgets the length
        return (output, *last) if self.return_state else output

    def _before(self, sequences, initial_state) -> list:
        """Returns the states before the first step, as a caller or a stateful layer has them."""
        batch, _, height, width, _ = ops.shape(sequences)
        if initial_state is None and self.stateful:
            expected = tuple(self.states[0].shape[:3])
            given = (sequences.shape[0], *sequences.shape[2:4])
            if any(
                None not in pair and pair[0] != pair[1]
                for pair in zip(given, expected, strict=True)
            ):
                raise ValueError(
                    f"{self.name} is stateful, for batch size, height and width {expected}, and "
                    f"got {given}: the states of the last call belong to its rows and places"
                )
            return self.states
        if initial_state is None:
            return self.get_initial_state(batch, height, width)
        if not isinstance(initial_state, (list, tuple)) or len(initial_state) != 2:
            raise ValueError(f"{self.name} takes two initial states, h and c")
        expected = (sequences.shape[0], *sequences.shape[2:4], self.filters)
        for which, each in zip("hc", initial_state, strict=True):
            shape = tuple(each.shape)
            fits = len(shape) == 4 and all(
                None in pair or pair[0] == pair[1] for pair in zip(shape, expected, strict=True)
            )
            if not fits:
                raise ValueError(
                    f"the initial state {which} of {self.name} has shape {shape}, "
                    f"expected (batch, height, width, filters) = {expected}"
                )
        return [ops.convert_to_tensor(each) for each in initial_state]

    def step(self, inputs, state):
        """Runs one step of a stream, without dropout.

        Args:
            inputs: (batch, height, width, channels).
            state: [h, c], as `get_initial_state` makes and this method returns.

        Returns:
            The output (batch, height, width, filters), and the new state. Feeding steps one by one
            gives what the layer gives for the whole sequence.
        """
        if not self.built:
            batch, *others = inputs.shape
            self.build((batch, None, *others))
        return self.cell(inputs, list(state), training=False)

    def save_own_variables(self, store):
        """Saves the states of a stateful layer, so that a copy goes on where this layer is."""
        for which, state in zip("hc", self.states or (), strict=False):
            store[f"state_{which}"] = state

    def load_own_variables(self, store):
        """Loads what `save_own_variables` saved; states of another shape are left out."""
        names = store.keys()
        for which, state in zip("hc", self.states or (), strict=False):
            value = store[f"state_{which}"] if f"state_{which}" in names else None
            if value is not None and tuple(value.shape) == tuple(state.shape):
                state.assign(value)

    def get_config(self):
        cell = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            cell.pop(key)
        own = (
            "return_sequences",
            "return_state",
            "go_backwards",
            "stateful",
            "unroll",
            "zero_output_for_mask",
        )
        config = {**super().get_config(), **cell, **{name: getattr(self, name) for name in own}}
        if not self.autocast:
            config["autocast"] = False
        return config

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _shaped(new, before):
    """Returns `new` with the static shape of `before`: a loop's carry must keep it."""
    if keras.backend.backend() == "tensorflow":
        new.set_shape(before.shape)
    return new
