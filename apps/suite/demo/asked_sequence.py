"""Builds a tab of the demo page that answers a sequence, pasted as csv or of a file, or a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from apps.suite.demo import asked_text
from apps.suite.export import asking
from apps.suite.sequence_files import example_files
from apps.suite.tables import rows as table_rows

_NAMED = 6  # channels in the field while it is empty
_MOST_STEPS, _MOST_LETTERS = 50_000, 100_000
_EXAMPLE_STEPS = 100


class Asked(NamedTuple):
    """A sequence float32 [steps, channels], or [0, 0] of a text, its size, and its answers."""

    values: np.ndarray
    size: str
    answers: dict[str, np.ndarray]


def tab(
    model: asking.ExportedModel, show: Callable[[Asked], str], *, button: str, hint: str = ""
) -> None:
    """Adds the fields of a tab to the page that is being built; see `asked_text.tab`.

    Args:
        model: has the setting `channel_names`, without any where it reads texts.
        show: returns an answer as HTML.
        button: as there.
        hint: stands after the names of the columns.
    """
    channels = model.setting("channel_names")
    told = f"One row a step; columns: {', '.join(channels)}. Empty cells are missing."
    asked_text.tab(
        lambda text: show(asked(model, text)),
        lambda: example(model),
        label="the csv itself" if channels else "A text",
        placeholder=f"{','.join(channels[:_NAMED])}\n…" if channels else "some words",
        button=button,
        hint=f"{told if channels else ''} {hint}".strip(),
        files=bool(channels),
    )


def asked(model: asking.ExportedModel, text: str | None) -> Asked:
    """Returns the answers to a text, or to the one sequence of a csv text.

    Raises:
        UserError: nothing given, too much, columns that are missing, or what the model refuses.
    """
    channels = model.setting("channel_names")
    given = asked_text.checked(text, 2**30 if channels else _MOST_LETTERS)
    if channels:
        values = table_rows.read_text(given, channels, _MOST_STEPS).values
        size, found = f"{len(values):,} steps", model.ask(values=values[None])
    else:
        values, size = np.zeros((0, 0), np.float32), f"{len(given.split()):,} words"
        found = model.ask(text=[given])
    return Asked(values, size, {name: each[0] for name, each in found.items()})


def example(model: asking.ExportedModel) -> str:
    """Returns a made-up sequence around what the export's own request holds, or its text."""
    channels = model.setting("channel_names")
    if not channels:
        return asked_text.example(model, "some words")
    values = np.reshape(model.example()["values"], (-1, len(channels)))
    mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    draw = np.random.default_rng(0)
    phase = np.arange(_EXAMPLE_STEPS)[:, None] / 40 + draw.uniform(size=len(channels))
    wave = mean + deviation * (np.sin(2 * np.pi * phase) + draw.normal(0, 0.1, phase.shape))
    return example_files.of_values(wave, channels)
