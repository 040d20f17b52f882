"""Builds the signatures of the export, which take sequences or texts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import tensorflow as tf

from apps.sequence_regression import scoring, trained_model
from apps.suite.sequence_answers import served as served_sequences

_ANSWER = {
    # [b], or [b, time] where every step has a value; one side more for several targets
    "value": "float32[…]",
    "lower": "float32[…]",
    "upper": "float32[…]",
    "target_names": "string[targets]",
}
SIGNATURES, TEXT_SIGNATURES = served_sequences.described(_ANSWER, _ANSWER)
"""See `served.described`; a model of texts has the second ones."""


def served(run: Path) -> served_sequences.ServedSequences:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return of_model(trained_model.load(run))


def of_model(trained: trained_model.TrainedModel) -> served_sequences.ServedSequences:
    """Builds the signatures over what training left."""
    names, config = tf.constant(list(trained.target_names)), trained.config

    def answer(outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        found = scoring.answers(trained, outputs)
        if len(trained.target_names) == 1:
            found = tuple(each[..., 0] for each in found)
        return {
            **dict(zip(("value", "lower", "upper"), found, strict=True)),
            "target_names": names,
        }

    return served_sequences.ServedSequences(
        trained,
        scorer=scoring.scorer(trained.model, config, trained.vocabulary),
        head="quantiles",
        answer=answer,
        settings={
            "target_names": list(trained.target_names),
            "per": config.target.per,
            "remaining": config.target.remaining,
            "coverage": config.intervals.coverage,
            "streams": trained.stream is not None,
            "data_format": dataclasses.asdict(config.data_format),
        },
    )
