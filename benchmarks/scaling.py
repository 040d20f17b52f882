"""What a second worker brings: the training command on one core, and shared by two of a core each.

Every process is bound to a core of its own, since two workers on one machine would else take the
cores that one process has for itself. The cases take turns, so that whatever else the machine does
meets all of them. A case is cut off behind a few checkpoints; the first one, which compiles, does
not count.

    steps a second      of the chief between checkpoints, without validations: the best and the
                        median interval over all rounds
    cpu-seconds a step  of a worker, its validations included: what a step costs however busy the
                        machine is. One process's over a worker's is the most that the second
                        worker can bring, were there no wait on the network

    python benchmarks/scaling.py
    python benchmarks/scaling.py --task anomaly_detection --interval 200
    python benchmarks/scaling.py --rounds 5 -- --model.units 1024

What stands behind `--` goes to the training.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.apps import processes

_LONGEST_SECONDS = 600
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far, in and for user code."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def measure(
    command: Sequence[str], workers: int, intervals: int, folder: Path
) -> tuple[list[float], list[float]]:
    """Steps a second and cpu-seconds a step of each interval behind the first checkpoint."""
    hosts = [f"127.0.0.1:{port}" for port in processes.free_ports(workers)]
    started = []
    for index in range(workers):
        told = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        options = ["--run", str(folder / "run")]
        options += ["--distribute", "multiworker"] if workers > 1 else []
        # Threads that would only wait for each other on the one core
        variables = {"TF_NUM_INTRAOP_THREADS": "1", "TF_CONFIG": json.dumps(told)}
        with (folder / f"log_{index}.txt").open("w") as log:
            child = subprocess.Popen(
                ["taskset", "-c", str(index), *command, *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | variables,
            )
        started.append(child)
    try:
        marks: list[tuple[int, float, list[float]]] = []
        deadline = time.monotonic() + _LONGEST_SECONDS
        while len(marks) < intervals + 1:
            said = (folder / "log_0.txt").read_text()
            lines = re.findall(r"^step +(\d+) of .* ([\d.e+]+) steps/s", said, re.MULTILINE)
            if started[0].poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the training broke off:\n{said}")
            if len(lines) > len(marks):
                step, rate = lines[-1]
                marks.append((int(step), float(rate), [cpu_seconds(each.pid) for each in started]))
            time.sleep(0.02)
    finally:
        for child in started:
            child.kill()
            child.wait()
    costs = [
        statistics.mean(now - then for now, then in zip(after, before, strict=True))
        / (step - first)
        for (first, _, before), (step, _, after) in itertools.pairwise(marks)
    ]
    return [rate for _, rate, _ in marks[1:]], costs


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", default="text_generation")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--interval", type=int, default=20, help="steps between checkpoints")
    parser.add_argument("--intervals", type=int, default=3, help="that count, in each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("training", nargs="*", help="arguments of the training, behind --")
    given = parser.parse_args()
    steps = given.interval * (given.intervals + 2)
    command = [sys.executable, "-m", f"apps.{given.task}.train", "--preset", given.preset]
    command += ["--training.steps", str(steps)]
    command += ["--training.steps_per_checkpoint", str(given.interval), *given.training]
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(given.rounds):
        for workers in rates:
            with tempfile.TemporaryDirectory() as folder:
                found = measure(command, workers, given.intervals, Path(folder))
            rates[workers] += found[0]
            costs[workers] += found[1]
    print(f"{'':22}{'steps a second':>24}{'cpu-seconds a step':>22}")
    print(f"{'':22}{'best':>12}{'median':>12}{'of a worker':>22}")
    for workers, name in ((1, "one process, one core"), (2, "two workers, a core each")):
        line = f"{name:26}{max(rates[workers]):8.3g}{statistics.median(rates[workers]):12.3g}"
        print(f"{line}{statistics.median(costs[workers]):22.3g}")
    best = max(rates[2]) / max(rates[1])
    usual = statistics.median(rates[2]) / statistics.median(rates[1])
    most = statistics.median(costs[1]) / statistics.median(costs[2])
    print(f"{'two over one':26}{best:8.2f}{usual:12.2f}{most:22.2f}")


if __name__ == "__main__":
    main()
