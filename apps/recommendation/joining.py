"""Joins a trained network with transitions; validation chooses how much they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation import model as networks
from apps.recommendation import ranking, trained_model, transitions
from apps.recommendation.data import Dataset
from apps.recommendation.histories import Queries
from apps.suite.export import trained_run
from apps.suite.runs import files, run_folder

_CHOICE_QUERIES = 2_000  # most of validation that a choice looks at
_MOST_SCORES = 1 << 27  # of the network, queries times items, that are kept in memory: 512 MB
# Numbers that are tried, in the order of a walk from the one that is best so far. The weights of
# the first walk belong to a power of the evidence: counts are larger than their shares.
_WEIGHTS = (0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_FIRST_WEIGHTS = {0.0: 1e-3, 0.5: 0.1, 1.0: 0.3}
_FURTHER: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("seen", (0.0, 2.0, 5.0, 20.0)),
    ("decay", (0.0, 0.25, 0.5, 0.75, 0.9)),
    ("reach", (1, 3, 10)),
    ("weight", _WEIGHTS),
)


def join(folder: run_folder.RunFolder[configs.Config], dataset: Dataset) -> str:
    """Writes the run's best weights joined with transitions to model.keras.

    A model that is joined already is joined anew, from its network.

    Returns:
        A line on what validation has chosen.
    """
    config = folder.config
    network = networks.network_alone(trained_run.model(folder))
    most = min(_CHOICE_QUERIES, config.evaluation.validation_queries)
    most = max(1, min(most, _MOST_SCORES // len(dataset.item_names)))
    queries = dataset.validation.sample(most, config.seed)
    joined, mixture, reached, alone = chosen(network, dataset, config, queries)
    with files.replacing(folder.model_file) as partial:
        joined.save(partial)
    return (
        f"transitions: NDCG@10 {alone:.4f} -> {reached:.4f} on {len(queries):,} validation queries "
        f"({mixture})"
    )


@dataclass(frozen=True)
class Part:
    """One of the two that are joined, by itself: a `baselines.Baseline`."""

    scorer: trained_model.Scorer
    chosen: str = ""

    def scores(self, queries: Queries) -> np.ndarray:
        """Returns float32 (queries, items)."""
        return self.scorer(queries)


def parts(trained: trained_model.TrainedModel) -> dict[str, Part]:
    """Returns what a joined model is made of, each by itself; nothing of another model.

    - network_alone: as it was trained.
    - transitions_alone: the counts, with the popularity in place of the network.
    """
    layer = networks.layers_of(trained.model).get("transitions")
    if layer is None:
        return {}
    counts = np.maximum(np.asarray(trained.item_counts, np.float64), 0.5)
    popularity = tf.constant(np.log(counts / counts.sum()), tf.float32)

    def of_transitions(history: Any, training: bool = False) -> Any:
        shape = [tf.shape(history)[0], len(counts)]
        return layer(tf.broadcast_to(popularity, shape), history)

    longest = trained.config.model.history_items
    return {
        "network_alone": Part(trained_model.Scorer(networks.network_alone(trained.model), longest)),
        "transitions_alone": Part(
            trained_model.Scorer(of_transitions, longest), str(layer.mixture)
        ),
    }


def chosen(
    network: keras.Model, dataset: Dataset, config: configs.Config, queries: Queries
) -> tuple[keras.Model, transitions.Mixture, float, float]:
    """Chooses the mixture with the highest NDCG@10.

    Each number goes up or down a list while that helps: the weight first, for each power of the
    evidence, then the others in turn.

    Args:
        network: of `model.build`, trained.
        dataset: train part and items.
        config: of the run.
        queries: of validation.

    Returns:
        The joined model, its mixture, its NDCG@10 and that of the network alone.
    """
    joined = _Joined(network, dataset, config, queries)
    alone = transitions.Mixture(weight=0.0)
    found = {alone: joined.quality(alone)}

    def walk(mixture: transitions.Mixture, name: str, tried: Sequence[float]) -> None:
        """Goes from a mixture to better neighbours, in both directions of one number."""
        for direction in (1, -1):
            while True:
                at = tried.index(getattr(mixture, name)) + direction
                if not 0 <= at < len(tried):
                    break
                changed: dict[str, Any] = {name: tried[at]}
                neighbour = mixture._replace(**changed)
                if neighbour not in found:
                    found[neighbour] = joined.quality(neighbour)
                if found[neighbour] <= found[mixture]:
                    break
                mixture = neighbour

    for evidence, weight in _FIRST_WEIGHTS.items():
        first = alone._replace(evidence=evidence, weight=weight)
        found[first] = joined.quality(first)
        walk(first, "weight", _WEIGHTS)
    for name, tried in _FURTHER:
        walk(max(found, key=found.__getitem__), name, tried)
    best = max(found, key=found.__getitem__)  # the first of equals
    joined.mix(best)
    return joined.model, best, found[best], found[alone]


class _Joined:
    """A network with transitions, measured on queries that the network has answered once."""

    def __init__(
        self, network: keras.Model, dataset: Dataset, config: configs.Config, queries: Queries
    ) -> None:
        self._dataset, self._config, self._queries = dataset, config, queries
        self._items = len(dataset.item_names)
        self.model = networks.joined(network, min(config.model.transitions, self._items))
        self._layer = self.model.get_layer("transitions")
        self._counted: dict[int, transitions.Successors] = {}
        self._answer = tf.function(
            lambda scores, history: self._layer(scores, history),
            input_signature=[
                tf.TensorSpec((None, self._items), tf.float32),
                tf.TensorSpec((None, None), tf.int32),
            ],
            autograph=False,
        )
        scorer = trained_model.Scorer(network, config.model.history_items)
        self._scores: list[np.ndarray] = []

        def keep(block: Queries) -> np.ndarray:
            self._scores.append(scorer(block))
            return self._scores[-1]

        self._ranked(keep)

    def mix(self, mixture: transitions.Mixture) -> None:
        """Gives the layer the counts and numbers of a mixture."""
        if mixture.reach not in self._counted:
            self._counted[mixture.reach] = transitions.successors(
                self._dataset.train,
                self._config.split,
                self._items,
                mixture.reach,
                self._layer.width,
            )
        self._layer.mix(self._counted[mixture.reach], mixture)

    def quality(self, mixture: transitions.Mixture) -> float:
        """Returns the NDCG@10 of a mixture."""
        self.mix(mixture)
        scores = iter(self._scores)

        def joined(block: Queries) -> np.ndarray:
            history = block.recent(slice(None), self._config.model.history_items)
            return self._answer(next(scores), history).numpy()

        return self._ranked(joined)

    def _ranked(self, score_block: ranking.ScoreBlock) -> float:
        evaluation = self._config.evaluation
        answered = ranking.ranked(
            score_block,
            self._queries,
            self._items,
            exclude_seen=evaluation.exclude_seen,
            top_count=1,
            rows_per_block=evaluation.rows_per_block,
        )
        return ranking.measures_of_ranks(answered.ranks)[ranking.PRIMARY]
