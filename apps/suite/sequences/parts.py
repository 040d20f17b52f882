"""Holds sequences in three parts, divided by the data's own parts, by group, else by sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from apps.suite import errors
from apps.suite.data import account, division, labelled_files
from apps.suite.data.config import OwnConfig
from apps.suite.sequences import ragged
from apps.suite.sequences.config import SequenceFormatConfig
from apps.suite.texts import words
from apps.suite.texts.config import TextConfig


class HasSequences(Protocol):
    """Sequences with what is to be said of them."""

    @property
    def sequences(self) -> ragged.Sequences: ...


Part = TypeVar("Part", bound=HasSequences)


@dataclass(frozen=True, kw_only=True)
class Corpus(Generic[Part]):
    """Sequences or texts in three parts.

    Attributes:
        name, source, licence, fingerprint: of the data.
        split: how the parts were made, in words.
        train, validation, test: the parts.
        notes: for the user.
    """

    name: str
    source: str
    licence: str
    fingerprint: str
    split: str
    train: Part
    validation: Part
    test: Part
    notes: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Returns whether the sequences are texts."""
        return not self.channel_names

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Returns the names of the channels; none for texts."""
        return self.train.sequences.channel_names

    @property
    def parts(self) -> dict[str, Part]:
        """Returns the parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def understood(self, to_learn: str) -> str:
        """Returns what was understood of the data, and `to_learn` of it, in a few lines."""
        held = [each.sequences for each in self.parts.values()]
        lengths = np.concatenate([each.lengths for each in held])
        groups = {group for each in held for group in each.groups or ()}
        rows = [
            ("data", f"{self.name}: {len(lengths):,} {'texts' if self.is_text else 'sequences'}"),
            ("channels", ", ".join(self.channel_names)),
            ("lengths", "" if self.is_text else account.spread(lengths, "steps")),
            ("to learn", to_learn),
            ("groups", f"{len(groups):,}" if groups else ""),
            ("parts", self.split),
        ]
        return account.lines(rows)

    def vocabulary(self, settings: TextConfig) -> words.Vocabulary | None:
        """Learns the words of the train part; None where the sequences are of numbers."""
        return words.learn_by(self.train.sequences.texts, settings) if self.is_text else None


def divided(
    sequences: ragged.Sequences,
    labels: Sequence[str],
    settings: SequenceFormatConfig,
    own: OwnConfig,
    seed: int,
    *,
    test: float | None = None,
) -> tuple[list[str], str]:
    """Returns the part of each sequence, and a sentence that tells how the parts were made.

    Args:
        sequences: to divide; parts that they name stay, and groups stay whole.
        labels: of each, spread alike over the parts; "" where there are none.
        settings: fractions of the missing parts.
        own: folds.
        seed: another one gives another division.
        test: fraction of the test part, if not that of the settings.

    Raises:
        UserError: a group in two parts, or too few sequences.
    """
    alone = ("",) * len(sequences) if any(labels) else sequences.names
    groups = sequences.groups or alone
    examples = [
        labelled_files.Example(*facts)
        for facts in zip(sequences.names, labels, groups, sequences.parts, strict=True)
    ]
    fractions = {
        "test": settings.test_fraction if test is None else test,
        "validation": settings.validation_fraction,
    }
    divided_by = "the parts of the data" if any(sequences.parts) else ""
    parts, told = division.by_group(examples, divided_by, own, fractions, seed, unit="sequences")
    if sequences.groups is None and not own.folds:
        counts = ", ".join(f"{parts.count(part):,} {part}" for part in labelled_files.PARTS)
        how = divided_by or "by sequence, as there are no groups"
        told = f"{how}: {counts} sequences; those of one source may be on two sides"
    return parts, told


def taken(
    sequences: ragged.Sequences, parts: Sequence[str], source: str, without: Sequence[str] = ()
) -> dict[str, tuple[np.ndarray, ragged.Sequences]]:
    """Returns the numbers of the sequences of each part, int [sequences], and these sequences.

    Args:
        sequences: of all parts.
        parts: of each, as `divided` returns them.
        source: for the error.
        without: parts that are taken from elsewhere, and left out here.

    Raises:
        UserError: a part without a sequence.
    """
    found = {}
    for part in (each for each in labelled_files.PARTS if each not in without):
        chosen = np.flatnonzero(np.array(parts) == part)
        if not len(chosen):
            raise errors.UserError(f"{source}: no sequence is in the part {part}")
        found[part] = (chosen, sequences.taken(chosen))
    return found
