"""Where the item that was really taken next stands among all items.

Nothing is sampled: a rank against a few drawn items orders models otherwise than the real one does
(Krichene and Rendle 2020). Ties count against us, or a model that gives all items one score would
be right every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

# Histories (item codes, oldest first) -> float32 (rows, items); column 0 is the item of code 1
ScoreBlock = Callable[[Sequence[np.ndarray]], np.ndarray]
_BLOCK_SCORES = 8_000_000  # of a block's scores: 32 MB


class Queries(Protocol):
    """The part of `data.Queries` that is read here: whom to answer, and what was right."""

    @property
    def answer_starts(self) -> np.ndarray: ...
    @property
    def targets(self) -> np.ndarray: ...
    def history(self, query: int) -> np.ndarray: ...


class Ranked(NamedTuple):
    """What a model or a baseline answered to all queries.

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
) -> Ranked:
    """Asks every query, in blocks.

    The rank of a right item is 1 + the number of other items whose score is not below its own. A
    query with several right items, such as a basket, ranks each of them without the others, which
    are right too.

    Args:
        score_block: gives every item a score for each history of a block.
        queries: answer a of query q is `targets[a]` for `answer_starts[q] <= a <
            answer_starts[q + 1]`.
        item_count: items that have a code.
        exclude_seen: items of the history are neither recommended nor counted.
        top_count: items a query that are kept in `top`; fewer items than that are all kept.

    Raises:
        ValueError: `score_block` answers in another shape.
    """
    starts, targets = np.asarray(queries.answer_starts), np.asarray(queries.targets)
    count, width = len(starts) - 1, min(top_count, item_count)
    ranks = np.zeros(len(targets), np.int32)
    top = np.zeros((count, width), np.int32)
    rows = max(1, min(1024, _BLOCK_SCORES // max(1, item_count)))
    for first in range(0, count, rows):
        block = range(first, min(first + rows, count))
        histories = [np.asarray(queries.history(query)) for query in block]
        scores = np.asarray(score_block(histories), np.float32)
        if scores.shape != (len(histories), item_count):
            raise ValueError(
                f"scores of {len(histories)} histories and {item_count} items have the shape "
                f"{scores.shape}"
            )
        for query, history, row in zip(block, histories, scores, strict=True):
            seen = _known(history) if exclude_seen else np.empty(0, np.int64)
            answers = slice(starts[query], starts[query + 1])
            ranks[answers] = ranks_in_row(row, targets[answers], seen)
            top[query] = top_of_row(row, width, seen)
    return Ranked(ranks, top)


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
    """Each code once, without the 0 of items that have none."""
    unique = np.unique(codes)
    return unique[unique > 0].astype(np.int64)
