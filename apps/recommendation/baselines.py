"""What the network has to beat: popularity, repetition, transitions, similar histories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from apps.recommendation import (
    config as configs,
)
from apps.recommendation import (
    item_transitions,
    measures,
    popularity,
    ranking,
    session_neighbours,
)
from apps.recommendation.data import Dataset
from apps.recommendation.histories import Queries

_CHOICE_QUERIES = 2_000  # most of validation that a choice looks at; a score takes about 1 ms
_RECENT_SHARES = (0.5, 0.25, 0.1, 0.05, 0.02)
_DECAYS = (0.0, 0.5, 0.9, 1.0)
_REPEAT_DECAYS = (0.5, 0.8, 0.95, 1.0)
_REACHES = (1, 10)
_SAMPLES = (1_000, None)


class Baseline(Protocol):
    """Gives every item a score for a history; `chosen` says what validation has chosen."""

    @property
    def chosen(self) -> str: ...

    def scores(self, queries: Queries) -> np.ndarray:
        """float32 (queries, items); column 0 is the item of code 1."""


def fit(dataset: Dataset, config: configs.Config) -> dict[str, Baseline]:
    """All baselines, learned from train, with the settings of the best NDCG@10 on validation.

    - popularity: events in train.
    - recent_popularity: events in the last share of train; left out where the log has no times.
    - repeated_items: what the history holds already, then popularity.
    - markov: see `item_transitions`.
    - session_knn: see `session_neighbours`; k of `evaluation.nearest_histories`.

    Each also tries, last, to hide what the history holds (`Unseen`). What a baseline cannot tell
    apart stands in the order of popularity, as in a list that is shown.
    """
    train, items = dataset.train, len(dataset.item_names)
    queries = dataset.validation.sample(
        min(_CHOICE_QUERIES, config.evaluation.validation_queries), config.seed
    )
    order = popularity.in_order(dataset.item_counts)
    candidates: dict[str, Iterable[Baseline]] = {
        "popularity": [popularity.Popularity(order)],
        "repeated_items": (popularity.RepeatedItems(order, decay) for decay in _REPEAT_DECAYS),
        "markov": (
            item_transitions.Transitions(matrix, order, reach, decay)
            for reach in _REACHES
            for matrix in [item_transitions.probabilities(train, items, reach)]
            for decay in _DECAYS
        ),
        "session_knn": (
            session_neighbours.SessionNeighbours(matrix, order, k, sample)
            for matrix in [session_neighbours.by_recency(train, items)]
            for k in config.evaluation.nearest_histories
            for sample in (_SAMPLES if train.times is not None else (None,))
        ),
    }
    if train.times is not None:
        candidates["recent_popularity"] = (
            popularity.Popularity(
                popularity.in_order(popularity.recent_counts(train, items, share)),
                chosen=f"the last {share:.0%} of the events",
            )
            for share in _RECENT_SHARES
        )
    return {name: _best(tried, queries, items, config) for name, tried in candidates.items()}


@dataclass(frozen=True)
class Unseen:
    """A baseline that doesn't recommend what the history holds."""

    baseline: Baseline

    @property
    def chosen(self) -> str:
        return ", ".join(filter(None, [self.baseline.chosen, "nothing twice"]))

    def scores(self, queries: Queries) -> np.ndarray:
        """float32 (queries, items); what was seen is below all else."""
        scores = self.baseline.scores(queries)
        rows, codes = queries.seen(slice(None))
        scores[rows, codes - 1] -= scores.max() - scores.min() + 1
        return scores


def _best(
    tried: Iterable[Baseline], queries: Queries, items: int, config: configs.Config
) -> Baseline:
    """The first of those with the highest NDCG@10."""

    def quality(baseline: Baseline) -> float:
        answered = ranking.ranked(
            baseline.scores,
            queries,
            items,
            exclude_seen=config.evaluation.exclude_seen,
            top_count=1,
            rows_per_block=config.evaluation.rows_per_block,
        )
        return measures.of_ranks(answered.ranks)[measures.PRIMARY]

    best, highest = None, -1.0
    for baseline in tried:
        found = quality(baseline)
        if found > highest:
            best, highest = baseline, found
    assert best is not None
    unseen = Unseen(best)
    return unseen if quality(unseen) > highest else best
