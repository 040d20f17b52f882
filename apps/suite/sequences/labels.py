"""Numbers the labels of sequences or of their steps, and refuses those that cannot be learned."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from apps.suite import errors
from apps.suite.sequences import ragged


def order(labels: set[str]) -> tuple[str, ...]:
    """Returns labels in the order in which a person lists them: 2 before 10."""

    def key(label: str) -> list[tuple[int, str]]:
        return [
            (int(piece), "") if piece.isdecimal() else (-1, piece)
            for piece in re.split(r"(\d+)", label)
            if piece
        ]

    return tuple(sorted(labels, key=key))


def numbered(
    sequences: ragged.Sequences,
    column: ragged.Words,
    names: tuple[str, ...],
    source: str,
    *,
    by_step: bool,
) -> np.ndarray:
    """Returns the numbers of labels, int32 [sequences], or [steps] where `by_step`.

    Args:
        sequences: that are labelled.
        column: the labels, with a row for each step.
        names: of the labels.
        source: of the data, for errors.
        by_step: each step has a label of its own, or -1.

    Raises:
        UserError: of whole sequences, one without a label, or with several.
    """
    place = {label: at for at, label in enumerate(names)}
    numbers = np.array([*(place.get(word, -1) for word in column.words), -1], np.int32)
    of_rows = numbers[column.numbers]
    if by_step:
        return of_rows
    labels = of_rows[sequences.starts[:-1]]
    if (labels < 0).any():
        name = sequences.names[int((labels < 0).argmax())]
        raise errors.UserError(f"{source}: {name} has no label; give it one, or remove it")
    changes = np.flatnonzero(of_rows != np.repeat(labels, sequences.lengths))
    if len(changes):
        at = int(np.searchsorted(sequences.starts, changes[0], side="right")) - 1
        raise errors.UserError(
            f"{source}: the label changes inside {sequences.names[at]}; learn labels by step with "
            "--target.per step"
        )
    return labels


def known(
    names: tuple[str, ...], parts: Mapping[str, np.ndarray], source: str
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Returns the labels that the train part has, and the parts' labels by their new numbers.

    Args:
        names: of all labels.
        parts: numbers of the labels in train, validation and test.
        source: of the data, for errors.

    Raises:
        UserError: a label of another part that train lacks, or labels of one kind alone.
    """
    there = {part: set(np.unique(labels)) - {-1} for part, labels in parts.items()}
    if len(there["train"]) < 2:
        only = ", ".join(names[at] for at in there["train"]) or "none"
        raise errors.UserError(f"{source}: two labels are needed, the train part has {only}")
    for part in ("validation", "test"):
        strange = sorted(there[part] - there["train"])
        if strange:
            raise errors.UserError(
                f"{source}: label {names[strange[0]]!r} is in {part} and not in train; give more "
                "sequences of it, or remove it"
            )
    kept = sorted(there["train"])
    number = np.full(len(names) + 1, -1, np.int32)
    number[kept] = np.arange(len(kept))
    return tuple(names[at] for at in kept), {part: number[held] for part, held in parts.items()}


def one_hot(labels: np.ndarray, count: int, balanced: bool) -> np.ndarray:
    """Returns the row that the loss is given for each label, float32 [labels + 1, labels].

    It holds 1, or the label's weight, at its place. The last row is all 0: that of a step that does
    not count.

    Args:
        labels: of the train part.
        count: of the labels.
        balanced: rare labels weigh as much in total as frequent ones, and 1 on average.
    """
    weights = np.ones(count)
    if balanced:
        counts = np.bincount(labels[labels >= 0], minlength=count)
        weights = counts.sum() / (count * np.maximum(counts, 1))
    return np.concatenate([np.diag(weights), np.zeros((1, count))]).astype(np.float32)


def groups(sequences: ragged.Sequences, labels: np.ndarray, *, by_step: bool) -> list[str] | None:
    """Returns the group of each sequence, or of each step that has a label; None without groups."""
    found = sequences.groups
    if found is None or not by_step:
        return None if found is None else list(found)
    of_rows = np.repeat(np.array(found), sequences.lengths)
    return list(of_rows[labels >= 0])
