"""Events as rows a person or a program reads: printed, csv or json."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from apps import whole_files
from apps.anomaly_detection import events, series


class Row(NamedTuple):
    """One event.

    Attributes:
        series: name of the series.
        start, end, peak: times of the first and the last anomalous step and of the highest score,
            ISO 8601 in UTC; numbers of the steps where there are no times.
        steps: from start to end, both included.
        score: the highest.
        worst_columns: those that contributed most to the scores, the worst first.
    """

    series: str
    start: str | int
    end: str | int
    peak: str | int
    steps: int
    score: float
    worst_columns: list[str]


def rows(one: series.Series, found: Sequence[events.Event]) -> list[Row]:
    """The events of a series, in their order."""
    return [
        Row(
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
    """When a step is: its time in UTC, or its number where there are no times."""
    if not one.dated:
        return step
    found = datetime.datetime.fromtimestamp(float(one.times[step]), datetime.UTC)
    return found.isoformat().replace("+00:00", "Z")


def write(file: Path, listed: Sequence[Row]) -> None:
    """Writes a csv with a header, its columns joined by spaces, or a json list of objects.

    Raises errors.UserError where the file cannot be written.
    """
    if file.suffix.lower() == ".json":
        content = json.dumps([row._asdict() for row in listed], indent=2, ensure_ascii=False) + "\n"
    else:
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows([*row[:-1], " ".join(row.worst_columns)] for row in listed)
        content = lines.getvalue()
    whole_files.make_folder(file.parent)
    whole_files.write_atomically(file, content)


def text(one: series.Series, steps: int, listed: Sequence[Row]) -> str:
    """The rows as a table for a terminal, under a line that counts them."""
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
