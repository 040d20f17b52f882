"""Holds sequences in three parts, divided by the data's own parts, by group, else by sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from apps.suite import errors
from apps.suite.data import account, corpora, division, labelled_files
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


@dataclass(frozen=True)
class Folds(Generic[Part]):
    """Examples that the members of a network learn from, and those that validate each member.

    Attributes:
        learned: part that is learned from.
        fold_of: number of the member that does not learn from a sequence, int [sequences of
            `learned`]; -1, or one without a member, where all do.
        validation: sequences that validate, those of the first member first.
        member_of: number of the member that each of them validates, rising, int [sequences].
    """

    learned: Part
    fold_of: np.ndarray
    validation: Part
    member_of: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Corpus(corpora.Corpus[Part]):
    """Sequences or texts in three parts.

    Attributes:
        folds: train and validation part put together, for several members; None for one network.
    """

    folds: Folds[Part] | None = None

    @property
    def is_text(self) -> bool:
        """Returns whether the sequences are texts."""
        return not self.channel_names

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Returns the names of the channels; none for texts."""
        return self.train.sequences.channel_names

    @property
    def learning(self) -> Folds[Part]:
        """Returns what is learned from: `folds`, or the train part by one network."""
        if self.folds is not None:
            return self.folds
        none = np.full(len(self.train.sequences), -1)
        first = np.zeros(len(self.validation.sequences), np.int64)
        return Folds(self.train, none, self.validation, first)

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
        """Learns the words of what is learned from; None where the sequences are of numbers."""
        texts = self.learning.learned.sequences.texts
        return words.learn_by(texts, settings) if self.is_text else None


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


def numbers(
    parts: Sequence[str], source: str, without: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Returns the numbers of the sequences of each part, int [sequences].

    Args:
        parts: of each sequence, as `divided` returns them.
        source: for the error.
        without: parts that are taken from elsewhere, and left out here.

    Raises:
        UserError: a part without a sequence.
    """
    found = {}
    for part in (each for each in labelled_files.PARTS if each not in without):
        found[part] = np.flatnonzero(np.array(parts) == part)
        if not len(found[part]):
            raise errors.UserError(f"{source}: no sequence is in the part {part}")
    return found


def folded(
    sequences: ragged.Sequences,
    labels: Sequence[str],
    parts: list[str],
    part: Callable[[str, np.ndarray], Part],
    members: int,
    seed: int,
) -> Folds[Part] | None:
    """Cuts train and validation part together into folds of about the validation part's size.

    There are at least as many folds as members, where there are as many groups: with fewer, the
    first folds are left out by several members.

    Args:
        sequences, labels: as in `divided`.
        parts: of each sequence, as `divided` returns them.
        part: makes the part of a name of sequences by their numbers; of those that validate, with
            as many cases of each.
        members: number of networks, each of which leaves another fold out.
        seed: another one gives other folds.

    Returns:
        The examples in folds; None for one network, which takes the parts as they are.
    """
    if members == 1:
        return None
    chosen = np.flatnonzero(np.array(parts) != "test")
    examples = [
        labelled_files.Example(
            sequences.names[at],
            labels[at],
            sequences.groups[at] if sequences.groups else "",
            parts[at],
        )
        for at in chosen.tolist()
    ]
    count = max(members, round(len(chosen) / max(1, parts.count("validation"))))
    fold_of = division.folds(examples, count, seed, unit="sequences")
    order = np.argsort(fold_of, kind="stable")
    order = order[fold_of[order] < members]
    held_out = part("validation", chosen[order])
    cases = len(held_out.sequences) // len(order)
    return Folds(part("train", chosen), fold_of, held_out, np.repeat(fold_of[order], cases))
