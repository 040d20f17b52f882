"""Asks the model and the baselines the same queries, and measures their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from apps.recommendation import config as configs
from apps.recommendation import ranking
from apps.recommendation.data import Dataset
from apps.suite.evaluation import comparison


class Answered(NamedTuple):
    """The ranking by the config, and the one with `evaluation.exclude_seen` the other way."""

    ranked: ranking.Ranked
    other: ranking.Ranked


def answer(score_block: ranking.ScoreBlock, dataset: Dataset, config: configs.Config) -> Answered:
    """Asks all test queries."""
    found = ranking.ranked_both_ways(
        score_block,
        dataset.test,
        len(dataset.item_names),
        rows_per_block=config.evaluation.rows_per_block,
    )
    return Answered(*(reversed(found) if config.evaluation.exclude_seen else found))


def on_validation(
    score_block: ranking.ScoreBlock, dataset: Dataset, config: configs.Config
) -> dict[str, float]:
    """Returns `ranking.measures_of_ranks` of the validation sample that judges a checkpoint."""
    answered = ranking.ranked(
        score_block,
        dataset.validation.sample(config.evaluation.validation_queries, config.seed),
        len(dataset.item_names),
        exclude_seen=config.evaluation.exclude_seen,
        top_count=1,
        rows_per_block=config.evaluation.rows_per_block,
    )
    return ranking.measures_of_ranks(answered.ranks)


def metrics(
    dataset: Dataset, config: configs.Config, answered: Mapping[str, Answered]
) -> dict[str, Any]:
    """Returns the arguments of `run_folder.RunFolder.write_metrics`.

    Args:
        dataset: all parts.
        config: of the run.
        answered: by name, the model's under `comparison.MODEL`.
    """
    scores = {name: _scores(dataset, config, each) for name, each in answered.items()}
    test = {
        **scores.pop(comparison.MODEL),
        "queries": len(dataset.test),
        "right_items": len(dataset.test.targets),
        "right_items_that_are_cold": int((dataset.test.targets == 0).sum()),
    }
    examples = {
        "train": len(dataset.train.items),
        "validation": len(dataset.validation.targets),
        "test": len(dataset.test.targets),
    }
    counts = dict(dataset.counts)
    return comparison.metrics(
        examples, dataset.split, "events", ranking.PRIMARY, test, scores, counts=counts
    )


def _scores(dataset: Dataset, config: configs.Config, answered: Answered) -> dict[str, float]:
    """Returns metrics over all right items, then over items with a code, then the other way."""
    ranks, known = answered.ranked.ranks, dataset.test.targets > 0
    all_items, known_items = (
        ranking.measures_of_ranks(ranks),
        ranking.measures_of_ranks(ranks[known]),
    )
    other = ranking.measures_of_ranks(answered.other.ranks)
    way = "seen_included" if config.evaluation.exclude_seen else "seen_excluded"
    return {
        **all_items,
        **ranking.measures_of_lists(answered.ranked.top, dataset.item_counts),
        f"{ranking.PRIMARY}_known_items": known_items[ranking.PRIMARY],
        f"{ranking.PRIMARY}_{way}": other[ranking.PRIMARY],
        f"recall_at_10_{way}": other["recall_at_10"],
    }
