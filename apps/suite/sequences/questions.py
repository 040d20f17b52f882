"""Asks a run, an export or a server for sequences, texts and streams, many at a time."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from apps.suite import errors
from apps.suite.sequences import batches, ragged

if typing.TYPE_CHECKING:
    from apps.suite.export import asking

_ROWS = 32  # sequences that are asked together

Row = dict[str, np.ndarray]
"""Answers to one sequence or text by name, without the side of the batch."""


def sequences(model: asking.Model, given: ragged.Sequences) -> Iterator[tuple[int, Row]]:
    """Yields the number of each sequence and its answers, in order.

    Raises UserError for a sequence without any value.
    """
    for index, name in enumerate(given.names):
        if not np.isfinite(given.at(index)).any():
            raise errors.UserError(f"{name}: a sequence without any value; leave it out")
    for chosen in np.split(np.arange(len(given)), range(_ROWS, len(given), _ROWS)):
        asked = model.ask(values=batches.padded(given, chosen))
        for place, index in enumerate(chosen):
            yield int(index), _row(asked, place, len(chosen))


def texts(model: asking.Model, given: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, Row]]:
    """Yields name, text and answers of each (name, text), in order."""
    for start in range(0, len(given), _ROWS):
        part = given[start : start + _ROWS]
        asked = model.ask(text=[text for _, text in part])
        for place, (name, text) in enumerate(part):
            yield name, text, _row(asked, place, len(part))


def streamed(
    model: asking.Model, values: np.ndarray, names: Sequence[str], chunk_steps: int = 512
) -> Row:
    """Returns the answers after each step of one stream, [steps, …] by name.

    Args:
        model: answers the signature `stream`.
        values: float32 [steps, channels].
        names: of the outputs that have a row for each step.
        chunk_steps: steps that are sent together; the answers do not depend on it.
    """
    states: dict[str, Any] = {name: np.zeros([1, 0]) for name in model.setting("states")}
    parts = []
    for start in range(0, len(values), chunk_steps):
        asked = model.ask("stream", chunk=values[None, start : start + chunk_steps], **states)
        states = {name: asked[name] for name in states}
        parts.append([asked[name][0] for name in names])
    found = [np.concatenate(each) for each in zip(*parts, strict=True)]
    return dict(zip(names, found, strict=True))


def _row(asked: dict[str, np.ndarray], place: int, count: int) -> Row:
    return {name: each[place] for name, each in asked.items() if len(each) == count}
