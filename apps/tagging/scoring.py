"""Tags sentences: the best tags of a model, their probabilities, the labels' probabilities."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.suite.evaluation import tag_measures
from apps.suite.sequences import batches
from apps.suite.texts import tag_schemes
from apps.tagging import data, model, trained_model

ROWS = 64
_OUTSIDE = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)  # of which `decide` chooses


class Tagged(NamedTuple):
    """Answers to a batch of sentences.

    Attributes:
        tags: int32 (batch, time), numbers of the model's tags; -1 at padding.
        probabilities: float32 (batch, time), of these tags given the whole sentence.
        labels: float32 (batch, labels), probabilities; (batch, 0) without labels.
    """

    tags: tf.Tensor
    probabilities: tf.Tensor
    labels: tf.Tensor


class Decoding(keras.layers.Layer):
    """A network together with what makes tags of its scores: `tagged` as a layer.

    Args:
        network: a tagger.
        name, trainable, dtype: those of `keras.layers.Layer`.
    """

    def __init__(self, network: keras.Model, **options: Any) -> None:
        super().__init__(**options)
        self.network = network

    def call(self, words: Any, letters: Any) -> Tagged:
        return tagged(self.network, words, letters)


def tagged(network: keras.Model, words: tf.Tensor, letters: tf.Tensor) -> Tagged:
    """Tags words int32 (batch, time), with letters int32 (batch, time, letters), 0 for padding."""
    scores, *label = _outputs(network, words, letters)
    mask, crf = words != 0, model.crf_of(network)
    every = tf.nn.softmax(scores) if crf is None else crf.marginals(scores, mask)
    tags = _best(network, scores, mask)
    chosen = keras.ops.take_along_axis(every, tf.maximum(tags, 0)[..., None], axis=2)[..., 0]
    labels = tf.nn.softmax(label[0]) if label else tf.zeros([tf.shape(words)[0], 0])
    return Tagged(tags, tf.where(mask, chosen, 0.0), labels)


def _outputs(network: keras.Model, words: tf.Tensor, letters: tf.Tensor) -> list[tf.Tensor]:
    """Returns scores (batch, time, tags) and, of a model with labels, their logits."""
    inputs = {"word_ids": words, "letter_ids": letters}
    return list(keras.tree.flatten(network(inputs, training=False)))


def _best(network: keras.Model, scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns the best tags int32 (batch, time), -1 at padding."""
    crf, decision = model.crf_of(network), model.decision_of(network)
    scores = scores if decision is None else decision.decided(scores)
    if crf is not None:
        return crf.decode(scores, mask)
    return tf.where(mask, tf.argmax(scores, axis=2, output_type=tf.int32), -1)


class Answers(NamedTuple):
    """Answers to sentences, in the data's scheme.

    Attributes:
        tags: of the words of each sentence.
        probabilities: of these tags, float32 [words] each.
        labels: float32 (sentences, labels).
    """

    tags: list[list[str]]
    probabilities: list[np.ndarray]
    labels: np.ndarray


def answers(trained: trained_model.TrainedModel, encoded: data.Encoded, ask: Any = None) -> Answers:
    """Tags encoded sentences, those of about equal length together; `ask` is that of `asking`."""
    ask = ask or asking(trained.model)
    lengths = np.diff(encoded.starts)
    found: list[Any] = [None] * len(lengths)
    names = np.array([*trained.tag_names, "O"], object)
    for chosen in batches.in_order(lengths, ROWS):
        words, letters, _ = data.padded(encoded, chosen)
        tags, probabilities, labels = (each.numpy() for each in ask(words, letters))
        for row, index in enumerate(chosen):
            length = lengths[index]
            inside = list(names[tags[row, :length]])
            spelled = tag_schemes.from_inside(inside, trained.scheme)
            found[index] = spelled, probabilities[row, :length], labels[row]
    tags_of, probabilities_of, labels_of = zip(*found, strict=True)
    return Answers(list(tags_of), list(probabilities_of), np.stack(labels_of))


def asking(network: keras.Model) -> Any:
    """Returns `tagged` of a network as one graph for all sizes."""
    spec = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None, None], tf.int32)]
    ask = functools.partial(tagged, network)
    return tf.function(ask, autograph=False, input_signature=spec)


def decide(
    trained: trained_model.TrainedModel, encoded: data.Encoded, right: tag_measures.Tags
) -> float:
    """Puts into the model's `Decision` what gives the best F1, and returns it, in nats.

    Args:
        trained: a tagger with a `Decision`.
        encoded, right: sentences of the validation part, and their tags.
    """
    decision, ask = model.decision_of(trained.model), asking(trained.model)
    assert decision is not None

    def f1(nats: float) -> float:
        decision.outside.assign(nats)
        tags = answers(trained, encoded, ask).tags
        return tag_measures.total(tag_measures.by_type(right, tags, trained.scheme)).f1

    best = max(_OUTSIDE, key=f1)  # the first of equals
    decision.outside.assign(best)
    return best


class Validation:
    """Scores a network on encoded sentences, as often as it is called, by one graph.

    Args:
        network: a tagger that is being trained.
        encoded: sentences of the validation part.
    """

    def __init__(self, network: keras.Model, encoded: data.Encoded) -> None:
        self._encoded = encoded
        nats = model.tag_nats(network)

        def sums(words: Any, letters: Any, tags: Any, labels: Any) -> tf.Tensor:
            scores, *label = _outputs(network, words, letters)
            right = (_best(network, scores, words != 0) == tags) & (tags >= 0)
            found = [tf.reduce_sum(nats(tags, scores)), tf.math.count_nonzero(right)]
            for logits in label:
                best = tf.argmax(logits, axis=1, output_type=tf.int32)
                known = tf.maximum(labels, 0)
                each = tf.nn.sparse_softmax_cross_entropy_with_logits(known, logits)
                found += [tf.reduce_sum(each), tf.math.count_nonzero(best == labels)]
            return tf.stack([tf.cast(each, tf.float64) for each in found])

        spec = [tf.TensorSpec([None] * rank, tf.int32) for rank in (2, 3, 2, 1)]
        self._sums = tf.function(sums, autograph=False, input_signature=spec)

    def __call__(self) -> dict[str, float]:
        """Returns the mean nats of a word, with those of a label, and the shares that are right."""
        encoded, lengths = self._encoded, np.diff(self._encoded.starts)
        sums = sum(
            self._sums(*data.padded(encoded, chosen), encoded.labels[chosen]).numpy()
            for chosen in batches.in_order(lengths, ROWS)
        )
        nats, right, *of_labels = sums / max(1, int((encoded.tags >= 0).sum()))
        if not of_labels:
            return {"loss": nats, "accuracy": right}
        label_nats, label_right = sums[2:] / len(lengths)
        return {"loss": nats + label_nats, "accuracy": right, "label_accuracy": label_right}
