"""Remaining life of turbofan engines (C-MAPSS FD001): `python benchmarks/remaining_life.py FOLDER`.

A run for each seed learns from the 100 engines that ran until they failed; the 100 test engines,
which are cut before, are answered once, at the end of each run. Validation engines, of which
checkpoint and intervals are taken, are part of the 100. The answers are judged against the truth
capped at 125 cycles, as in most publications, and against the true one.

The task's own command makes each run, in `--runs`, and takes any further option; an interrupted
benchmark goes on by the same command.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

CAP_CYCLES = 125
SETTINGS = (
    "--preset", "fleet", "--target.cap", str(CAP_CYCLES), "--data_format.step_channel", "True",
    # Settings of the flight hardly vary here, and are noise
    "--data_format.ignored_columns", "setting_1", "setting_2", "setting_3",
)  # fmt: skip
MEASURES = ("rmse", "nasa_score", "rmse_of_true_life", "nasa_score_of_true_life", "coverage")
_COLUMNS = [
    "unit", "cycle",
    *(f"setting_{at}" for at in range(1, 4)), *(f"sensor_{at}" for at in range(1, 22)),
]  # fmt: skip


def write_csv(source: Path, file: Path) -> None:
    """Writes one of NASA's files, numbers parted by spaces, as csv with names."""
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(_COLUMNS)
        rows.writerows(line.split() for line in source.read_text().splitlines() if line.strip())


def prepare(folder: Path, to: Path) -> list[str]:
    """Writes the three files of the set; returns the options that name them."""
    to.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        write_csv(folder / f"{part}_FD001.txt", to / f"{part}.csv")
    lives = (folder / "RUL_FD001.txt").read_text().split()
    rows = [f"{unit},{life}" for unit, life in enumerate(lives, 1)]
    (to / "truths.csv").write_text("\n".join(["unit,remaining", *rows]) + "\n")
    return [
        "--data", str(to / "train.csv"), "--target.test_data", str(to / "test.csv"),
        "--target.test_truths", str(to / "truths.csv"),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="with train_FD001.txt and its like")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "remaining_life")
    parser.add_argument("--seeds", type=int, default=5)
    given, more = parser.parse_known_args()  # what is left is for the training
    data = prepare(given.folder, given.runs / "data")
    found = []
    for seed in range(given.seeds):
        run = given.runs / f"seed_{seed}"
        if not (run / "metrics.json").is_file():
            command = [sys.executable, "-m", "apps.sequence_regression.train", *data, *SETTINGS]
            command += [*more, "--seed", str(seed), "--run", str(run)]
            subprocess.run(command, check=True)
        metrics = json.loads((run / "metrics.json").read_text())
        found.append([metrics["test"][name] for name in MEASURES])
        print(f"seed {seed}: {told(found[-1])}", flush=True)
        boosting = metrics["baselines"]["gradient boosting"]
        print(f"  gradient boosting: rmse {boosting['rmse']:.2f}", flush=True)
    print(f"mean of {len(found)}: {told(np.mean(found, axis=0).tolist())}")


def told(values: list[float]) -> str:
    """Formats the measures on a line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(MEASURES, values, strict=True))


if __name__ == "__main__":
    main()
