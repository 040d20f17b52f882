"""`ConvLSTMCell`, the weights and equations of one step of `ConvLSTM`."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from lstm_layers.recurrences import activations
from lstm_layers.recurrent_cell import RecurrentCell

_GATES = {"i": "input", "f": "forget", "o": "output"}
_CHANNELS_LAST = {"padding": "same", "data_format": "channels_last"}


@keras.saving.register_keras_serializable(package="lstm_layers")
class ConvLSTMCell(RecurrentCell):
    """One step of `ConvLSTM`: its weights and equations.

    Args:
        filters: channels of h and c.
        kernel_size: height and width of every filter, one number or two.
        peepholes: gates that see the cell, letters of "ifo".
        peephole_per: "channel", one weight for a channel wherever it is, or "position", one for
            each channel and place as published, which ties the layer to one size of picture.
        bottleneck: compute the gates from a bottleneck of depthwise separable convolutions.
        bottleneck_activation: ψ of the bottleneck.
        unit_forget_bias: start b_f at one.
        **options: those of `RecurrentCell`, and initializer, regularizer and constraint for
            `peephole`.

    Call arguments:
        inputs: (batch, height, width, channels).
        states: [h', c'], each (batch, height, width, filters).
        training: whether dropout acts.

    Returns:
        h, and [h, c].

    Raises:
        ValueError: letters of `peepholes` that name no gate, another `peephole_per`, sizes that
            are not positive, and what `RecurrentCell` raises.
    """

    initializers: ClassVar[dict[str, str]] = {**RecurrentCell.initializers, "peephole": "zeros"}

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        *,
        peepholes: str = "ifo",
        peephole_per: str = "channel",
        bottleneck: bool = False,
        bottleneck_activation="relu",
        unit_forget_bias: bool = True,
        **options,
    ):
        super().__init__(filters, **options)
        pair = (kernel_size,) * 2 if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(pair) != 2 or min(pair) < 1:
            raise ValueError(f"kernel_size must be one or two positive numbers, got {kernel_size}")
        if set(peepholes) - set(_GATES) or len(set(peepholes)) < len(peepholes):
            raise ValueError(f'peepholes must be letters of "ifo", each once, got {peepholes!r}')
        if peephole_per not in ("channel", "position"):
            raise ValueError(f'peephole_per must be "channel" or "position", got {peephole_per!r}')
        self.filters = filters
        self.kernel_size = pair
        self.peepholes = peepholes
        self.peephole_per = peephole_per
        self.bottleneck = bottleneck
        self.bottleneck_activation = activations.name_of(bottleneck_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [filters, filters]

    def build(self, input_shape):
        filters, (height, width) = self.filters, self.kernel_size
        channels = input_shape[-1]
        if self.bottleneck:
            self._add("input_depthwise", (height, width, channels, 1), "kernel", alone=channels)
            self._add("kernel", (1, 1, channels, filters), "kernel")
            self._add(
                "recurrent_depthwise", (height, width, filters, 1), "recurrent", alone=filters
            )
            self._add("recurrent_kernel", (1, 1, filters, filters), "recurrent")
            self._add("bottleneck_bias", (filters,) if self.use_bias else None, "bias")
            self._add("gate_depthwise", (height, width, filters, 1), "kernel", alone=filters)
            self._add("gate_kernel", (1, 1, filters, 4 * filters), "kernel")
        else:
            self._add("kernel", (height, width, channels, 4 * filters), "kernel")
            self._add("recurrent_kernel", (height, width, filters, 4 * filters), "recurrent")
        self.bias = None
        if self.use_bias:
            self.bias = self.add_cell_weight("bias", (4 * filters,), "bias", self._initial_bias)
        place: tuple[int, ...] = ()
        if self.peephole_per == "position" and self.peepholes:
            place = tuple(input_shape[1:3])
            if None in place:
                raise ValueError(
                    'peephole_per="position" needs pictures of one known size, got the shape '
                    f'{tuple(input_shape)}; give the size, or take peephole_per="channel"'
                )
        for gate, name in _GATES.items():
            shape = (*place, filters) if gate in self.peepholes else None
            # Not cast to 16 bits: multiplied with a large c, its last bits decide.
            self._add(f"{name}_peephole", shape, "peephole", autocast=False)

    def _add(self, name: str, shape: tuple[int, ...] | None, weight: str, **options: Any):
        added = None
        if shape is not None:
            added = self.add_cell_weight(name, shape, weight, **options)
        setattr(self, name, added)

    def _initial_bias(self, shape, dtype=None):
        bias = self.initial("bias")(shape, dtype=dtype)
        if not self.unit_forget_bias:
            return bias
        i, f, g, o = ops.split(bias, 4)
        return ops.concatenate([i, ops.ones_like(f), g, o])

    def input_products(self, inputs):
        """Returns what x adds to a step, for all pictures (n, height, width, channels) at once.

        W * x + b, (n, height, width, 4 filters); with a bottleneck W_x * x + b_n, of `filters`
        channels.
        """
        values = ops.cast(inputs, self.compute_dtype)
        if self.bottleneck:
            values = self._depthwise(values, self.input_depthwise)
        values = self._convolved(values, self.kernel)
        bias = self.bottleneck_bias if self.bottleneck else self.bias
        return values if bias is None else values + ops.cast(bias, self.compute_dtype)

    def stepped(self, z, state, recurrent_dropout_mask=None) -> list:
        """Returns [h, c] after one step, from `input_products` of its input and [h', c']."""
        h, c = state
        fed_back = h if recurrent_dropout_mask is None else h * recurrent_dropout_mask
        fed_back = ops.cast(fed_back, self.compute_dtype)
        if self.bottleneck:
            fed_back = self._depthwise(fed_back, self.recurrent_depthwise)
        z = z + self._convolved(fed_back, self.recurrent_kernel)
        if self.bottleneck:
            z = self._depthwise(self._activated(z, "bottleneck_activation"), self.gate_depthwise)
            z = self._convolved(z, self.gate_kernel)
            z = z if self.bias is None else z + ops.cast(self.bias, self.compute_dtype)
        z_i, z_f, z_g, z_o = ops.split(ops.cast(z, self.state_dtype), 4, axis=-1)
        i = self._activated(self._peeped(z_i, c, "i"), "recurrent_activation")
        f = self._activated(self._peeped(z_f, c, "f"), "recurrent_activation")
        c = f * c + i * self._activated(z_g, "activation")
        o = self._activated(self._peeped(z_o, c, "o"), "recurrent_activation")
        return [o * self._activated(c, "activation"), c]

    def _convolved(self, values, kernel):
        return ops.conv(values, ops.cast(kernel, self.compute_dtype), **_CHANNELS_LAST)

    def _depthwise(self, values, kernel):
        return ops.depthwise_conv(values, ops.cast(kernel, self.compute_dtype), **_CHANNELS_LAST)

    def _peeped(self, z, c, gate: str):
        weight = getattr(self, f"{_GATES[gate]}_peephole")
        return z if weight is None else z + ops.cast(weight, self.state_dtype) * c

    def _activated(self, values, option: str):
        return activations.ACTIVATIONS[getattr(self, option)].function(values)

    def channel_mask(self, rate: float, values):
        """Draws what drops whole channels of a sequence: (batch, 1, 1, channels), or None."""
        if not rate:
            return None
        shape = (ops.shape(values)[0], 1, 1, values.shape[-1])
        return keras.random.dropout(
            ops.ones(shape, self.state_dtype), rate, seed=self.seed_generator
        )

    def call(self, inputs, states, training=False):
        state = [ops.cast(each, self.state_dtype) for each in states]
        fed_back = None
        if training:
            drop = self.channel_mask(self.dropout, inputs)
            inputs = inputs if drop is None else inputs * ops.cast(drop, inputs.dtype)
            fed_back = self.channel_mask(self.recurrent_dropout, state[0])
        new = self.stepped(self.input_products(inputs), state, fed_back)
        new = [ops.cast(each, self.compute_dtype) for each in new]
        return new[0], new

    def get_config(self):
        config = super().get_config()
        del config["units"]
        own = (
            "filters",
            "kernel_size",
            "peepholes",
            "peephole_per",
            "bottleneck",
            "bottleneck_activation",
            "unit_forget_bias",
        )
        return {**config, **{name: getattr(self, name) for name in own}}
