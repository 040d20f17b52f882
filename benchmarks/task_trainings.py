"""Trainings of a benchmark by a task's own command, and the tables of what they reached."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parents[1]


def metrics(
    task: str, run: Path, settings: Mapping[str, Any], more: Sequence[str] = ()
) -> dict[str, Any]:
    """Returns the metrics of a finished run, which is trained, or trained on, if it is not there.

    Args:
        task: name of a folder in `apps`.
        run: its run folder.
        settings: options of the training command, by name.
        more: further words of that command, which count before the settings.
    """
    if not (run / "metrics.json").is_file():
        command = [sys.executable, "-m", f"apps.{task}.train", "--run", str(run.resolve())]
        for name, value in settings.items():
            if f"--{name}" not in more:
                command += [f"--{name}", str(value)]
        done = subprocess.run([*command, *more], check=False, cwd=PROJECT)
        if done.returncode:
            sys.exit(done.returncode)  # the command has said what is wrong, or how to go on
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return found


def table(found: Mapping[str, Any], columns: Mapping[str, float]) -> str:
    """Returns a line of each baseline and of the model, with measures by name.

    Args:
        found: of metrics.json.
        columns: the measures that are shown, each with the number it is multiplied by.
    """
    rows = {"this model": found["test"], **found["baselines"]}
    lines = [f"{'':>24}" + "".join(f"{name.replace('_', ' '):>24}" for name in columns)]
    for name, values in rows.items():
        shown = (
            f"{factor * values[each]:24.1f}" if each in values else f"{'':24}"
            for each, factor in columns.items()
        )
        lines.append(f"{name:>24}" + "".join(shown))
    count = found["data"]["examples"]
    told = ", ".join(f"{count[part]:,} {part}" for part in ("train", "validation", "test"))
    return "\n".join([*lines, f"{told}; {found['train_seconds']:,.0f} s of training"])


def means(rows: Sequence[Mapping[str, float]]) -> str:
    """Returns a line of each measure: its mean over trainings, and its deviation."""
    held = {name: [row[name] for row in rows] for name in rows[0]}
    return "\n".join(
        f"mean of {len(rows)}  {name} {np.mean(values):.4f}  ±{np.std(values):.4f}"
        for name, values in held.items()
    )
