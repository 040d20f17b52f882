"""Times one thing against another in the same run: alternating, on one core, as ratios."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from apps.suite import process


class Ratio(NamedTuple):
    """Median milliseconds of both, and the median of the pairs' ratios, ours to theirs."""

    ours: float
    theirs: float
    ratio: float


def pin_to_one_core() -> int:
    """Keeps the process on its last core, where the system has that; returns the core or -1.

    Call it before TensorFlow and PyTorch compute anything: their threads start then.
    """
    if not hasattr(os, "sched_setaffinity"):  # not on macOS and Windows
        return -1
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def cores(which: str) -> int:
    """Returns how many cores are used: with "one" the process is kept on its last core.

    Give the number to TensorFlow and PyTorch before they compute anything.
    """
    if which == "one":
        pin_to_one_core()
        return 1
    return process.cores()


def compare(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    pairs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Ratio:
    """Calls both in turn, and takes the ratio within each pair.

    What else the machine does at the time then slows both. With `time.process_time` as the clock it
    is the processor's time for this process, without the waiting. A measurement repeats a call
    until it has lasted 5 milliseconds.
    """
    repeats = {ours: _repeats(ours, clock), theirs: _repeats(theirs, clock)}
    seconds = np.array(
        [[_seconds(f, repeats[f], clock) for f in (ours, theirs)] for _ in range(pairs)]
    )
    a, b = np.median(seconds, axis=0) * 1e3
    return Ratio(a, b, float(np.median(seconds[:, 0] / seconds[:, 1])))


def _repeats(function: Callable[[], object], clock: Callable[[], float]) -> int:
    for _ in range(2):  # traces, compiles, fills the caches
        function()
    return max(1, int(0.005 / max(_seconds(function, 1, clock), 1e-6)))


def _seconds(function: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(repeats):
        function()
    return (clock() - start) / repeats
