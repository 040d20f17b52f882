"""Asks a run, an export or a server for sequences, texts and streams, many at a time."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.sequences import batches, ragged

if typing.TYPE_CHECKING:
    from apps.suite.export import asking

_ROWS = 32  # sequences that are asked together

Row = dict[str, np.ndarray]
"""Answers to one sequence or text by name, without the side of the batch."""


class Asked(NamedTuple):
    """A sequence or text, the number of its steps or words, and its answers.

    An answer is (…), or (steps, …) where each step has one.
    """

    name: str
    steps: int
    answers: Row


def sequences(
    model: asking.Model,
    given: ragged.Sequences,
    names: Sequence[str],
    *,
    streamed: bool = False,
) -> Iterator[Asked]:
    """Yields each sequence or text with its answers, in order.

    Args:
        model: answers `serving_default`, or `stream`; its setting `per` says that each step has an
            answer.
        given: sequences of numbers, or texts.
        names: of the outputs that are wanted.
        streamed: asks as a stream does, for an answer after each step.

    Raises:
        UserError: a sequence without any value, or what the model refuses.
    """
    if len(given.texts):
        yield from texts(model, list(zip(given.names, given.texts.tolist(), strict=True)), names)
        return
    if streamed:
        for index, name in enumerate(given.names):
            values = given.at(index)
            yield Asked(name, len(values), stream(model, values, names))
        return
    for index, name in enumerate(given.names):
        if not np.isfinite(given.at(index)).any():
            raise errors.UserError(f"{name}: a sequence without any value; leave it out")
    by_step = model.setting("per") == "step"
    for chosen in np.split(np.arange(len(given)), range(_ROWS, len(given), _ROWS)):
        asked = model.ask(values=batches.padded(given, chosen))
        for place, index in enumerate(chosen):
            steps = int(given.lengths[index])
            kept = slice(steps) if by_step else ...
            found = {name: asked[name][place][kept] for name in names}
            yield Asked(given.names[index], steps, found)


def texts(
    model: asking.Model, given: Sequence[tuple[str, str]], names: Sequence[str]
) -> Iterator[Asked]:
    """Yields each of the texts, given with their names, with its answers, in order."""
    for start in range(0, len(given), _ROWS):
        part = given[start : start + _ROWS]
        asked = model.ask(text=[text for _, text in part])
        for place, (name, text) in enumerate(part):
            yield Asked(name, len(text.split()), {each: asked[each][place] for each in names})


def stream(
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
