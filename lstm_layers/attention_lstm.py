"""`AttentionLSTM`, recurrent layers that look at a memory after every step: the usual decoder."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lstm_layers import arguments
from lstm_layers.attributes import reading
from lstm_layers.layer_kinds import OPTIONS
from lstm_layers.stacked_lstm import StackedLSTM

SCORES = ("dot", "general", "additive")
_OWN_OPTIONS = ("depth", "cell", "dropout_between", "residual", "seed")
_FIXED_OPTIONS = {"return_sequences", "go_backwards", "zero_output_for_mask", "stateful"}


@reading("recurrent", (*_OWN_OPTIONS, *OPTIONS))
@keras.saving.register_keras_serializable(package="lstm_layers")
class AttentionLSTM(keras.layers.Layer):
    """Reads a target (batch, time, features) and, after each step, a memory (batch, steps, size).

        h = StackedLSTM(x)                              (batch, time, units)
        e_tj = score(h_t, m_j)                          "dot":       h_t · m_j
                                                        "general":   h_t · (m_j K)
                                                        "additive":  tanh(h_t Q + m_j K + b) · v
        a_tj = exp(e_tj) / Σ_i exp(e_ti)                over the steps of the memory that count
        c_t = Σ_j a_tj m_j
        y_t = tanh([c_t; h_t] W)                        (batch, time, units)

    Nothing that the attention finds goes into the next step (no "input feeding"), so that the
    recurrence runs once over a whole target that is known, as in training by teacher forcing, and
    attention follows as products over all steps. `step` runs one step where the next input depends
    on the last output.

    Sources: "dot" and "general", y, and the query h_t after the step: Luong, Pham and Manning,
    "Effective approaches to attention-based neural machine translation", 2015, equations 5 to 8.
    "additive": Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align
    and translate", 2015, appendix A.1.2; their query is the state before the step, and c_t an
    input of it, which would need a loop over both. Here the query is h_t, as Luong has it.

    Weights, in this order: those of the recurrent layers, lowest first (see `StackedLSTM`);
    `memory_kernel` K (size, units; size, attention_units if additive; none for dot);
    `query_kernel` Q (units, attention_units), `attention_bias` b and `attention_vector` v
    (attention_units,) if additive; `output_kernel` W (size + units, units).

    States: those of the recurrent layers, lowest first, [h_1, c_1, h_2, c_2, …].

    Masks: at a masked step of the target the states are copied, and y_t is computed from the
    copied h_t. Masked steps of the memory get no attention, wherever they are, and their values
    are not read; a memory without any step that counts gives a_t = 0 and c_t = 0.

    With a 16-bit dtype the products are computed in it, scores and attention in float32.

    Args:
        units: size of h and y.
        score: of "dot" (the memory's size must be `units`), "general" and "additive".
        depth, cell, dropout, dropout_between, residual, seed: of the recurrent layers, see
            `StackedLSTM`.
        attention_units: size of b and v for the additive score; `units` where it is None.
        return_state: return the last states as well.
        return_attention: return the attention as well.
        name, trainable, dtype: those of `keras.layers.Layer`.
        **options: of every recurrent layer: `recurrent_dropout`, `implementation`, ….

    Call arguments:
        sequences: (batch, time, features).
        memory: (batch, steps, size).
        initial_state: list of (batch, units) in the order above; zeros by default.
        mask: (batch, time) bool, False at steps of the target to be skipped.
        memory_mask: (batch, steps) bool, False at steps of the memory that do not count. Keras
            gives the mask that the memory carries where there is none.
        training: whether dropout acts.
        sequences_mask: Keras gives the mask that the sequences carry here; `mask` goes before it.

    Returns:
        y (batch, time, units); with options a tuple of y, the attention (batch, time, steps) if
        `return_attention`, and the states if `return_state`.

    Raises:
        ValueError: an unknown score, an option that is not the caller's to choose, a memory of
            another shape or, for "dot", another size than `units`, and what the recurrent layers
            raise.
    """

    def __init__(
        self,
        units: int,
        score: str = "general",
        *,
        depth: int = 1,
        cell: str = "lstm",
        attention_units: int | None = None,
        return_state: bool = False,
        return_attention: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype=None,
        **options,
    ):
        own = arguments.of_every_layer(options)
        super().__init__(name=name, trainable=trainable, dtype=dtype, **own)
        if score not in SCORES:
            raise ValueError(f"score must be one of {', '.join(SCORES)}, got {score!r}")
        if attention_units is not None and attention_units < 1:
            raise ValueError(f"attention_units must be positive, got {attention_units}")
        for option in sorted(_FIXED_OPTIONS & options.keys()):
            raise ValueError(f"{option} is not an option of AttentionLSTM: it returns every step")
        self.score = score
        self.attention_units = attention_units
        self.return_state = return_state
        self.return_attention = return_attention
        self.recurrent = StackedLSTM(
            units,
            depth,
            cell,
            return_sequences=True,
            return_state=True,
            name="recurrent",
            trainable=trainable,
            dtype=self.dtype_policy,
            **options,
        )
        self.input_spec = keras.InputSpec(ndim=3)
        self._memory_size: int | None = None
        self.memory_kernel = self.query_kernel = self.attention_bias = self.attention_vector = None
        self.supports_masking = True

    @property
    def state_size(self) -> list[int]:
        return self.recurrent.state_size

    def get_initial_state(self, batch_size):
        """Returns zeros in the order of the states, each (batch_size, units)."""
        return self.recurrent.get_initial_state(batch_size)

    def build(self, sequences_shape, memory_shape, initial_state_shape=None):
        arguments.sequences_spec(f"{self.name}, as its memory,", memory_shape)
        self.recurrent.build(sequences_shape)
        size = self._memory_size = memory_shape[-1]
        width = self.recurrent.recurrent_layers[-1].cell.output_size
        if self.score == "dot" and size != width:
            raise ValueError(
                f"{self.name} with the score dot needs a memory of the size of its units, {width}, "
                f'got {size}; score="general" takes any'
            )
        if self.score == "general":
            self.memory_kernel = self.add_weight(name="memory_kernel", shape=(size, width))
        if self.score == "additive":
            inner = self.attention_units or self.units
            self.memory_kernel = self.add_weight(name="memory_kernel", shape=(size, inner))
            self.query_kernel = self.add_weight(name="query_kernel", shape=(width, inner))
            self.attention_bias = self.add_weight(
                name="attention_bias", shape=(inner,), initializer="zeros"
            )
            self.attention_vector = self.add_weight(
                name="attention_vector",
                shape=(inner,),
                initializer=keras.initializers.VarianceScaling(mode="fan_avg"),
            )
        self.output_kernel = self.add_weight(name="output_kernel", shape=(size + width, self.units))

    def call(
        self,
        sequences,
        memory,
        initial_state=None,
        mask=None,
        memory_mask=None,
        training=None,
        sequences_mask=None,
    ):
        mask = sequences_mask if mask is None else mask  # as in `RecurrentLayer`
        self._check_memory(memory, memory_mask)
        h, *states = self.recurrent(
            sequences, initial_state=initial_state, mask=mask, training=training
        )
        memory = self._counted(memory, memory_mask)
        outputs, attention = self._looked_up(h, memory, memory_mask, self.keys(memory))
        returned = (outputs, *([attention] if self.return_attention else []))
        returned = (*returned, *(states if self.return_state else []))
        return returned if len(returned) > 1 else outputs

    def _check_memory(self, memory, memory_mask):
        shape = tuple(memory.shape)
        if len(shape) != 3 or shape[-1] not in (None, self._memory_size):
            raise ValueError(
                f"the memory of {self.name} has shape {shape}, expected (batch, steps, "
                f"{self._memory_size})"
            )
        if memory_mask is not None:
            arguments.check_mask(f"{self.name}'s memory", memory, memory_mask)

    def keys(self, memory):
        """Returns what the scores take of a memory (batch, steps, size): the same at every step.

        The memory itself for "dot", m K for "general", m K + b for "additive".
        """
        memory = ops.cast(memory, self.compute_dtype)
        if self.memory_kernel is None:
            return memory
        keys = ops.matmul(memory, ops.cast(self.memory_kernel, self.compute_dtype))
        if self.attention_bias is not None:
            keys = keys + ops.cast(self.attention_bias, self.compute_dtype)
        return keys

    def step(self, inputs, state, memory, memory_mask=None, keys=None):
        """Runs one step, without dropout; of several continuations of each row, if there are more.

        Args:
            inputs: (batch, features), or (batch, beams, features).
            state: list of (batch, units), or (batch, beams, units), as `get_initial_state` makes
                and this method returns.
            memory: (batch, steps, size), which all beams of a row share.
            memory_mask: (batch, steps) bool, or None.
            keys: what `keys(memory)` returns, computed once before a loop.

        Returns:
            y (batch, units) or (batch, beams, units), the new state, and the attention
            (batch, steps) or (batch, beams, steps). Feeding steps one by one gives what the layer
            gives for the whole target.
        """
        if not self.built:
            self.build((inputs.shape[0], None, inputs.shape[-1]), memory.shape)
        beams = len(inputs.shape) == 3
        if beams:
            lead = ops.shape(inputs)[:2]
            inputs = ops.reshape(inputs, (-1, inputs.shape[-1]))
            state = [ops.reshape(each, (-1, each.shape[-1])) for each in state]
        h, state = self.recurrent.step(inputs, state)
        h = ops.reshape(h, (*lead, h.shape[-1])) if beams else h[:, None]
        memory = self._counted(memory, memory_mask)
        keys = self.keys(memory) if keys is None else keys
        outputs, attention = self._looked_up(h, memory, memory_mask, keys)
        if not beams:
            return outputs[:, 0], state, attention[:, 0]
        return outputs, [ops.reshape(each, (*lead, each.shape[-1])) for each in state], attention

    def _counted(self, memory, memory_mask):
        """Returns the memory with zeros at masked steps: NaN times a weight of zero is NaN."""
        memory = ops.cast(memory, self.compute_dtype)
        if memory_mask is None:
            return memory
        return ops.where(ops.cast(memory_mask, "bool")[..., None], memory, ops.zeros_like(memory))

    def _looked_up(self, h, memory, memory_mask, keys) -> tuple:
        """Computes y and the attention for h (batch, queries, units), every query by itself."""
        dtype = self.compute_dtype
        precise = "float32" if dtype in ("float16", "bfloat16") else dtype
        h = ops.cast(h, dtype)
        if self.score == "additive":
            query = ops.matmul(h, ops.cast(self.query_kernel, dtype))
            inner = ops.tanh(query[:, :, None] + keys[:, None])
            scores = ops.matmul(inner, ops.cast(self.attention_vector, dtype)[:, None])[..., 0]
        else:
            scores = ops.matmul(h, ops.transpose(keys, (0, 2, 1)))
        attention = _distribution(ops.cast(scores, precise), memory_mask)
        context = ops.matmul(ops.cast(attention, dtype), memory)
        joined = ops.concatenate([context, h], axis=-1)
        return ops.tanh(ops.matmul(joined, ops.cast(self.output_kernel, dtype))), attention

    def rematerialized_call(self, layer_call, *args, **kwargs):
        return layer_call  # the recurrent layers within do it

    def compute_output_shape(self, sequences_shape, memory_shape, initial_state_shape=None):
        output, *states = self.recurrent.compute_output_shape(sequences_shape)
        shapes = [(*output[:-1], self.units)]
        if self.return_attention:
            shapes.append((*sequences_shape[:2], memory_shape[1]))
        if self.return_state:
            shapes.extend(states)
        return tuple(shapes) if len(shapes) > 1 else shapes[0]

    def compute_output_spec(self, sequences, memory, *args, **kwargs):
        shapes = self.compute_output_shape(sequences.shape, memory.shape)
        if not (self.return_attention or self.return_state):
            return keras.KerasTensor(shapes, self.compute_dtype)
        is_16_bit = self.compute_dtype in ("float16", "bfloat16")
        dtypes = [self.compute_dtype] * len(shapes)
        if self.return_attention and is_16_bit:
            dtypes[1] = "float32"
        return tuple(map(keras.KerasTensor, shapes, dtypes))

    def compute_mask(self, sequences, memory=None, *args, mask=None, **kwargs):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        others = self.return_attention + self.return_state * len(self.state_size)
        return [mask, *[None] * others] if others else mask

    def get_config(self):
        # The layers' own configuration: options as the caller gave them may be objects.
        options = self.recurrent.get_config()
        for option in _FIXED_OPTIONS:
            options.pop(option, None)
        own = ("score", "attention_units", "return_state", "return_attention")
        return {
            **options,
            **super().get_config(),
            **({} if self.autocast else {"autocast": False}),
            **{name: getattr(self, name) for name in own},
        }


def _distribution(scores, mask) -> Any:
    """Returns softmax over the last axis of scores (batch, queries, steps), zero where masked.

    A row without any step that counts has zeros: the largest of its scores is -inf, and -inf less
    -inf would be NaN.
    """
    if mask is not None:
        scores = ops.where(ops.cast(mask, "bool")[:, None], scores, -float("inf"))
    if scores.shape[-1] == 0:
        return scores
    largest = ops.max(scores, axis=-1, keepdims=True)
    largest = ops.stop_gradient(ops.where(ops.isfinite(largest), largest, 0.0))
    powers = ops.exp(scores - largest)
    total = ops.sum(powers, axis=-1, keepdims=True)
    return powers / ops.where(total > 0, total, 1.0)
