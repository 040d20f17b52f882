"""Measures the gain of a second worker: training on one core, and by two of a core each.

Every process is bound to a core of its own, since two workers on one machine would else take the
cores that one process has for itself. The cases take turns, so that whatever else the machine does
meets all of them. A case is cut off behind a few checkpoints; the first one, which compiles, does
not count.

    steps a second      of the chief between checkpoints, without validations: the best and the
                        median interval over all rounds
    cpu-seconds a step  of a worker, its validations included: what a step costs however busy the
                        machine is. One process's over a worker's is the most that the second
                        worker can bring, were there no wait on the network
    start, memory       cpu-seconds of a worker up to the first step (imports, data, vocabulary),
                        and the most megabytes it held: what grows with the data

    python benchmarks/scaling.py
    python benchmarks/scaling.py --task anomaly_detection --interval 200
    python benchmarks/scaling.py --rounds 5 -- --model.units 1024

What stands behind `--` goes to the training.
"""

from __future__ import annotations

import argparse
import dataclasses
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


@dataclasses.dataclass
class Measured:
    """Of all rounds of a case: an entry for each interval, and one for each start."""

    steps_a_second: list[float] = dataclasses.field(default_factory=list)
    cpu_seconds_a_step: list[float] = dataclasses.field(default_factory=list)
    start_cpu_seconds: list[float] = dataclasses.field(default_factory=list)
    peak_megabytes: list[float] = dataclasses.field(default_factory=list)


def peak_megabytes(pid: int) -> float:
    """The most memory that a process has held so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def measure(
    command: Sequence[str], workers: int, intervals: int, folder: Path, found: Measured
) -> None:
    """Runs a case once, until so many checkpoints behind the first, and adds to `found`."""
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
        start = 0.0
        marks: list[tuple[int, float, list[float]]] = []
        deadline = time.monotonic() + _LONGEST_SECONDS
        while len(marks) < intervals + 1:
            said = (folder / "log_0.txt").read_text()
            lines = re.findall(r"^step +(\d+) of .* ([\d.e+]+) steps/s", said, re.MULTILINE)
            if "\nTraining " in said and not start:
                start = statistics.mean(cpu_seconds(each.pid) for each in started)
            if started[0].poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the training broke off:\n{said}")
            if len(lines) > len(marks):
                step, rate = lines[-1]
                marks.append((int(step), float(rate), [cpu_seconds(each.pid) for each in started]))
            time.sleep(0.02)
        peaks = [peak_megabytes(each.pid) for each in started]
    finally:
        for child in started:
            child.kill()
            child.wait()
    found.start_cpu_seconds.append(start)
    found.peak_megabytes.append(statistics.mean(peaks))
    for (first, _, before), (step, rate, after) in itertools.pairwise(marks):
        spent = [now - then for now, then in zip(after, before, strict=True)]
        found.cpu_seconds_a_step.append(statistics.mean(spent) / (step - first))
        found.steps_a_second.append(rate)


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
    cases = {1: Measured(), 2: Measured()}
    for _ in range(given.rounds):
        for workers, found in cases.items():
            with tempfile.TemporaryDirectory() as folder:
                measure(command, workers, given.intervals, Path(folder), found)
    print(f"{'':26}{'steps a second':>18}{'cpu-seconds a step':>20}{'start':>10}{'memory':>10}")
    print(f"{'':26}{'best':>9}{'median':>9}")
    for workers, name in ((1, "one process, one core"), (2, "two workers, a core each")):
        found, middle = cases[workers], statistics.median
        print(
            f"{name:26}{max(found.steps_a_second):9.3g}{middle(found.steps_a_second):9.3g}"
            f"{middle(found.cpu_seconds_a_step):20.3g}{middle(found.start_cpu_seconds):8.0f} s"
            f"{middle(found.peak_megabytes):7.0f} MB"
        )
    one, two = cases[1], cases[2]
    best = max(two.steps_a_second) / max(one.steps_a_second)
    usual = statistics.median(two.steps_a_second) / statistics.median(one.steps_a_second)
    most = statistics.median(one.cpu_seconds_a_step) / statistics.median(two.cpu_seconds_a_step)
    print(f"{'two over one':26}{best:9.2f}{usual:9.2f}{'at most ':>14}{most:6.2f}")


if __name__ == "__main__":
    main()
