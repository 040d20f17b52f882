"""Builds the signatures of the export, which take sequences or texts, and their requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.sequence_classification import scoring, trained_model
from apps.suite.sequence_answers import served as served_sequences
from apps.suite.sequence_answers import smoothing
from apps.suite.sequences import members
from apps.suite.serving import warmup_requests

_ANSWER = {
    "label": "string[…]",  # [b], or [b, time] with labels by step
    "label_names": "string[labels]",
    "probabilities": "float32[…]",  # one side more than the labels
}
_AFTER_STEPS = {
    "label": "string[b]",
    "label_names": "string[labels]",
    "probabilities": "float32[b, steps, labels]",
}
SIGNATURES, TEXT_SIGNATURES = served_sequences.described(_ANSWER, _AFTER_STEPS)
"""See `served.described`; a model of texts has the second ones."""


def served(run: Path) -> served_sequences.ServedSequences:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return of_model(trained_model.load(run))


def of_model(trained: trained_model.TrainedModel) -> served_sequences.ServedSequences:
    """Builds the signatures over what training left."""
    names = tf.constant(list(trained.label_names))
    logits = members.step_outputs(trained.model, "logits")

    def answer(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "label": tf.gather(names, tf.argmax(probabilities, axis=-1)),
            "label_names": names,
            "probabilities": probabilities,
        }

    def after_steps(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        newest = tf.gather(names, tf.argmax(probabilities[:, -1], axis=-1))
        return {**answer(probabilities), "label": newest}

    return served_sequences.ServedSequences(
        trained,
        outputs=scoring.scorer(trained).of_batch,
        step_outputs=lambda vectors: tf.nn.softmax(logits(vectors)),
        answer=answer,
        step_answer=after_steps,
        settings={
            "label_names": list(trained.label_names),
            "per": trained.config.target.per,
        },
    )


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several sequences or texts, with the answers of Keras."""
    names = np.array([name.encode() for name in trained.label_names], object)

    def answers(logits: np.ndarray) -> dict[str, np.ndarray]:
        probabilities = tf.nn.softmax(logits).numpy()
        return {
            "label": names[probabilities.argmax(axis=-1)],
            "label_names": names,
            "probabilities": probabilities,
        }

    def after_steps(logits: np.ndarray) -> dict[str, np.ndarray]:
        found = answers(logits)
        return {**found, "label": found["label"][:, -1]}

    def smoothed(values: np.ndarray) -> np.ndarray:
        """Returns logits of the smoothed probabilities."""
        assert trained.smooth is not None
        found = tf.nn.softmax(trained.model(values, training=False))
        counted = np.isfinite(values).any(axis=-1)
        return tf.math.log(smoothing.smoothed(found, counted, *trained.smooth)).numpy()

    return served_sequences.Requests(
        trained,
        outputs=None if trained.smooth is None else smoothed,
        answers=answers,
        step_answers=after_steps,
        step_outputs=members.step_outputs(trained.model, "logits"),
    ).all()
