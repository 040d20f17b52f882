"""Divides sequences into parts: by the data's own parts, by group, else by sequence."""

from __future__ import annotations

from collections.abc import Sequence

from apps.suite.data import division, labelled_files
from apps.suite.data.config import OwnConfig
from apps.suite.sequences import ragged
from apps.suite.sequences.config import SequenceFormatConfig


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
