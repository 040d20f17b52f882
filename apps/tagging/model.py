"""The tagger: vectors of words and letters, recurrent layers, scores of tags for each word.

e_t = [E[word_t], max over the letters of word_t]     `networks.text_encoder`
y_t = recurrent(e)_t                                  in both directions, one layer or several
x_t = W y_t + b                                       the scores of the tags
tags                                                  best path of a CRF, or best score of each
label                                                 softmax(V summary(y) + d), where asked for
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

import lstm_layers
from apps.suite.networks import sequence_encoder, text_encoder
from apps.suite.networks.config import EncoderConfig
from apps.suite.networks.step_summary import StepSummary
from apps.suite.texts import tag_schemes
from apps.suite.texts import words as vocabularies
from apps.tagging import config as configs

CRF = "crf"  # name of the layer that others look for


@keras.saving.register_keras_serializable(package="lstm_tasks")
class Decision(keras.layers.Layer):
    """Hands scores (batch, time, tags) on, and holds what decides between the first tag and others.

    The sequence of the highest probability has the fewest wrong tags. The best F1 of all tags but
    "O" wants more of them than that: whoever decides takes `outside`, a number in nats that the
    validation part chooses, off the scores of "O" first (`decided`). Probabilities do not change.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True

    def build(self, *_: Any) -> None:
        self.outside = self.add_weight(
            name="outside", shape=(), initializer="zeros", trainable=False
        )
        self.built = True

    def call(self, scores: Any) -> Any:
        return scores

    def decided(self, scores: Any) -> Any:
        """Returns scores that are lower by `outside` at the first tag."""
        first = ops.cast(ops.arange(scores.shape[-1]) == 0, scores.dtype)
        return scores - ops.cast(self.outside, scores.dtype) * first


def build(
    config: configs.Config,
    vocabulary: vocabularies.Vocabulary,
    tag_names: Sequence[str],
    scheme: str,
    label_count: int = 0,
) -> keras.Model:
    """Builds the network.

    Args:
        config: kinds and sizes.
        vocabulary: that numbers words and letters.
        tag_names: of the model's tags, `Corpus.tag_names`.
        scheme: of the data; "plain" has no rules for the CRF.
        label_count: labels of sentences; 0 = none is asked for.

    Returns:
        A model of "word_ids" int32 (batch, time) and "letter_ids" int32 (batch, time, letters),
        both 0 after the end, to scores float32 (batch, time, tags); with labels to a list of
        these scores and logits float32 (batch, labels). The layer "crf", if any, decodes.

    Raises:
        UserError: the file of word vectors cannot be read.
    """
    settings = config.model
    words = keras.Input((None,), dtype="int32", name="word_ids")
    letters = keras.Input((None, None), dtype="int32", name="letter_ids")
    vectors, counted = text_encoder.embed(
        words,
        letters,
        config.text,
        word_count=vocabulary.word_count,
        letter_count=vocabulary.letter_count,
        seed=config.seed,
    )
    encoder = EncoderConfig(
        layer=settings.layer,
        layer_count=settings.layer_count,
        units=settings.units,
        dropout=settings.dropout,
        input_dropout=settings.input_dropout,
    )
    encoded = sequence_encoder.encode_vectors(vectors, counted, encoder, per_step=True)
    scores = keras.layers.Dense(len(tag_names), name="scores")(encoded)
    if settings.decision == "f1" and tag_names[0] == "O":
        scores = Decision(name="decision")(scores)
    if settings.output == "crf":
        rules: dict[str, Any] = {}
        if scheme != "plain" and "B" not in tag_names:
            rules = lstm_layers.forbidden_by(tag_schemes.INSIDE, tag_names)
        scores = lstm_layers.CRF(len(tag_names), returns="scores", name=CRF, **rules)(scores)
    else:
        scores = scores + 0.0  # an operation hands no mask on, and the loss has none of its own
    answer: Any = scores
    if label_count:
        summary = StepSummary("mean_max", name="summary")(encoded, counted)
        answer = [scores, keras.layers.Dense(label_count, name="label")(summary)]
    built = keras.Model({"word_ids": words, "letter_ids": letters}, answer, name="tagger")
    if settings.vectors:
        file = Path(settings.vectors).expanduser()
        text_encoder.begin_with(built.get_layer("word_embedding"), file, vocabulary)
    return built


def compiled(
    network: keras.Model, optimizer: Any, config: configs.Config, mean_words: float
) -> keras.Model:
    """Compiles a network: the nats of a sentence's tags and those of its label.

    Args:
        network: what `build` returned.
        optimizer: of Keras.
        config: of the run.
        mean_words: by which the nats of the tags are divided, so that they are about those of a
            word; a constant, since long sentences count by their words.
    """
    nats = tag_nats(network)

    def of_tags(tags: Any, scores: Any) -> Any:
        return nats(tags, scores) / mean_words

    loss: Any = of_tags
    weights = None
    if len(network.outputs) > 1:
        loss = [of_tags, keras.losses.SparseCategoricalCrossentropy(from_logits=True)]
        weights = [1.0, config.model.label_weight]
    network.compile(optimizer, loss, loss_weights=weights, jit_compile=config.training.jit_compile)
    return network


def tag_nats(network: keras.Model) -> Callable[[Any, Any], Any]:
    """Returns a function of tags (batch, time) and scores to nats (batch,), but those below 0."""
    crf = crf_of(network)

    def nats(tags: Any, scores: Any) -> Any:
        if crf is not None:
            return crf.negative_log_likelihood(scores, tags)
        each = keras.losses.sparse_categorical_crossentropy(
            ops.maximum(tags, 0), scores, from_logits=True
        )
        return ops.sum(ops.where(tags >= 0, each, 0.0), axis=1)

    return nats


def crf_of(network: keras.Model) -> lstm_layers.CRF | None:
    """Returns the layer that decodes, or None where each word is tagged by itself."""
    return next((layer for layer in network.layers if layer.name == CRF), None)


def decision_of(network: keras.Model) -> Decision | None:
    """Returns the layer that holds what decides, or None where probabilities alone do."""
    return next((layer for layer in network.layers if isinstance(layer, Decision)), None)
