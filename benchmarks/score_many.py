"""Times bulk scoring against a plain loop over the same SavedModel.

A tiny recommendation export answers histories of 1 to 40 items from a csv. The loop is the obvious
program: it reads rows of the csv in order, pads them, asks the signature of `tf.saved_model.load`
batch by batch, and writes the answers to one parquet file. Loop and command are processes of their
own and take turns. Each also runs on a csv of one row, whose time is its start-up. The fastest run
counts as wall time. Processor seconds, without start-up, are medians; their ratios compare
neighbouring runs.

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


class Taken(NamedTuple):
    """Seconds that a process took: wall time and processor time."""

    wall: float
    processor: float


def write_histories(model: Path, file: Path, rows: int) -> None:
    """Writes a csv of users with random histories."""
    names = (model / "assets" / "items.txt").read_text("utf-8").split("\n")[:-1]
    drawn = random.Random(0)
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["user", "history"])
        for user in range(rows):
            history = [drawn.choice(names) for _ in range(drawn.randint(1, _MOST_ITEMS))]
            writer.writerow([user, " ".join(history)])


def loop(model: Path, file: Path, to: Path, rows_per_batch: int) -> None:
    """Scores the csv `file` with a plain loop, and writes the answers to `to`."""
    import pyarrow
    import pyarrow.parquet
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))
    ask = loaded.signatures["serving_default"]
    answered = {"user": [], "items": [], "scores": []}
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


def taken(command: list[str], to: Path) -> Taken:
    """Removes `to`, runs a command that writes it, and returns the time taken."""
    shutil.rmtree(to, ignore_errors=True)
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {ended.stderr}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall, processor)


def main() -> None:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="version folder of a recommendation export")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rows_per_batch", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of the command")
    parser.add_argument("--loop_over", type=Path, help=argparse.SUPPRESS)  # for the loop's process
    parser.add_argument("--loop_to", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop_over:
        loop(options.model, options.loop_over, options.loop_to, options.rows_per_batch)
        return
    found: dict[str, list[tuple[Taken, Taken]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "one.csv", Path(folder) / "many.csv"]
        for file, rows in zip(files, (1, options.rows), strict=True):
            write_histories(options.model, file, rows)
        to, batch = Path(folder) / "scores", ["--rows_per_batch", str(options.rows_per_batch)]
        for _ in range(options.pairs):
            plain = [sys.executable, __file__, str(options.model), *batch]
            plain += ["--loop_to", str(Path(folder) / "loop.parquet"), "--loop_over"]
            alone, whole = (taken([*plain, str(file)], to) for file in files)
            found.setdefault("loop", []).append((alone, whole))
            for workers in options.workers:
                job = [sys.executable, "-m", "apps.score_many", "--model", str(options.model)]
                job += ["--constant", "k=10", "exclude_seen=false", "--keep", "user", *batch]
                job += ["--to", str(to), "--workers", str(workers), "--input"]
                alone, whole = (taken([*job, str(file)], to) for file in files)
                found.setdefault(f"score_many --workers {workers}", []).append((alone, whole))
    print(f"{options.rows:,} rows, {options.rows_per_batch} a batch, {os.cpu_count()} cores\n")
    print("| | rows/s | without start-up | against the loop | processor seconds | against |")
    print("|---|---|---|---|---|---|")
    for name, pairs in found.items():
        whole = min(many.wall for _, many in pairs)
        cells = [f"{options.rows / whole:,.0f}", f"{options.rows / _least(pairs):,.0f}"]
        cells.append(f"{_least(found['loop']) / _least(pairs):.2f}")
        processors = [many.processor - one.processor for one, many in pairs]
        others = [many.processor - one.processor for one, many in found["loop"]]
        ratios = sorted(one / other for one, other in zip(processors, others, strict=True))
        cells.append(f"{statistics.median(processors):.1f}")
        cells.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        print(f"| {name} | {' | '.join(cells)} |")


def _least(pairs: list[tuple[Taken, Taken]]) -> float:
    """Returns the seconds of the fastest runs, without start-up; slower ones were disturbed."""
    return min(many.wall for _, many in pairs) - min(one.wall for one, _ in pairs)


if __name__ == "__main__":
    main()
