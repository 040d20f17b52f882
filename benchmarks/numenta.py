"""The Numenta Anomaly Benchmark: `python benchmarks/numenta.py --data …/nab`.

All 58 series, scored by the benchmark's standard profile (`numenta_score`), row by row as they
stand, each row a step. One forecaster for all series learns from their first 15 %, which are not
scored, each scaled by mean and deviation of that part; the novelty (`novelty`) of value and
residual is the score, from the past of a step alone. Beside it the windowed Gaussian of the
benchmark, as published, and novelty with the last value as the forecast.

No label is read for a threshold: it is the lowest whole percent of novelty at which all 58 series
together raise at most one alarm in 1,008 steps, two a week at the usual five minutes. What the
benchmark's own procedure reaches, one threshold chosen by the labels of all files, stands in a
column of its own. Rows "half A" and "half B" are every second file of the sorted list: what
novelty follows, and its reach, were chosen on half A with a linear forecast.

`--by_series` adds VUS-PR behind probation for each series, beside the baselines of the task.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import datetime
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from apps.anomaly_detection import measures
from apps.suite import process
from apps.suite.tables import series
from benchmarks import novelty, numenta_score
from benchmarks import numenta_detectors as detectors
from benchmarks.numenta_detectors import File


def read(folder: Path) -> list[File]:
    """The corpus, in the order of the names."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    files = []
    for name, windows in sorted(labels.items()):
        with (folder / "data" / name).open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        times = [datetime.datetime.fromisoformat(row["timestamp"]) for row in rows]
        ends = [[datetime.datetime.fromisoformat(end) for end in window] for window in windows]
        files.append(
            File(
                name,
                np.array([float(row["value"]) for row in rows]),
                [(times.index(start), times.index(end)) for start, end in ends],
            )
        )
    return files


def score(files: Sequence[File], flags: Sequence[np.ndarray]) -> float:
    """The standard profile's score of alarms."""
    corpus = [
        numenta_score.Scored(each, file.windows) for file, each in zip(files, flags, strict=True)
    ]
    return numenta_score.corpus_score(corpus, sum(len(file.windows) for file in files), 0.5)


def counts(files: Sequence[File], flags: Sequence[np.ndarray]) -> tuple[int, int]:
    """Windows with an alarm, and alarms outside of windows, behind probation."""
    found = false = 0
    for file, each in zip(files, flags, strict=True):
        start = numenta_score.probation_steps(len(each))
        places = [at for at in np.flatnonzero(each) if at >= start]
        inside = [[at for at in places if first <= at <= last] for first, last in file.windows]
        found += sum(bool(hits) for hits in inside)
        false += len(places) - sum(map(len, inside))
    return found, false


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with data/ and labels/")
    parser.add_argument("--steps", type=int, default=detectors.CONFIG.training.steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--by_series", action="store_true", help="VUS-PR beside the baselines")
    given = parser.parse_args()
    process.quiet_tensorflow()
    files = read(given.data)
    window_count = sum(len(file.windows) for file in files)
    rows = sum(len(file.values) for file in files)
    print(f"{len(files)} series, {rows:,} rows, {window_count} windows\n", flush=True)
    gaussian = [
        numenta_score.Scored(detectors.windowed_gaussian(file.values), file.windows)
        for file in files
    ]
    published = numenta_score.corpus_score(gaussian, window_count, 1.0)
    print(f"windowed Gaussian, threshold chosen by the labels: {published:.2f} (published 39.65)\n")

    began = time.perf_counter()
    made = detectors.collection(files)
    settings = dataclasses.replace(
        detectors.CONFIG.training, steps=given.steps, steps_per_checkpoint=given.steps
    )
    config = dataclasses.replace(detectors.CONFIG, training=settings, seed=given.seed)
    residuals = {
        "last value as forecast": [np.diff(file.values, prepend=file.values[:1]) for file in files],
        "forecaster": detectors.forecast_residuals(made, config),
    }
    scores = {
        name: [
            novelty.score(file.values[:, None], residual[:, None])
            for file, residual in zip(files, each, strict=True)
        ]
        for name, each in residuals.items()
    }
    for name, each in scores.items():
        _show(name, files, each)
    print(f"{time.perf_counter() - began:.0f} s, training and scoring", flush=True)
    if given.by_series:
        ours = {
            "novelty": scores["forecaster"],
            "residual": [np.abs(each) for each in residuals["forecaster"]],
        }
        _show_by_series(files, made, ours, given.seed)


def _show(name: str, files: Sequence[File], scores: Sequence[np.ndarray]) -> None:
    chosen = detectors.tolerance_of_budget(scores)
    by_tolerance: Mapping[float, list[np.ndarray]] = {
        tolerance: [detectors.alarms(each, tolerance) for each in scores]
        for tolerance in detectors.TOLERANCES
    }
    reached = {tolerance: score(files, flags) for tolerance, flags in by_tolerance.items()}
    flags = by_tolerance[chosen]
    found, false = counts(files, flags)
    print(f"novelty, {name}")
    print(f"  threshold from the alarm budget, {chosen:.0%}: {reached[chosen]:.1f}")
    print(f"  windows found {found}, false alarms {false}")
    for half, part in (("A", slice(0, None, 2)), ("B", slice(1, None, 2))):
        print(f"  half {half}: {score(files[part], flags[part]):.1f}")
    best = max(reached, key=reached.__getitem__)
    print(f"  threshold chosen by the labels, {best:.0%}: {reached[best]:.1f}")
    shown = ", ".join(f"{tolerance:.0%} {value:.1f}" for tolerance, value in reached.items())
    print(f"  by threshold: {shown}\n", flush=True)


def _show_by_series(
    files: Sequence[File],
    made: series.Collection,
    ours: Mapping[str, Sequence[np.ndarray]],
    seed: int,
) -> None:
    """VUS-PR of each series that has a window behind probation, and the mean of all."""
    from apps.anomaly_detection import baselines

    table: dict[str, dict[str, float]] = {}
    for at, (file, one) in enumerate(zip(files, made.series, strict=True)):
        labels = np.zeros(len(file.values), bool)
        for first, last in file.windows:
            labels[first : last + 1] = True
        part = slice(one.validation_end, None)
        if not labels[part].any():
            continue
        scores = {name: each[at] for name, each in ours.items()}
        scores |= baselines.scores(one, 1, seed)
        scores["random scores"] = np.random.default_rng([seed, at]).random(len(labels))
        table[file.name] = {
            name: measures.volume_under_precision_recall(labels[part], each[part])
            for name, each in scores.items()
        }
    names = list(next(iter(table.values())))
    width = max(map(len, table))
    print(f"\n{'VUS-PR':{width}}  {'  '.join(names)}")
    for file_name, row in table.items():
        cells = "  ".join(f"{row[name]:{len(name)}.3f}" for name in names)
        print(f"{file_name:{width}}  {cells}")
    means = {name: float(np.mean([row[name] for row in table.values()])) for name in names}
    cells = "  ".join(f"{means[name]:{len(name)}.3f}" for name in names)
    print(f"{f'mean of {len(table)} series':{width}}  {cells}")
    best = [max(row, key=row.__getitem__) for row in table.values()]
    print("best in: " + ", ".join(f"{name} {best.count(name)}" for name in names))


if __name__ == "__main__":
    main()
