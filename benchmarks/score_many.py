"""Bulk scoring beside a plain loop over the same SavedModel: `python benchmarks/score_many.py`.

A tiny recommendation export answers histories of 1 to 40 items from a csv. The loop is what one
would write first: rows of the csv in order, padded, so many at a time through the signature of
`tf.saved_model.load`, the answers into one parquet file. Each is a process of its own, start-up
included; the pairs alternate. "Alone" leaves the start-up out: of the loop what follows loading the
model, of the job what lies between its first and its last file.

    python -m apps.recommendation.train --preset tiny --run runs/tiny
    python -m apps.recommendation.export --run runs/tiny --to exports
    python benchmarks/score_many.py exports/recommendation/1
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

_MOST_ITEMS = 40


def write_histories(model: Path, file: Path, rows: int) -> None:
    names = (model / "assets" / "items.txt").read_text("utf-8").split("\n")[:-1]
    drawn = random.Random(0)
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["user", "history"])
        for user in range(rows):
            history = [drawn.choice(names) for _ in range(drawn.randint(1, _MOST_ITEMS))]
            writer.writerow([user, " ".join(history)])


def loop(model: Path, file: Path, to: Path, rows_per_batch: int) -> None:
    """The plain loop."""
    import pyarrow
    import pyarrow.parquet
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))
    ask = loaded.signatures["serving_default"]
    answered = {"user": [], "items": [], "scores": []}
    begin = time.perf_counter()
    with file.open(newline="") as opened:
        reader = csv.DictReader(opened)
        while batch := list(itertools.islice(reader, rows_per_batch)):
            histories = [row["history"].split() for row in batch]
            longest = max(map(len, histories))
            padded = [history + [""] * (longest - len(history)) for history in histories]
            answer = ask(
                history=tf.constant(padded), k=tf.constant(10), exclude_seen=tf.constant(False)
            )
            answered["user"] += [row["user"] for row in batch]
            answered["items"] += answer["items"].numpy().tolist()
            answered["scores"] += answer["scores"].numpy().tolist()
    pyarrow.parquet.write_table(pyarrow.table(answered), to)
    print(time.perf_counter() - begin)


class Taken(NamedTuple):
    """Seconds."""

    wall: float
    alone: float
    processor: float


def taken_by_loop(command: list[str]) -> Taken:
    wall, processor, printed = _run(command)
    return Taken(wall, float(printed), processor)


def taken_by_job(command: list[str], to: Path) -> Taken:
    shutil.rmtree(to, ignore_errors=True)
    wall, processor, _ = _run(command)
    begun, ended = ((to / name).stat().st_mtime for name in ("_job.json", "_manifest.json"))
    return Taken(wall, ended - begun, processor)


def _run(command: list[str]) -> tuple[float, float, str]:
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, processor, ended.stdout


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="version folder of a recommendation export")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rows_per_batch", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of the job")
    parser.add_argument("--loop_over", type=Path, help=argparse.SUPPRESS)  # this file, as the loop
    parser.add_argument("--loop_to", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop_over:
        loop(options.model, options.loop_over, options.loop_to, options.rows_per_batch)
        return
    with tempfile.TemporaryDirectory() as folder:
        file, to = Path(folder) / "histories.csv", Path(folder) / "scores"
        write_histories(options.model, file, options.rows)
        batch = ["--rows_per_batch", str(options.rows_per_batch)]
        plain = [sys.executable, __file__, str(options.model), *batch]
        plain += ["--loop_over", str(file), "--loop_to", str(Path(folder) / "loop.parquet")]
        job = [sys.executable, "-m", "apps.score_many", "--model", str(options.model), *batch]
        job += ["--input", str(file), "--to", str(to), "--keep", "user"]
        job += ["--constant", "k=10", "exclude_seen=false"]
        taken: dict[str, list[Taken]] = {"loop": []}
        for _ in range(options.pairs):
            taken["loop"].append(taken_by_loop(plain))
            for workers in options.workers:
                name = f"score_many --workers {workers}"
                each = taken_by_job([*job, "--workers", str(workers)], to)
                taken.setdefault(name, []).append(each)
    print(f"{options.rows:,} rows, {options.rows_per_batch} a batch, {os.cpu_count()} cores\n")
    print("| | rows/s alone | against the loop | rows/s | against | processor seconds |")
    print("|---|---|---|---|---|---|")
    for name, found in taken.items():
        cells = []
        for field in ("alone", "wall"):
            seconds = [getattr(each, field) for each in found]
            pairs = zip([getattr(each, field) for each in taken["loop"]], seconds, strict=True)
            ratios = sorted(one / other for one, other in pairs)
            cells.append(f"{options.rows / statistics.median(seconds):,.0f}")
            cells.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        processor = statistics.median(each.processor for each in found)
        print(f"| {name} | {' | '.join(cells)} | {processor:.1f} |")


if __name__ == "__main__":
    main()
