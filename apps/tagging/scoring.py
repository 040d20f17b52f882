"""Tags sentences: the best tags of a model, their probabilities, the labels' probabilities."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.tagging import data, model, schemes, trained_model

ROWS = 64


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


def tagged(network: keras.Model, words: tf.Tensor, letters: tf.Tensor) -> Tagged:
    """Tags words int32 (batch, time), with letters int32 (batch, time, letters), 0 for padding."""
    found: Any = network({"word_ids": words, "letter_ids": letters}, training=False)
    scores, *label = found if isinstance(found, list) else [found]
    mask, crf = words != 0, model.crf_of(network)
    if crf is None:
        every = tf.nn.softmax(scores)
        tags = tf.where(mask, tf.argmax(scores, axis=2, output_type=tf.int32), -1)
    else:
        tags, every = crf.decode(scores, mask), crf.marginals(scores, mask)
    chosen = tf.gather(every, tf.maximum(tags, 0), axis=2, batch_dims=2)
    labels = tf.nn.softmax(label[0]) if label else tf.zeros([tf.shape(words)[0], 0])
    return Tagged(tags, tf.where(mask, chosen, 0.0), labels)


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


def answers(trained: trained_model.TrainedModel, encoded: data.Encoded) -> Answers:
    """Tags encoded sentences, those of about equal length together."""
    from apps.suite.sequences import batches

    ask = asking(trained.model)
    lengths = np.diff(encoded.starts)
    found: list[Any] = [None] * len(lengths)
    names = np.array([*trained.tag_names, "O"], object)
    for chosen in batches.in_order(lengths, ROWS):
        words, letters, _ = data.padded(encoded, chosen)
        tags, probabilities, labels = (each.numpy() for each in ask(words, letters))
        for row, index in enumerate(chosen):
            length = lengths[index]
            inside = list(names[tags[row, :length]])
            spelled = schemes.from_inside(inside, trained.scheme)
            found[index] = spelled, probabilities[row, :length], labels[row]
    tags_of, probabilities_of, labels_of = zip(*found, strict=True)
    return Answers(list(tags_of), list(probabilities_of), np.stack(labels_of))


def timed_answers(
    trained: trained_model.TrainedModel, encoded: data.Encoded
) -> tuple[Answers, float]:
    """Returns `answers`, and how many words a second they took, by whole batches."""
    began = time.perf_counter()
    found = answers(trained, encoded)
    return found, len(encoded.words) / (time.perf_counter() - began)


def asking(network: keras.Model) -> Any:
    """Returns `tagged` of a network as one graph for all sizes."""
    spec = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None, None], tf.int32)]
    return tf.function(
        lambda words, letters: tagged(network, words, letters),
        autograph=False,
        input_signature=spec,
    )


def losses(network: keras.Model, encoded: data.Encoded) -> dict[str, float]:
    """Returns the mean nats of a word's tag, its accuracy, and those of the labels if there are.

    Args:
        network: a tagger.
        encoded: sentences of the validation part.
    """
    from apps.suite.sequences import batches

    lengths = np.diff(encoded.starts)
    right = nats = known = label_right = label_nats = 0.0
    of_scores = _nats(network)
    ask = asking(network)
    for chosen in batches.in_order(lengths, ROWS):
        words, letters, tags = data.padded(encoded, chosen)
        found = ask(words, letters)
        nats += float(tf.reduce_sum(of_scores(words, letters, tags)))
        right += float(((found.tags.numpy() == tags) & (tags >= 0)).sum())
        known += float((tags >= 0).sum())
        if found.labels.shape[1]:
            of_rows, true = found.labels.numpy(), encoded.labels[chosen]
            label_right += float((of_rows.argmax(axis=1) == true).sum())
            shares = of_rows[np.arange(len(true)), np.maximum(true, 0)]
            label_nats -= float(np.log(np.maximum(shares, 1e-30)).sum())
    values = {"loss": nats / max(known, 1.0), "accuracy": right / max(known, 1.0)}
    if found.labels.shape[1]:
        values["loss"] += label_nats / len(lengths)
        values["label_accuracy"] = label_right / len(lengths)
    return values


def _nats(network: keras.Model) -> Any:
    """Returns a function of words, letters and tags to the nats of the tags, float32 (batch,)."""
    nats = model.tag_nats(network)

    def asked(words: tf.Tensor, letters: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
        found: Any = network({"word_ids": words, "letter_ids": letters}, training=False)
        return nats(tags, found[0] if isinstance(found, list) else found)

    spec = [tf.TensorSpec([None] * rank, tf.int32) for rank in (2, 3, 2)]
    return tf.function(asked, autograph=False, input_signature=spec)
