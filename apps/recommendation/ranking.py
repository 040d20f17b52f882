"""Ranks the item that really came next among all items, and measures the ranks.

Nothing is sampled: a rank against a few drawn items orders models otherwise than the real one does
(Krichene and Rendle 2020). Ties count against us, or a model that gives all items one score would
be right every time.

With one right item a ranking, at rank r, and a list of k items (means over all right items):

    recall@k = [r <= k]        MRR@k = [r <= k] / r        NDCG@k = [r <= k] / log2(r + 1)

Recall is also called hit ratio (HR@k). A right item that could not be recommended (rank 0) is a
miss, so that a split with many new items is not made easy by leaving them out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from apps.recommendation.histories import Queries

CUTOFFS = (5, 10, 20)
PRIMARY = "ndcg_at_10"
LIST_LENGTH = 10  # of the lists whose coverage and popularity are told


def measures_of_ranks(ranks: np.ndarray, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, float]:
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


def measures_of_lists(top: np.ndarray, item_counts: np.ndarray) -> dict[str, float]:
    """Measures the content of the recommended lists of `LIST_LENGTH` items.

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
    """Returns each item's place by its events, 0 = fewest, 1 = most; ties share their mean."""
    _, kinds, sizes = np.unique(item_counts, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    places = (last - sizes + last - 1) / 2
    return (places / max(1, len(item_counts) - 1))[kinds]


def measures_by_length(
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
            groups[name] = (int(chosen.sum()), measures_of_ranks(ranks[chosen]))
    return groups


# Of a block of queries: float32 (queries, items); column 0 is the item of code 1
ScoreBlock = Callable[[Queries], np.ndarray]
_NONE = np.empty(0, np.int64)


class Ranked(NamedTuple):
    """Answers of a model or a baseline to all queries.

    `ranks` is int32 (answers,), from 1; 0 where the right item could not be recommended: it is
    cold (code 0), or seen where seen items are excluded. `top` is int32 (queries, k): item codes,
    the best one first, 0 where fewer items are left.
    """

    ranks: np.ndarray
    top: np.ndarray


def ranked(
    score_block: ScoreBlock,
    queries: Queries,
    item_count: int,
    *,
    exclude_seen: bool = False,
    top_count: int = 20,
    rows_per_block: int = 256,
) -> Ranked:
    """Asks every query, a block of `rows_per_block` at a time.

    The rank of a right item is 1 + the number of other items whose score is not below its own. A
    query with several right items, such as a basket, ranks each of them without the others, which
    are right too.

    Args:
        score_block: gives every item a score for each query of a block.
        queries: of histories, with their right items.
        item_count: items that have a code.
        exclude_seen: items of the history are neither recommended nor counted.
        top_count: items a query that are kept in `top`; where there are fewer, all of them.

    Raises:
        ValueError: `score_block` answers in another shape.
    """
    ways = (exclude_seen,)
    return _ranked(score_block, queries, item_count, ways, top_count, rows_per_block)[0]


def ranked_both_ways(
    score_block: ScoreBlock,
    queries: Queries,
    item_count: int,
    *,
    top_count: int = 20,
    rows_per_block: int = 256,
) -> tuple[Ranked, Ranked]:
    """Ranks with all items, and with `exclude_seen`, from scores that are computed once."""
    ways = (False, True)
    everything, unseen = _ranked(score_block, queries, item_count, ways, top_count, rows_per_block)
    return everything, unseen


def _ranked(
    score_block: ScoreBlock,
    queries: Queries,
    item_count: int,
    ways: Sequence[bool],
    top_count: int,
    rows_per_block: int,
) -> list[Ranked]:
    width = min(top_count, item_count)
    answered = [
        Ranked(np.zeros(len(queries.targets), np.int32), np.zeros((len(queries), width), np.int32))
        for _ in ways
    ]
    for first in range(0, len(queries), rows_per_block):
        block = queries.take(np.arange(first, min(first + rows_per_block, len(queries))))
        scores = np.asarray(score_block(block), np.float32)
        if scores.shape != (len(block), item_count):
            raise ValueError(
                f"scores of {len(block)} queries and {item_count} items have the shape "
                f"{scores.shape}"
            )
        begin = queries.target_starts[first]
        for at, row in enumerate(scores):
            history = block.items[block.history_start[at] : block.history_end[at]]
            answers = slice(*block.target_starts[at : at + 2])
            for (ranks, top), exclude_seen in zip(answered, ways, strict=True):
                seen = _known(history) if exclude_seen else _NONE
                found = ranks_in_row(row, block.targets[answers], seen)
                ranks[begin + answers.start : begin + answers.stop] = found
                top[first + at] = top_of_row(row, width, seen)
    return answered


def ranks_in_row(scores: np.ndarray, targets: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Ranks of the right items of one query, int32 as `targets`; 0 for cold and for seen ones.

    Args:
        scores: float32 (items,).
        targets: codes of the right items, 0 = cold; an item that stands there twice counts once
            among the others.
        seen: codes, each once, that are left out.
    """
    left_out = np.union1d(_known(targets), seen)
    scores_left_out = scores[left_out - 1]
    ranks = np.zeros(len(targets), np.int32)
    for at, target in enumerate(targets):
        if target == 0 or (len(seen) and target in seen):
            continue
        own = scores[target - 1]
        # "not below" and not "at least": a score that is not a number counts against us too. The
        # target itself is one of those left out.
        above = np.count_nonzero(~(scores < own)) - np.count_nonzero(~(scores_left_out < own))
        ranks[at] = 1 + above
    return ranks


def top_of_row(scores: np.ndarray, count: int, seen: np.ndarray) -> np.ndarray:
    """Codes of the `count` best items, int32, the best one first; of equals the lower code first.

    Codes go by popularity, so of equals the more popular item stands first. Zeros fill up what
    `seen` leaves too few of.
    """
    if len(seen):
        scores = scores.copy()
        scores[seen - 1] = -np.inf
    border = np.partition(scores, len(scores) - count)[len(scores) - count]
    candidates = np.flatnonzero(~(scores < border))  # all that tie at the border with it
    best = candidates[np.argsort(-scores[candidates], kind="stable")[:count]] + 1
    best = best[~np.isin(best, seen)]
    return np.pad(best, (0, count - len(best))).astype(np.int32)


def _known(codes: np.ndarray) -> np.ndarray:
    """Returns each code once, without the 0 of items that have none."""
    unique = np.unique(codes)
    return unique[unique > 0].astype(np.int64)
