"""Sequences of unequal length in one array, their steps one after the other."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

TEXT = "text"
"""The column of words that holds the texts, where sequences are texts."""

_BLOCK = 2**20  # steps that are copied or hashed at a time


class Words(NamedTuple):
    """A column of text: the number of its word for each row, and the words.

    `numbers` is int32 [rows], -1 where the cell is missing.
    """

    numbers: np.ndarray
    words: tuple[str, ...]

    def text(self, row: int) -> str:
        """Returns the text of a row, "" where it is missing."""
        number = int(self.numbers[row])
        return self.words[number] if number >= 0 else ""


@dataclass(frozen=True)
class Sequences:
    """Sequences of unequal length with the same channels.

    The steps of sequence i are the rows `starts[i]` to `starts[i + 1]` of all arrays that have a
    row for each step. These may be memory-mapped files: read them in blocks, and do not write to
    them.

    Attributes:
        names: of the sequences, each once.
        channel_names: of the columns of `values`.
        values: float32 [steps, channels], NaN where a value is missing.
        starts: int64 [sequences + 1], from 0 to the number of all steps.
        groups: of each sequence, such as the person it was recorded from; None without groups.
        parts: train, validation or test for each sequence; "" where the data name none.
        steps: float64 [steps], the numbers (or times in seconds) of the steps, which rise in a
            sequence; None where the order of rows says it all.
        numbers: further columns by name, float64 [steps], NaN where missing.
        words: further columns of text by name, with a row for each step.
        notes: sentences on what reading understood, for the user.
    """

    names: tuple[str, ...]
    channel_names: tuple[str, ...]
    values: np.ndarray
    starts: np.ndarray
    groups: tuple[str, ...] | None = None
    parts: tuple[str, ...] = ()
    steps: np.ndarray | None = None
    numbers: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    words: Mapping[str, Words] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.parts:
            object.__setattr__(self, "parts", ("",) * len(self.names))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def lengths(self) -> np.ndarray:
        """Returns the number of steps of each sequence, int64 [sequences]."""
        return np.diff(self.starts)

    @property
    def texts(self) -> np.ndarray:
        """Returns the texts, object [sequences]; [0] of sequences of numbers."""
        column = self.words.get(TEXT)
        count = 0 if column is None else len(self)
        return np.array([column.text(row) if column else "" for row in range(count)], object)

    @property
    def sizes(self) -> np.ndarray:
        """Returns the number of steps of each sequence, or of words of each text, int64."""
        texts = self.texts
        return np.array([len(text.split()) for text in texts]) if len(texts) else self.lengths

    def pieces(self, array: np.ndarray) -> list[np.ndarray]:
        """Returns the rows of each sequence, of an array [steps, …]."""
        return np.split(array, self.starts[1:-1])

    def rows(self, index: int) -> slice:
        """Returns the rows of one sequence."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def at(self, index: int) -> np.ndarray:
        """Returns the values of one sequence, float32 [steps, channels]."""
        return np.asarray(self.values[self.rows(index)])

    def word(self, name: str, index: int) -> str:
        """Returns a column's text in the first row of a sequence."""
        return self.words[name].text(int(self.starts[index]))

    def taken(self, indices: Sequence[int] | np.ndarray) -> Sequences:
        """Returns some of the sequences, in this order.

        Their rows are copied into memory; values that are mapped from a file, into another one.
        """
        chosen = np.asarray(indices, np.int64)
        rows = rows_of(self.starts, chosen)
        return dataclasses.replace(
            self,
            names=tuple(self.names[index] for index in chosen),
            values=_rows_of(self.values, rows),
            starts=starts_of(self.lengths[chosen]),
            groups=self.groups and tuple(self.groups[index] for index in chosen),
            parts=tuple(self.parts[index] for index in chosen),
            steps=None if self.steps is None else np.asarray(self.steps[rows]),
            numbers={name: np.asarray(column[rows]) for name, column in self.numbers.items()},
            words={
                name: Words(column.numbers[rows], column.words)
                for name, column in self.words.items()
            },
        )


def _rows_of(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if not isinstance(array, np.memmap):
        return array[rows]
    with tempfile.TemporaryFile() as file:  # mapped on after its name and handle are gone
        taken = np.memmap(file, array.dtype, "w+", shape=(len(rows), *array.shape[1:]))
        for start in range(0, len(rows), _BLOCK):
            taken[start : start + _BLOCK] = array[rows[start : start + _BLOCK]]
    return taken


def starts_of(lengths: np.ndarray) -> np.ndarray:
    """Returns where sequences of these lengths start, and the end: int64 [sequences + 1]."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def rows_of(starts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the rows of the chosen sequences, one sequence after the other: int64 [rows]."""
    lengths = np.diff(starts)[chosen]
    shift = np.repeat(starts[chosen] - starts_of(lengths)[:-1], lengths)
    return np.arange(int(lengths.sum())) + shift


def of_arrays(
    arrays: Sequence[np.ndarray], names: Sequence[str], channel_names: Sequence[str]
) -> Sequences:
    """Returns sequences of arrays float32 [steps, channels], NaN where a value is missing."""
    empty = np.zeros((0, len(channel_names)), np.float32)
    return Sequences(
        names=tuple(names),
        channel_names=tuple(channel_names),
        values=np.concatenate([empty, *(np.asarray(array, np.float32) for array in arrays)]),
        starts=starts_of(np.array([len(array) for array in arrays], np.int64)),
    )


def shortened(sequences: Sequences, steps: int | np.ndarray) -> Sequences:
    """Returns the first steps of each sequence, or the first words of each text.

    Args:
        sequences: to be cut.
        steps: that are left at most, of all alike or int [sequences].
    """
    if len(sequences.texts):
        most = np.broadcast_to(steps, len(sequences))
        cut = [text.split()[:count] for text, count in zip(sequences.texts, most, strict=True)]
        texts = [" ".join(words) for words in cut]
        return dataclasses.replace(sequences, words={TEXT: words_of(texts, np.ones(len(texts)))})
    lengths = np.minimum(sequences.lengths, steps)
    ends = np.repeat(sequences.starts[:-1] + lengths, sequences.lengths)
    kept = np.arange(len(sequences.values)) < ends
    return Sequences(
        names=sequences.names,
        channel_names=sequences.channel_names,
        values=np.asarray(sequences.values[kept]),
        starts=starts_of(lengths),
        steps=None if sequences.steps is None else sequences.steps[kept],
    )


def fingerprint(sequences: Sequences) -> str:
    """Returns a SHA-256 of all that the sequences hold, notes left out."""
    digest = hashlib.sha256()
    for text in (sequences.names, sequences.channel_names, sequences.groups or (), sequences.parts):
        digest.update("\0".join([str(len(text)), *text, ""]).encode())
    arrays = [sequences.values, sequences.starts]
    arrays += [] if sequences.steps is None else [sequences.steps]
    for name in sorted(sequences.numbers):
        digest.update(name.encode())
        arrays.append(sequences.numbers[name])
    for name in sorted(sequences.words):
        column = sequences.words[name]
        digest.update("\0".join([name, *column.words]).encode())
        arrays.append(column.numbers)
    for array in arrays:
        for start in range(0, len(array), _BLOCK):
            digest.update(np.ascontiguousarray(array[start : start + _BLOCK]).data)
    return digest.hexdigest()


def words_of(texts: Sequence[str], lengths: Sequence[int] | np.ndarray) -> Words:
    """Returns a column of text in which each text stands for so many rows; "" is a missing one."""
    known = {text: number for number, text in enumerate(dict.fromkeys(t for t in texts if t))}
    numbers = np.array([known.get(text, -1) for text in texts], np.int32)
    return Words(np.repeat(numbers, np.asarray(lengths, np.int64)), tuple(known))
