"""Merges steps over a threshold into events, and writes them: printed, csv or json."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.suite.runs import files
from apps.suite.tables import series

_WORST_CHANNELS = 3


class Event(NamedTuple):
    """Steps [start, end) of one alarm.

    Attributes:
        start, end: steps; `end` follows the last one over the threshold.
        peak: the step with the highest score.
        score: the score there.
        worst_channels: names of at most three channels that have contributed most to the event's
            scores, the worst first; empty without contributions.
    """

    start: int
    end: int
    peak: int
    score: float
    worst_channels: tuple[str, ...]


def from_scores(
    scores: np.ndarray,
    threshold: float | np.ndarray,
    *,
    merge_steps: int = 0,
    cool_down_steps: int = 0,
    contributions: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> list[Event]:
    """Returns the events of one series; further arguments are those of `from_flags`.

    Args:
        scores: float [time].
        threshold: one value, or one for each step; a step is over it if its score is above.
    """
    return from_flags(
        scores > threshold,
        scores,
        merge_steps=merge_steps,
        cool_down_steps=cool_down_steps,
        contributions=contributions,
        names=names,
    )


def from_flags(
    is_over: np.ndarray,
    scores: np.ndarray,
    *,
    merge_steps: int = 0,
    cool_down_steps: int = 0,
    contributions: np.ndarray | None = None,
    names: Sequence[str] = (),
    has_row: np.ndarray | None = None,
) -> list[Event]:
    """Returns the events of one series, in order.

    Args:
        is_over: bool [time], steps that are over the threshold.
        scores: float [time].
        merge_steps: steps over the threshold belong to one event if no more than this many other
            steps lie between them.
        cool_down_steps: steps after an event in which no other begins. Steps over the threshold
            there are dropped; a step still over it afterwards begins the next event.
        contributions: float [time, features], for `Event.worst_channels`.
        names: of the features.
        has_row: bool [time], false for steps without a value; see `intervals`.
    """
    return [
        _event(start, end, scores, contributions, names)
        for start, end in intervals(is_over, merge_steps, cool_down_steps, has_row)
    ]


def intervals(
    is_over: np.ndarray,
    merge_steps: int = 0,
    cool_down_steps: int = 0,
    has_row: np.ndarray | None = None,
) -> list[tuple[int, int]]:
    """Returns [start, end) of each event; see `from_flags`.

    With `has_row`, bool [time], steps without a row do not count: an event lasts through them, and
    merging and cool-down are counted in rows.
    """
    if has_row is not None and not has_row.all():
        places = np.flatnonzero(has_row)
        found = intervals(np.asarray(is_over)[places], merge_steps, cool_down_steps)
        return [(int(places[start]), int(places[end - 1]) + 1) for start, end in found]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_over, [False]]).astype(np.int8)))
    found = []
    for start, end in edges.reshape(-1, 2).tolist():
        if not found:
            found.append((start, end))
            continue
        last = found[-1][1]
        if start - last <= merge_steps:
            found[-1] = (found[-1][0], end)
        elif end - last > cool_down_steps:
            found.append((max(start, last + cool_down_steps), end))
    return found


def count(is_over: Sequence[np.ndarray], merge_steps: int = 0, cool_down_steps: int = 0) -> int:
    """Counts the events in several series."""
    return sum(len(intervals(flags, merge_steps, cool_down_steps)) for flags in is_over)


def padded(intervals: Sequence[tuple[int, int]], steps: int, time: int) -> list[tuple[int, int]]:
    """Intervals [start, end) drawn out by `steps` on both sides within [0, time), and united."""
    found: list[tuple[int, int]] = []
    for start, end in intervals:
        start, end = max(0, start - steps), min(time, end + steps)
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _event(
    start: int,
    end: int,
    scores: np.ndarray,
    contributions: np.ndarray | None,
    names: Sequence[str],
) -> Event:
    peak = start + int(np.argmax(scores[start:end]))
    worst: tuple[str, ...] = ()
    if contributions is not None:
        shares = contributions[start:end].sum(axis=0, dtype=np.float64)
        order = np.argsort(-shares, kind="stable")[:_WORST_CHANNELS]
        worst = tuple(names[channel] for channel in order if shares[channel] > 0)
    return Event(start, end, peak, float(scores[peak]), worst)


class EventRow(NamedTuple):
    """One event.

    Attributes:
        series: name of the series.
        start, end, peak: times of the first and the last anomalous step and of the highest score,
            ISO 8601 in UTC; numbers of the steps without times.
        steps: from start to end, both included.
        score: the highest.
        worst_columns: columns that contributed most to the scores, the worst first.
    """

    series: str
    start: str | int
    end: str | int
    peak: str | int
    steps: int
    score: float
    worst_columns: list[str]


def event_rows(one: series.Series, found: Sequence[Event]) -> list[EventRow]:
    """Returns the events of a series as rows, in their order."""
    return [
        EventRow(
            one.name,
            moment(one, event.start),
            moment(one, event.end - 1),
            moment(one, event.peak),
            event.end - event.start,
            round(event.score, 4),
            list(event.worst_channels),
        )
        for event in found
    ]


def moment(one: series.Series, step: int) -> str | int:
    """Returns a step's time in UTC, or its number in a series without times."""
    if not one.dated:
        return step
    found = datetime.datetime.fromtimestamp(float(one.times[step]), datetime.UTC)
    return found.isoformat().replace("+00:00", "Z")


def write_events(file: Path, listed: Sequence[EventRow]) -> None:
    """Writes a csv with a header, its columns joined by spaces, or a json list of objects.

    Raises errors.UserError where the file cannot be written.
    """
    if file.suffix.lower() == ".json":
        content = json.dumps([row._asdict() for row in listed], indent=2, ensure_ascii=False) + "\n"
    else:
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(EventRow._fields)
        writer.writerows([*row[:-1], " ".join(row.worst_columns)] for row in listed)
        content = lines.getvalue()
    files.make_folder(file.parent)
    files.write_atomically(file, content)


def events_text(one: series.Series, steps: int, listed: Sequence[EventRow]) -> str:
    """Returns the rows as a table for a terminal, under a line that counts them."""
    counted = f"{len(listed)} event{'' if len(listed) == 1 else 's'}"
    title = f"{one.name}: {counted} in {steps:,} steps"
    if not listed:
        return title
    header = ["start", "end", "steps", "score", "worst columns"]
    cells = []
    for row in listed:
        worst = ", ".join(row.worst_columns)
        cells.append([str(row.start), str(row.end), str(row.steps), f"{row.score:.4g}", worst])
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *cells)
    ]
    return "\n".join([title, *lines])
