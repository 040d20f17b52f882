"""Writes the words and the examples of recommendation's report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from apps.recommendation import config as configs
from apps.recommendation import ranking
from apps.recommendation.answered_queries import Answered
from apps.recommendation.data import Dataset
from apps.suite.evaluation import comparison, plots, report
from apps.suite.runs import run_folder

_SHOWN = 4  # of a history, and of what was recommended
_EXAMPLES = 4
_FEWEST_ITEMS = 3  # of a history: shorter ones show little
UNIT = "NDCG@10"
_BANDS = 5  # of the items by popularity, each with about as many right answers
_MEANING = {
    "ndcg at 10": "1 / log2(rank + 1) of each right item if it is among the first ten, else 0; the "
    "mean over all right items. 1 = always in the first place; in the tenth place it is 0.29.",
    "recall at 10": "The share of the right items that are among the first ten; also called hit "
    "ratio.",
    "mrr at 10": "1 / rank of each right item if it is among the first ten, else 0; the mean.",
    "… known items": "The same without right items that the training part does not hold. Nobody "
    "can recommend those; in the other figures they are misses.",
    "coverage at 10": "The share of all items that stand in the first ten places for anybody.",
    "popularity at 10": "How popular the first ten are, on average: 1 = the most popular item of "
    "all, 0 = the least popular one.",
    "popularity": "The items with the most events in the training part, for everybody alike.",
    "recent popularity": "The same of the last part of the training part alone.",
    "repeated items": "The items of the history, then the popular ones.",
    "markov": "Counts which item followed which.",
    "network alone": "The network of this model, without the counts that are joined with it.",
    "transitions alone": "The counts that are joined with the network, with popularity in its "
    "place.",
    "session knn": "Recommends what similar histories hold.",
}
_LIMITS = (
    "The test asks what people took, not what they would have taken had it been recommended. Only "
    "an experiment with people tells that.",
    "Items that the training part does not hold are never recommended: train again as they come.",
    "A model of what was taken repeats what was popular; the coverage says how much of the rest it "
    "shows.",
    "One run with one seed: a difference in the third digit may be chance.",
)


class Measured(NamedTuple):
    """Findings of `evaluate` beside its metrics."""

    answered: Mapping[str, Answered]  # by name, the model's under comparison.MODEL
    chosen: Mapping[str, str]  # by baseline, what validation has chosen
    baseline_validation: Mapping[str, float]  # the best baseline's NDCG@10
    parameters: int


def card(
    folder: run_folder.RunFolder[configs.Config],
    dataset: Dataset,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    config, test = folder.config, metrics["test"]
    return report.Card(
        title="Recommendation",
        summary=f"A network of {config.model.layer_count} recurrent "
        f"{'layer' if config.model.layer_count == 1 else 'layers'} that reads a history of items "
        f"and scores each of {len(dataset.item_names):,} items that may come next. It learned from "
        f"{dataset.name}.",
        facts={
            "parameters": f"{measured.parameters:,}",
            "recall at 10": comparison.number(test["recall_at_10"]),
            "coverage at 10": comparison.number(test["coverage_at_10"]),
        },
        data=_data(dataset),
        results=[
            plots.model_and_baselines(folder.plots, metrics, UNIT),
            report.Paragraph(_how_it_was_ranked(config, metrics)),
            report.Table(
                "What the validation part has chosen for the baselines.",
                ["", "chosen"],
                [[name, chosen or "nothing to choose"] for name, chosen in measured.chosen.items()],
            ),
            _by_length(folder, dataset, metrics, measured),
            *_by_popularity(folder, dataset, metrics, measured),
        ],
        learning=[
            plots.learning_curve(
                folder.plots,
                folder.history_file,
                "validation",
                ranking.PRIMARY,
                references=measured.baseline_validation,
                higher_is_better=True,
            ),
            report.Paragraph(
                f"NDCG@10 on at most {config.evaluation.validation_queries:,} validation queries, "
                "on the weights that a stop at this step would keep. The best ones were kept."
            ),
        ],
        examples=example_sections(dataset, measured.answered[comparison.MODEL].ranked),
        meaning=_MEANING,
        limits=_LIMITS,
        serving=_serving(folder, dataset),
        presets=configs.PRESETS,
    )


def _data(dataset: Dataset) -> dict[str, str]:
    counts = dataset.counts
    rows = {
        "Licence": dataset.licence,
        "Source": dataset.source,
        "Log": f"{counts['events']:,} events of {counts['users']:,} users and "
        f"{counts['items']:,} items, in {counts['histories']:,} histories; "
        f"{counts['duplicate_rows']:,} duplicate rows left out",
    }
    for part in ("validation", "test"):
        rows[f"New in the {part} part"] = (
            f"{counts[f'{part}_cold_items']:,} items ({counts[f'{part}_cold_targets']:,} events, "
            f"counted as misses), {counts[f'{part}_cold_users']:,} users; "
            f"{counts[f'{part}_unasked_events']:,} events with nothing before them, not asked"
        )
    if dataset.notes:
        rows["Notes"] = " ".join(dataset.notes)
    return rows


def _how_it_was_ranked(config: configs.Config, metrics: Mapping[str, Any]) -> str:
    test = metrics["test"]
    seen = "seen_included" if config.evaluation.exclude_seen else "seen_excluded"
    kept = "left out of" if config.evaluation.exclude_seen else "kept in"
    other = "in" if config.evaluation.exclude_seen else "out of"
    return (
        f"{test['queries']:,} queries with {test['right_items']:,} right items. Each was "
        "ranked among all items, without the other right ones of its query; ties count against us. "
        f"Items of the history were {kept} the ranking; with them {other} it, the model's NDCG@10 "
        f"is {comparison.number(test[f'ndcg_at_10_{seen}'])}. "
        f"{test['right_items_that_are_cold']:,} right items are not in the training part and count "
        "as misses; without these it is "
        f"{comparison.number(test['ndcg_at_10_known_items'])}."
    )


def _by_length(
    folder: run_folder.RunFolder[configs.Config],
    dataset: Dataset,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> plots.Plot:
    lengths = dataset.test.lengths[dataset.test.target_queries]

    def of(name: str) -> dict[str, float]:
        groups = ranking.measures_by_length(measured.answered[name].ranked.ranks, lengths)
        return {
            f"{group}\n({count:,})": found[ranking.PRIMARY]
            for group, (count, found) in groups.items()
        }

    return plots.grouped_bars(
        folder.plots,
        "ndcg_by_length",
        "By the length of the history",
        {name: of(name) for name in _compared(metrics)},
        x_label="items of the history (right items)",
        y_label=UNIT,
    )


def _by_popularity(
    folder: run_folder.RunFolder[configs.Config],
    dataset: Dataset,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> list[report.Block]:
    """Bands of the items by popularity; codes go by popularity, so a band is a range of codes.

    Without a right item that the train part holds there is nothing to show.
    """
    targets = dataset.test.targets
    known = np.sort(targets[targets > 0])
    if not len(known):
        return [report.Paragraph("The train part holds none of the right items of the test part.")]
    borders = np.unique([known[len(known) * at // _BANDS] for at in range(_BANDS)])
    ends = [*borders[1:], len(dataset.item_names) + 1]

    def of(name: str) -> dict[str, float]:
        ranks = measured.answered[name].ranked.ranks
        first = [1, *borders[1:]]
        return {
            f"{begin:,} to {end - 1:,}": ranking.measures_of_ranks(
                ranks[(targets >= begin) & (targets < end)]
            )[ranking.PRIMARY]
            for begin, end in zip(first, ends, strict=True)
        }

    plot = plots.grouped_bars(
        folder.plots,
        "ndcg_by_popularity",
        "By the popularity of the right item",
        {name: of(name) for name in _compared(metrics)},
        x_label="place of the right item by events in the training part, 1 = most popular",
        y_label=UNIT,
    )
    return [plot]


def _compared(metrics: Mapping[str, Any]) -> tuple[str, str]:
    return comparison.MODEL, metrics["primary"]["baseline"]["name"]


def _serving(folder: run_folder.RunFolder[configs.Config], dataset: Dataset) -> list[report.Block]:
    names = list(dataset.item_names[:2])
    inputs = {"history": [names], "k": 10, "exclude_seen": False}
    request = shlex.quote(json.dumps({"inputs": inputs}, ensure_ascii=False))
    return report.ways_to_ask(folder, f"-- {shlex.join(names)}", request)


def example_sections(dataset: Dataset, ranked: ranking.Ranked) -> list[report.Section]:
    """Queries whose right item stood in front though its history lacks it, and whose was far off.

    They are drawn by a fixed seed from all such queries, a user at most once.
    """
    test = dataset.test
    long_enough = test.lengths[test.target_queries] >= _FEWEST_ITEMS
    targets, ranks = test.targets, ranked.ranks
    new = _is_new(dataset)
    drawn = np.random.default_rng(0).permutation(len(targets))
    behind = min(10 * _SHOWN, len(dataset.item_names) // 2)
    good = [at for at in drawn if 1 <= ranks[at] <= _SHOWN and new[at] and long_enough[at]]
    far = [at for at in drawn if ranks[at] > behind and long_enough[at]]
    known = targets > 0
    hits = int((known & (ranks >= 1) & (ranks <= 10)).sum())
    said = (
        f"Of {len(targets):,} right items {hits:,} stood among the first ten. {int(new.sum()):,} "
        "of all were not in their history before. Histories are shown from their "
        f"{_SHOWN} most recent items on."
    )
    blocks: list[report.Block] = [report.Paragraph(said)]
    for caption, chosen in (
        ("The next item stood in front, and was new to its history", good),
        ("The next item was ranked far down", far),
    ):
        if chosen:
            rows = [_row(dataset, ranked, at) for at in chosen[:_EXAMPLES]]
            header = ["history, most recent first", "really next", "its rank", "recommended"]
            blocks.append(report.Table(caption + ".", header, rows))
    return [report.Section("Successes and failures", blocks)]


def _row(dataset: Dataset, ranked: ranking.Ranked, at: int) -> list[str]:
    test = dataset.test
    query = int(test.target_queries[at])
    history = test.items[test.history_start[query] : test.history_end[query]]
    recent = history[::-1][:_SHOWN]
    return [
        ", ".join(_called(dataset, code) for code in recent),
        _called(dataset, test.targets[at]),
        f"{ranked.ranks[at]:,}",
        ", ".join(_called(dataset, code) for code in ranked.top[query][:_SHOWN] if code),
    ]


def _called(dataset: Dataset, code: int) -> str:
    title = dataset.titles[code - 1] if dataset.titles else ""
    return title or dataset.item_names[code - 1]


def _is_new(dataset: Dataset) -> np.ndarray:
    """Returns true where the history lacks the right item, bool (right items,)."""
    test = dataset.test
    rows, seen = test.seen(slice(None))
    width = len(dataset.item_names) + 1
    taken = np.unique(rows.astype(np.int64) * width + seen)
    return ~np.isin(test.target_queries * width + test.targets, taken)
