"""Declares the facts of a data set that is divided into three parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from apps.suite.data import labelled_files

Part = TypeVar("Part")


@dataclass(frozen=True, kw_only=True)
class Corpus(Generic[Part]):
    """A data set, divided.

    Attributes:
        name, licence, source: of the data.
        fingerprint: SHA-256 of the content, its parts and what is to be learned of it.
        split: a sentence on how the parts were made.
        train, validation, test: the parts.
        notes: what was understood and might surprise, a sentence each.
    """

    name: str
    licence: str
    source: str
    fingerprint: str
    split: str
    train: Part
    validation: Part
    test: Part
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, Part]:
        """Returns the parts by name."""
        return {name: getattr(self, name) for name in labelled_files.PARTS}
