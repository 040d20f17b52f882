"""Builds and steps through the network that writes one sequence of tokens after reading another.

    m = BiLSTM(E[source])                           the memory, one layer or several
    h_0, c_0 = tanh(W [last states of the top layer])
    y, a = AttentionLSTM(E[target], m)              the target from its start token on
    p(v) = softmax(E' y + b)                        the next token

With copying (See, Liu and Manning, "Get to the point", 2017, equations 8 and 9) a token may come
from the source as well, from all places where it stands:

    g_t = σ(w · [y_t; E[target_t]] + d)
    p_t(v) = g_t softmax(E' y_t + b)_v + (1 - g_t) Σ_j a_tj [source_j = v]

Training knows the next token, and so takes the sum over an equality mask (batch, time, steps);
decoding needs p of all tokens, and adds a to them by a scatter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

import lstm_layers
from apps.suite.distribution import replicas
from apps.suite.networks import beam_search
from apps.suite.networks.config import EncoderDecoderConfig

LOGITS = -1  # place of the logits among the outputs, which are sorted by name
_LEAST = 1e-9  # a probability that is 0 by rounding has a finite logarithm


class Memory(NamedTuple):
    """A source that the encoder has read.

    Attributes:
        source: int32 (batch, steps), 0 after the end.
        values: float32 (batch, steps, size).
        mask: bool (batch, steps), True at tokens.
        keys: float32 (batch, steps, …), see `AttentionLSTM.keys`.
        states: float32 (batch, units) each, of the decoder before its first step.
    """

    source: tf.Tensor
    values: tf.Tensor
    mask: tf.Tensor
    keys: tf.Tensor
    states: list[tf.Tensor]


def build(
    config: EncoderDecoderConfig,
    *,
    source_size: int,
    target_size: int,
    copying: bool = False,
    policy: str = "float32",
) -> keras.Model:
    """Builds the network for training; `Decoder` steps through its layers.

    Args:
        config: kinds and sizes.
        source_size, target_size: numbers of token ids, 0 for padding included.
        copying: lets tokens be copied from the source, whose ids are then those of the target.
        policy: Keras dtype policy of the recurrent layers and of the attention.

    Returns:
        An uncompiled model of "source" int32 (batch, steps) and "target" int32 (batch, time), both
        0 after the end, to "logits" float32 (batch, time, target_size), "attention" float32
        (batch, time, steps) and, with copying, "gate" float32 (batch, time).

    Raises:
        ValueError: one table of vectors, or copying, for two vocabularies of unequal sizes.
    """
    if (config.shared_embedding or copying) and source_size != target_size:
        raise ValueError("sources and targets that share their tokens have one number of them")
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    embedding = source_embedding = _embedding(target_size, config, policy, "embedding")
    if not config.shared_embedding:
        source_embedding = _embedding(source_size, config, policy, "source_embedding")
    drop = keras.layers.Dropout(config.dropout, name="embedding_dropout")
    counted = ops.not_equal(source, 0)
    memory, states = _encoded(drop(source_embedding(source)), counted, config, policy)
    vectors = drop(embedding(target))
    outputs, attention = lstm_layers.AttentionLSTM(
        config.units,
        config.attention,
        depth=config.decoder_layers,
        dropout_between=config.dropout,
        return_attention=True,
        dtype=policy,
        name="decoder",
    )(vectors, memory, initial_state=states, memory_mask=counted)
    outputs = keras.layers.Dropout(config.dropout, name="output_dropout")(outputs)
    if config.shared_embedding:
        projection = keras.layers.Dense(
            config.embedding_units, dtype=policy, name="output_projection"
        )
        logits = embedding(projection(outputs), reverse=True)
    else:
        logits = keras.layers.Dense(target_size, dtype=policy, name="logits")(outputs)
    answer = {"logits": ops.cast(logits, "float32"), "attention": attention}
    if copying:
        joined = keras.layers.Concatenate(name="gate_inputs")([outputs, vectors])
        answer["gate"] = keras.layers.Dense(1, "sigmoid", name="gate")(joined)[..., 0]
    return keras.Model({"source": source, "target": target}, answer, name="encoder_decoder")


def _embedding(
    size: int, config: EncoderDecoderConfig, policy: str, name: str
) -> keras.layers.Embedding:
    """Builds a table of vectors, which also scores tokens where it is shared."""
    kind = keras.layers.Embedding
    if config.shared_embedding:  # Press and Wolf, "Using the output embedding", 2017
        kind = keras.layers.ReversibleEmbedding
    return kind(size, config.embedding_units, dtype=policy, name=name)


def _encoded(
    vectors: Any, counted: Any, config: EncoderDecoderConfig, policy: str
) -> tuple[Any, list[Any]]:
    """Returns the memory, and the states of the decoder before its first step."""
    for depth in range(config.encoder_layers):
        if depth:
            drop = keras.layers.Dropout(config.dropout, name=f"encoder_dropout_{depth}")
            vectors = drop(vectors)
        layer = lstm_layers.BiLSTM(
            config.encoder_units,
            "lstm",
            return_sequences=True,
            return_state=True,
            dtype=policy,
            name=f"encoder_{depth}",
        )
        vectors, *last = layer(vectors, mask=counted)
    memory = keras.layers.Dropout(config.dropout, name="memory_dropout")(vectors)
    both = [
        keras.layers.Concatenate(name=f"last_{name}")(last[n::2]) for n, name in enumerate("hc")
    ]
    states = []
    for depth in range(config.decoder_layers):
        for name, ends, activation in zip("hc", both, ("tanh", None), strict=True):
            bridge = keras.layers.Dense(config.units, activation, name=f"first_{name}_{depth}")
            states.append(bridge(ends))
    return memory, states


def log_likelihood(outputs: dict[str, Any], source: Any, following: Any) -> Any:
    """Returns ln p of the tokens that follow, float32 (batch, time), 0 where there is none.

    Args:
        outputs: of the network, for targets with a start token.
        source: int32 (batch, steps), which the network has read.
        following: int32 (batch, time), the token after each of the target's, 0 after the end.
    """
    log_p = -tf.nn.sparse_softmax_cross_entropy_with_logits(following, outputs["logits"])
    if "gate" in outputs:
        same = tf.cast(source[:, None, :] == following[:, :, None], tf.float32)
        copied = tf.reduce_sum(tf.cast(outputs["attention"], tf.float32) * same, axis=2)
        gate = tf.cast(outputs["gate"], tf.float32)
        log_p = tf.math.log(gate * tf.exp(log_p) + (1.0 - gate) * copied + _LEAST)
    return tf.where(following == 0, 0.0, log_p)


def smoothed_nats(logits: Any, following: Any, smoothing: float) -> Any:
    """Returns -ln p of the tokens that follow, with a share spread evenly over all tokens.

    -(1 - s) ln p(y) - s Σ_v ln p(v) / V, float32 (batch, time). Value and gradient come from one
    softmax: over thousands of tokens the loss costs as much as a product otherwise.

    Args:
        logits: float32 (batch, time, tokens).
        following: int32 (batch, time).
        smoothing: s, the share.
    """
    size = logits.shape[-1]

    @tf.custom_gradient
    def nats(logits: tf.Tensor) -> tuple[tf.Tensor, Any]:
        p = tf.nn.softmax(logits)
        # The largest p is at least 1 / V: its logarithm is finite
        normaliser = tf.reduce_max(logits, axis=2) - tf.math.log(tf.reduce_max(p, axis=2))
        chosen = tf.gather(logits, following, batch_dims=2)
        right, all_of_them = (1.0 - smoothing) * chosen, smoothing * tf.reduce_mean(logits, axis=2)

        def gradient(above: tf.Tensor) -> tf.Tensor:
            """Returns p - s / V, less 1 - s at the token that follows, times what comes down."""
            flat = tf.reshape((p - smoothing / size) * above[:, :, None], [-1, size])
            tokens = tf.reshape(following, [-1])
            places = tf.stack([tf.range(tf.size(tokens)), tokens], axis=1)
            less = (smoothing - 1.0) * tf.reshape(above, [-1])
            return tf.reshape(tf.tensor_scatter_nd_add(flat, places, less), tf.shape(logits))

        return normaliser - right - all_of_them, gradient

    return nats(logits)


def coverage(outputs: dict[str, Any], following: Any) -> Any:
    """Returns how much of the attention goes where it has been, float32 (batch, time).

    Σ_j min(a_tj, Σ_u<t a_uj), See, Liu and Manning 2017, equations 10 and 12; the sum over the
    steps before is a cumulative one, as this attention does not read it.
    """
    attention = tf.cast(outputs["attention"], tf.float32)
    before = tf.cumsum(attention, axis=1, exclusive=True)
    again = tf.reduce_sum(tf.minimum(attention, before), axis=2)
    return tf.where(following == 0, 0.0, again)


class TrainingModel(keras.Model):
    """Trains the network by teacher forcing: `fit` reads ({"source", "target"}, following).

    The loss is the mean of -ln p over the tokens of the batch, the ends of sequences included;
    with coverage, of -ln p + weight · `coverage`.

    Args:
        network: what `build` returned.
        coverage_weight: of the coverage in the loss, 0 before the step `coverage_step`.
        coverage_step: number of the training step from which coverage counts: a network that
            has not learned to look anywhere yet learns nothing from it.
        smoothing: share of the probability that the targets spread over all tokens.
    """

    def __init__(
        self,
        network: keras.Model,
        coverage_weight: float = 0.0,
        coverage_step: int = 0,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(name="training")
        self.network = network
        self._coverage = (coverage_weight, coverage_step)
        self._smoothing = smoothing
        self.built = True

    def copy_to(self, network: keras.Model) -> None:
        """Gives a network of the same sizes, in any precision, the weights of this one."""
        ours, theirs = (each.trainable_weights for each in (self.network, network))
        for weight, value in zip(theirs, ours, strict=True):
            if weight is not value:
                weight.assign(value)

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        return self.network(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Returns a replica's share of the loss."""
        if "gate" in y_pred or not self._smoothing:
            nats = -log_likelihood(y_pred, x["source"], y)
        else:
            nats = tf.where(y == 0, 0.0, smoothed_nats(y_pred["logits"], y, self._smoothing))
        if self._smoothing and "gate" in y_pred:
            spread = -tf.reduce_mean(tf.nn.log_softmax(y_pred["logits"]), axis=2)
            spread = tf.where(y == 0, 0.0, spread)
            nats = (1.0 - self._smoothing) * nats + self._smoothing * spread
        weight, step = self._coverage
        if weight:
            now = tf.cast(self.optimizer.iterations, tf.int64) >= step
            nats += weight * tf.cast(now, tf.float32) * coverage(y_pred, y)
        count = tf.math.count_nonzero(y, dtype=tf.float32)
        return replicas.share(tf.reduce_sum(nats), count)


class Decoder:
    """Reads sources and steps through targets with the layers of a network.

    Args:
        network: what `build` returned, also read from a file.
    """

    def __init__(self, network: keras.Model) -> None:
        self._layers = {layer.name: layer for layer in network.layers}
        self._decoder = self._layers["decoder"]
        states = [name for name in self._layers if name.startswith("first_")]
        inputs = network.inputs
        source = next(each for each in inputs if each.name == "source")
        memory = self._decoder.input[1]
        bridges = [self._layers[name].output for name in sorted(states, key=_state_order)]
        self._reader = keras.Model(source, [memory, *bridges])

    def read(self, source: tf.Tensor) -> Memory:
        """Returns the memory of sources int32 (batch, steps), 0 after the end."""
        values, *states = self._reader(source, training=False)
        mask, keys = source != 0, self._decoder.keys(values)
        return Memory(source, values, mask, keys, states)

    def step(self, memory: Memory) -> beam_search.Step:
        """Returns the step of a beam search whose rows have read `memory`."""

        def advance(tokens: tf.Tensor, states: list[tf.Tensor]) -> tuple:
            vectors = self._layers["embedding"](tokens)
            outputs, states, attention = self._decoder.step(
                vectors, states, memory.values, memory.mask, memory.keys
            )
            if "output_projection" in self._layers:
                projected = self._layers["output_projection"](outputs)
                logits = self._layers["embedding"](projected, reverse=True)
            else:
                logits = self._layers["logits"](outputs)
            logits = tf.cast(logits, tf.float32)
            if "gate" not in self._layers:
                return tf.nn.log_softmax(logits), states
            gate = self._layers["gate"](tf.concat([outputs, vectors], axis=2))
            copied = _scattered(tf.cast(attention, tf.float32), memory.source, logits)
            mixed = gate * tf.nn.softmax(logits) + (1.0 - gate) * copied
            return tf.math.log(mixed + _LEAST), states

        return advance


def _state_order(name: str) -> tuple[int, bool]:
    """Sorts `first_h_0`, `first_c_0`, `first_h_1`, … as the decoder takes them."""
    _, kind, depth = name.split("_")
    return int(depth), kind == "c"


def _scattered(attention: tf.Tensor, source: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the attention (batch, beams, steps) by token, as logits (batch, beams, tokens)."""
    shape, size = tf.shape(logits), logits.shape[2]
    sequences = tf.reshape(tf.range(shape[0] * shape[1]), shape[:2])
    places = sequences[:, :, None] * size + source[:, None, :]
    total = tf.reduce_prod(shape)
    flat = (tf.reshape(each, [-1]) for each in (attention, places))
    return tf.reshape(tf.math.unsorted_segment_sum(*flat, total), shape)
