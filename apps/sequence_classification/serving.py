"""Builds the signatures of the export, which take sequences or texts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import tensorflow as tf

from apps.sequence_classification import scoring, trained_model
from apps.suite.sequence_answers import served as served_sequences

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
        scorer=scoring.of_trained(trained),
        head="logits",
        answer=answer,
        step_answer=after_steps,
        settings={
            "label_names": list(trained.label_names),
            "per": trained.config.target.per,
            "data_format": dataclasses.asdict(trained.config.data_format),
        },
    )
