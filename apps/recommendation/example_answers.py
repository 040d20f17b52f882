"""Test histories with what was recommended and what was really next, for the report."""

from __future__ import annotations

import numpy as np

from apps import report
from apps.recommendation import ranking
from apps.recommendation.data import Dataset

_SHOWN = 4  # of a history, and of what was recommended
_EXAMPLES = 4
_FEWEST_ITEMS = 3  # of a history: shorter ones show little


def sections(dataset: Dataset, ranked: ranking.Ranked) -> list[report.Section]:
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
        ("The next item stood far behind", far),
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
    """Whether the history lacks the right item, bool (right items,)."""
    test = dataset.test
    rows, seen = test.seen(slice(None))
    width = len(dataset.item_names) + 1
    taken = np.unique(rows.astype(np.int64) * width + seen)
    return ~np.isin(test.target_queries * width + test.targets, taken)
