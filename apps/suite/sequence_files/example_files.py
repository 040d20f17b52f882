"""Writes a few sequences as a csv that every task reads, for a command that shows the way."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from apps.suite.runs import files
from apps.suite.sequences import ragged

_SEQUENCES = 2


def write(sequences: ragged.Sequences, file: Path) -> str:
    """Writes the first two sequences in long form, without labels or targets.

    Returns the file's path as an argument of `predict`; of texts, which need no file, the first
    text.
    """
    if len(sequences.texts):
        return str(sequences.texts[0])
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["sequence", "step", *sequences.channel_names])
    for index in range(min(_SEQUENCES, len(sequences))):
        for step, values in enumerate(sequences.at(index)):
            rows.writerow([sequences.names[index], step, *map(_cell, values.tolist())])
    files.write_atomically(file, text.getvalue())
    return str(file)


def of_values(values: np.ndarray, channel_names: tuple[str, ...] | list[str]) -> str:
    """Returns the csv of one sequence, float [steps, channels], with a row for each step."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(channel_names)
    rows.writerows(map(_cell, row) for row in values.tolist())
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if value != value else f"{value:.6g}"
