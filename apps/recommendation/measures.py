"""Ranks as metrics: recall, MRR and NDCG at several lengths of the list, and what is in the lists.

With one right item a ranking, at rank r, and a list of k items (means over all right items):

    recall@k = [r <= k]        MRR@k = [r <= k] / r        NDCG@k = [r <= k] / log2(r + 1)

Recall is also called hit ratio (HR@k). A right item that could not be recommended (rank 0) is a
miss, so that a split with many new items is not made easy by leaving them out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CUTOFFS = (5, 10, 20)
PRIMARY = "ndcg_at_10"
LIST_LENGTH = 10  # of the lists whose coverage and popularity are told


def of_ranks(ranks: np.ndarray, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, float]:
    """Metrics of int ranks (answers,) from 1, 0 = a miss at any length. Empty ranks are all 0."""
    ranks = np.asarray(ranks, np.int64)
    count = max(1, len(ranks))
    found: dict[str, float] = {}
    for cutoff in cutoffs:
        hits = ranks[(ranks > 0) & (ranks <= cutoff)]
        found[f"recall_at_{cutoff}"] = len(hits) / count
        found[f"mrr_at_{cutoff}"] = float((1 / hits).sum()) / count
        found[f"ndcg_at_{cutoff}"] = float((1 / np.log2(hits + 1.0)).sum()) / count
    return found


def of_lists(top: np.ndarray, item_counts: np.ndarray) -> dict[str, float]:
    """What stands in the recommended lists of `LIST_LENGTH` items.

    Args:
        top: item codes (queries, k), 0 = none, the best one first.
        item_counts: events of each item in the train part (items,).

    Returns:
        `coverage_at_10`, the share of all items that stand in at least one list, and
        `popularity_at_10`, the mean over all places of the item's rank by popularity as a share:
        1 = the most popular item, 0 = the least popular one. Equally popular items share the mean
        of their ranks.
    """
    codes = top[:, :LIST_LENGTH]
    codes = codes[codes > 0]
    shown = len(np.unique(codes)) / max(1, len(item_counts))
    popularity = popularity_shares(item_counts)[codes - 1].mean() if len(codes) else 0.0
    return {
        f"coverage_at_{LIST_LENGTH}": shown,
        f"popularity_at_{LIST_LENGTH}": float(popularity),
    }


def popularity_shares(item_counts: np.ndarray) -> np.ndarray:
    """Each item's place by its events, 0 = the fewest, 1 = the most; ties share their mean."""
    _, kinds, sizes = np.unique(item_counts, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    places = (last - sizes + last - 1) / 2
    return (places / max(1, len(item_counts) - 1))[kinds]


def by_length(
    ranks: np.ndarray, lengths: np.ndarray, borders: Sequence[int] = (0, 1, 2, 3, 5, 10, 20, 50)
) -> dict[str, tuple[int, dict[str, float]]]:
    """Metrics by the length of the history, for lengths that occur.

    Args:
        ranks: (answers,).
        lengths: items of the history before each answer (answers,).
        borders: the first length of each group; the last group has no end.

    Returns:
        name of the group, such as "5-9" -> (answers, `of_ranks`), the shortest first.
    """
    groups: dict[str, tuple[int, dict[str, float]]] = {}
    for at, first in enumerate(borders):
        following = borders[at + 1] if at + 1 < len(borders) else None
        chosen = lengths >= first
        name = f"{first}+"
        if following is not None:
            chosen &= lengths < following
            name = f"{first}" if following == first + 1 else f"{first}-{following - 1}"
        if chosen.any():
            groups[name] = (int(chosen.sum()), of_ranks(ranks[chosen]))
    return groups
