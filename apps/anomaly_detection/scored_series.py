"""Scores of many series, kept on disk where they are long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import growing_arrays, scoring, series, trained_model

MOST_NUMBERS = 20_000_000
"""Values of a series, steps times columns, up to which it is scored in memory."""


class ScoredSeries(NamedTuple):
    """Of one series: what a report and a list of events are made of.

    Attributes:
        scores: float32 [time].
        valid: bool [time], steps that have a score.
        contributions: float32 [time, features], adding up to the score; a mapped file where the
            series is long.
    """

    scores: np.ndarray
    valid: np.ndarray
    contributions: np.ndarray


def score(
    trained: trained_model.TrainedModel, many: Sequence[series.Series], folder: Path
) -> list[ScoredSeries]:
    """Scores of each series; `folder` takes the contributions of long ones, as long as they last.

    Short series are read side by side, long ones in blocks.
    """
    short = [one for one in many if one.values.size <= MOST_NUMBERS]
    together = iter(scoring.score_all(trained, short))
    found = []
    for at, one in enumerate(many):
        if one.values.size <= MOST_NUMBERS:
            whole = next(together)
            found.append(ScoredSeries(whole.scores, whole.valid, whole.contributions))
        else:
            found.append(_in_blocks(trained, one, folder / f"contributions-{at}"))
    return found


def _in_blocks(trained: trained_model.TrainedModel, one: series.Series, file: Path) -> ScoredSeries:
    scores = growing_arrays.GrowingArray(np.float32)
    valid = growing_arrays.GrowingArray(np.bool_)
    contributions = growing_arrays.GrowingArray(np.float32, one.values.shape[1], file)
    for block in scoring.blocks(trained, one):
        scores.append(block.scores)
        valid.append(block.valid)
        contributions.append(block.contributions)
    return ScoredSeries(scores.finish(), valid.finish(), contributions.finish())
