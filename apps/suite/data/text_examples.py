"""Keeps a text of the test part in a run, which the demo page begins with after the export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from apps.suite.data import named_sets
from apps.suite.runs import files

FILE, SETTING = "example.txt", "example"
OWN = "your own"
"""Licence of a user's own data."""
_FEWEST_WORDS = 4


class Data(Protocol):
    """The part of a task's loaded data that says whose they are."""

    @property
    def name(self) -> str: ...
    @property
    def licence(self) -> str: ...


def keep(run: Path, data: Data, texts: Sequence[str], longest: int) -> None:
    """Writes the first text of a few words that fits to the run folder; without one, the first.

    Only an embedded set leaves a text behind: an export is passed on, and a user's own texts, or
    those of others, must not be passed on with it unasked.

    Args:
        run: folder.
        data: that the texts are of.
        texts: of the test part.
        longest: characters at most.
    """
    if data.licence == OWN or not named_sets.is_embedded(data.name):
        return
    fits = [text for text in texts if 0 < len(text.strip()) <= longest]
    sentences = (text for text in fits if len(text.split()) >= _FEWEST_WORDS)
    chosen = next(sentences, next(iter(fits), ""))
    files.write_atomically(run / FILE, chosen.strip())


def kept(run: Path) -> str:
    """Returns the text that `keep` has written; "" of older runs, and of other data."""
    file = run / FILE
    return file.read_text(encoding="utf-8") if file.is_file() else ""
