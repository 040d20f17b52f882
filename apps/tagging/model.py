"""The tagger: vectors of words and letters, recurrent layers, scores of tags for each word.

e_t = [E[word_t], max over the letters of word_t]     `networks.text_encoder`
y_t = recurrent(e)_t                                  in both directions, one layer or several
x_t = W y_t + b                                       the scores of the tags
tags                                                  best path of a CRF, or best score of each
label                                                 softmax(V summary(y) + d), where asked for

Several members each have all of this but the CRF. They learn side by side, each by the likelihood
that the CRF gives its own scores; the mean of their scores answers: the geometric mean of their
distributions over all paths.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

import lstm_layers
from apps.suite.networks import sequence_encoder, text_encoder
from apps.suite.networks.config import EncoderConfig
from apps.suite.networks.step_summary import StepSummary
from apps.suite.sequences import members
from apps.suite.texts import tag_schemes
from apps.suite.texts import words as vocabularies
from apps.tagging import config as configs

CRF = "crf"  # name of the layer that others look for
_OF_ENCODER = ("layer", "layer_count", "units", "dropout", "input_dropout")
_MEMBERS = "members_"  # and of those that hold the members' outputs side by side


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
    built = [
        _network(config, vocabulary, len(tag_names), label_count, number)
        for number in range(config.training.members)
    ]
    inputs, outputs = built[0].input, built[0].outputs
    if len(built) > 1:
        inputs = _inputs()
        answers = [keras.tree.flatten(member(inputs)) for member in built]
        outputs = [
            ops.mean(members.Stacked(name=f"{_MEMBERS}{at}")(each), axis=1)
            for at, each in enumerate(zip(*answers, strict=True))
        ]
    scores, *label = outputs
    if settings.decision == "f1" and tag_names[0] == "O":
        scores = Decision(name="decision")(scores)
    if settings.output == "crf":
        rules: dict[str, Any] = {}
        if scheme != "plain" and "B" not in tag_names:
            rules = lstm_layers.forbidden_by(tag_schemes.INSIDE, tag_names)
        scores = lstm_layers.CRF(len(tag_names), returns="scores", name=CRF, **rules)(scores)
    else:
        scores = scores + 0.0  # an operation hands no mask on, and the loss has none of its own
    return keras.Model(inputs, [scores, *label] if label else scores, name="tagger")


def _inputs() -> dict[str, Any]:
    return {
        "word_ids": keras.Input((None,), dtype="int32", name="word_ids"),
        "letter_ids": keras.Input((None, None), dtype="int32", name="letter_ids"),
    }


def _network(
    config: configs.Config,
    vocabulary: vocabularies.Vocabulary,
    tag_count: int,
    label_count: int,
    number: int,
) -> keras.Model:
    """Builds a member: its scores, and its logits of labels where there are any."""
    settings, inputs = config.model, _inputs()
    vectors, counted = text_encoder.embed(
        inputs["word_ids"],
        inputs["letter_ids"],
        config.text,
        word_count=vocabulary.word_count,
        letter_count=vocabulary.letter_count,
        seed=config.seed + number,
    )
    shared = {name: getattr(settings, name) for name in _OF_ENCODER}
    encoder = EncoderConfig(**shared)
    encoded = sequence_encoder.encode_vectors(vectors, counted, encoder, per_step=True)
    outputs = [keras.layers.Dense(tag_count, name="scores")(encoded)]
    if label_count:
        summary = StepSummary("mean_max", name="summary")(encoded, counted)
        outputs.append(keras.layers.Dense(label_count, name="label")(summary))
    network = keras.Model(inputs, outputs, name=f"member_{number}")
    if settings.vectors:
        file = Path(settings.vectors).expanduser()
        text_encoder.begin_with(network.get_layer("word_embedding"), file, vocabulary)
    return network


def compiled(
    network: keras.Model, optimizer: Any, config: configs.Config, mean_words: float
) -> keras.Model:
    """Returns the network that learns, compiled: the nats of a sentence's tags and of its label.

    Args:
        network: what `build` returned, which learns by itself or by its members.
        optimizer: of Keras.
        config: of the run.
        mean_words: by which the nats of the tags are divided, so that they are about those of a
            word; a constant, since long sentences count by their words.
    """
    nats, crf, count = tag_nats(network), crf_of(network), config.training.members
    stacked = [each.output for each in network.layers if each.name.startswith(_MEMBERS)]
    learner = network
    if stacked:
        # Neither changes the scores: the CRF returns them, and its weights are those that learn
        scores = (stacked[0] + 0.0) if crf is None else crf(stacked[0])
        learner = keras.Model(network.input, [scores, *stacked[1:]], name="tagger_members")

    def apart(outputs: Any) -> list[Any]:
        return [outputs[:, at] for at in range(count)] if stacked else [outputs]

    def of_tags(tags: Any, scores: Any) -> Any:
        return sum(nats(tags, each) for each in apart(scores)) / (count * mean_words)

    def of_label(labels: Any, logits: Any) -> Any:
        nats_of = functools.partial(keras.losses.sparse_categorical_crossentropy, from_logits=True)
        return sum(nats_of(labels, each) for each in apart(logits)) / count

    loss: Any = of_tags
    weights = None
    if len(network.outputs) > 1:
        loss, weights = [of_tags, of_label], [1.0, config.model.label_weight]
    learner.compile(optimizer, loss, loss_weights=weights, jit_compile=config.training.jit_compile)
    return learner


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
