"""Builds the signatures of the export, which translate texts and score translations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.data import text_examples
from apps.suite.export import assets
from apps.suite.networks import beam_search
from apps.suite.sequences import pair_answers
from apps.suite.serving import signatures, warmup_requests
from apps.translation import trained_model

SIGNATURES = {
    "serving_default": signatures.Signature(
        {"text": "string[b]", "beam_width": "int32", "length_penalty": "float32"},
        {"translation": "string[b]", "score": "float32[b]"},
    ),
    "alternatives": signatures.Signature(
        {"text": "string[b]", "count": "int32", "length_penalty": "float32"},
        {"translations": "string[b, n]", "scores": "float32[b, n]"},
    ),
    "align": signatures.Signature(
        {"text": "string[b]", "translation": "string[b]"},
        {
            "source_pieces": "string[b, s]",
            "target_pieces": "string[b, t]",
            "attention": "float32[b, t, s]",
        },
    ),
    "score": signatures.Signature(
        {"text": "string[b]", "translation": "string[b]"}, {"nats_per_token": "float32[b]"}
    ),
    "assets": signatures.ASSETS,
}
"""The translation of an empty text is empty, with the score 0; so are scores of no translation."""


class ServedTranslations:
    """Serves a trained network with the pieces of both sides: strings in and out.

    Args:
        trained: network, pieces and config.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json: what clients need beside the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.trained = trained
        self._bounded = pair_answers.Bounded(
            trained.model,
            trained.source,
            trained.target,
            ratio=trained.length_ratio,
            most_pieces=trained.config.text.most_pieces,
        )
        search = trained.config.search
        self.settings = {
            "languages": list(trained.languages),
            "beam_width": search.beam_width,
            "largest_beam_width": beam_search.LARGEST_WIDTH,
            "length_penalty": trained.length_penalty,
            "most_pieces": trained.config.text.most_pieces,
            "limits": pair_answers.LIMITS,
            text_examples.SETTING: trained.example,
        }
        self.assets = assets.of_settings(self.settings)
        self.saved = self.assets.module(
            "served_translations", trained.model, source=trained.source, target=trained.target
        )

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        text, translation = (
            tf.TensorSpec([None], tf.string, name) for name in ("text", "translation")
        )
        width, count = (tf.TensorSpec([], tf.int32, name) for name in ("beam_width", "count"))
        penalty = tf.TensorSpec([], tf.float32, "length_penalty")
        return self.assets.signatures(
            serving_default=(self.best, [text, width, penalty]),
            alternatives=(self.alternatives, [text, count, penalty]),
            align=(self.align, [text, translation]),
            score=(self.score, [text, translation]),
        )

    def best(
        self, text: tf.Tensor, beam_width: tf.Tensor, length_penalty: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        texts, scores = self._bounded.found(text, beam_width, length_penalty, "beam_width")
        return {"translation": texts[:, 0], "score": scores[:, 0]}

    def alternatives(
        self, text: tf.Tensor, count: tf.Tensor, length_penalty: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Answers signature `alternatives`: the beam is as wide as there are answers."""
        texts, scores = self._bounded.found(text, count, length_penalty, "count")
        return {"translations": texts, "scores": scores}

    def align(self, text: tf.Tensor, translation: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `align`."""
        source, following, scored = self._bounded.scored(text, translation, "translation")
        rows = tf.shape(text)[0]
        return {
            "source_pieces": self.trained.source.strings(source)[:rows],
            "target_pieces": self.trained.target.strings(following)[:rows],
            "attention": tf.where(following[..., None] == 0, 0.0, scored.attention)[:rows],
        }

    def score(self, text: tf.Tensor, translation: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `score`."""
        _, following, scored = self._bounded.scored(text, translation, "translation")
        count = tf.math.count_nonzero(following, axis=1, dtype=tf.float32)
        nats = tf.reduce_sum(scored.nats, axis=1) / count
        return {"nats_per_token": nats[: tf.shape(text)[0]]}


def served(run: Path) -> ServedTranslations:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedTranslations(trained_model.load(run))


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several texts, one of them empty.

    The answers come from Keras, text by text.
    """
    known = [piece.strip() for piece in trained.source.known if piece.strip().isalpha()]
    some = [known[at] for at in np.linspace(0, len(known) - 1, 9).astype(int)] if known else ["a"]
    texts = [" ".join(some[:5]), "", f" {some[-1]}\u00a0Ωmega ", " ".join(some)]
    served, answered = ServedTranslations(trained), warmup_requests.answered
    width = np.int32(trained.config.search.beam_width)
    penalty = {"length_penalty": np.float32(trained.length_penalty)}
    found = []
    for rows in (texts[:1], texts):
        text = {"text": np.array([row.encode() for row in rows], object)}
        best = answered("serving_default", served.best, {**text, "beam_width": width, **penalty})
        pair = {**text, "translation": best.answers["translation"]}
        found += [
            best,
            answered("alternatives", served.alternatives, {**text, "count": width, **penalty}),
            answered("align", served.align, pair),
            answered("score", served.score, pair),
        ]
    return [*found, assets.request()]
