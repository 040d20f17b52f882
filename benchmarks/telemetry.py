"""Spacecraft telemetry, SMAP and MSL: `python benchmarks/telemetry.py …/smap_msl`.

81 channels with 105 labelled events (Hundman et al. 2018). One forecaster for each channel learns
from its train part, all with one setting and by one compiled graph; the score is the smoothed error
of the forecast of one step ahead, and the threshold the dynamic one, found without labels. Counted
as there: an event is found if any alarm overlaps it, and an alarm that overlaps none is false. That
alone would reward one alarm over everything (first row), so the share of the steps outside of
events that are in an alarm stands beside it.

Settings: `paper` has the published numbers. `chosen` is the one of 24 with the highest F1 on half
A, every second channel of the list. `two halves` judges each half by the setting that is chosen on
the other one.

Chance: random scores, and the alarms of `chosen`, each channel's moved round its test part by a
random number of steps.

`--by_channel FILE` adds average precision and VUS-PR for each channel beside the baselines of the
task, as a csv file, and their means by mission.
"""

from __future__ import annotations

import argparse
import collections
import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import measures
from apps.suite import process
from apps.suite.runs import files
from benchmarks import telemetry_forecasts as forecasts
from benchmarks.telemetry_alarms import (
    PAPER,
    SETTINGS,
    Alarms,
    Setting,
    alarms,
    choose,
    judge,
    scores,
)
from benchmarks.telemetry_forecasts import Channel, Errors

_MOVES = 20


def show(name: str, channels: Sequence[Channel], found: Mapping[str, Alarms]) -> None:
    """A line for each group of channels."""
    groups = {
        "both": channels,
        "SMAP": [channel for channel in channels if channel.mission == "SMAP"],
        "MSL": [channel for channel in channels if channel.mission == "MSL"],
        "half A": channels[0::2],
        "half B": channels[1::2],
    }
    print(name)
    for group, members in groups.items():
        counts, share = judge(members, found)
        print(
            f"  {group:7} precision {counts.precision:.3f}  recall {counts.recall:.3f}  "
            f"F1 {counts.f1:.3f}  found {counts.found_events:3} of {counts.events:3}  "
            f"false {counts.false_alarms:3}  steps outside in alarm {share:.1%}"
        )
    print(flush=True)


def noise(channels: Sequence[Channel], seed: int) -> dict[str, Errors]:
    """Errors that say nothing."""
    draw = np.random.default_rng(seed)
    return {
        channel.name: Errors(draw.random(channel.train_steps), draw.random(len(channel.test)))
        for channel in channels
    }


def last_value(channels: Sequence[Channel]) -> dict[str, Errors]:
    """Errors of the last value as the forecast."""
    parts = {
        channel.name: np.split(channel.values[:, 0], [channel.train_steps]) for channel in channels
    }
    return {
        name: Errors(*(np.diff(part, prepend=part[:1]) for part in both))
        for name, both in parts.items()
    }


def show_moved(channels: Sequence[Channel], found: Mapping[str, Alarms], seed: int) -> None:
    """What the same alarms find at random places."""
    draw = np.random.default_rng(seed)
    judged = []
    for _ in range(_MOVES):
        moved = {}
        for channel in channels:
            flags = np.zeros(len(channel.test), bool)
            for start, end in found[channel.name]:
                flags[start:end] = True
            moved[channel.name] = measures.ranges(np.roll(flags, draw.integers(len(flags))))
        judged.append(judge(channels, moved).counts)
    precision, recall = (
        np.mean([getattr(counts, name) for counts in judged]) for name in ("precision", "recall")
    )
    print(f"the chosen setting's alarms moved at random, mean of {_MOVES}")
    print(f"  both    precision {precision:.3f}  recall {recall:.3f}\n", flush=True)


class Row(NamedTuple):
    """What a detector's scores are worth on a channel."""

    channel: str
    mission: str
    detector: str
    average_precision: float
    vus_pr: float


def by_channel(
    channels: Sequence[Channel],
    errors: Mapping[str, Errors],
    setting: Setting,
    path: Path,
    seed: int,
) -> None:
    """Writes both measures of the scores of each channel, and prints their means.

    The baselines stand as they are and smoothed as our errors are.
    """
    from apps.anomaly_detection import baselines

    rows = []
    for place, channel in enumerate(channels):
        one = forecasts.collection(channel).series[0]
        plain = {"forecaster": np.abs(errors[channel.name].test)}
        for name, found in baselines.scores(one, 1, seed).items():
            plain[name] = found[channel.train_steps :]
        compared = plain | {
            f"{name}, smoothed": scores(found, setting) for name, found in plain.items()
        }
        compared["random scores"] = np.random.default_rng([seed, place]).random(len(channel.test))
        labels = channel.labels
        for name, found in compared.items():
            precision = measures.area_under_precision_recall(labels, found)
            volume = measures.volume_under_precision_recall(labels, found)
            rows.append(Row(channel.name, channel.mission, name, precision, volume))
    with (
        files.replacing(path) as partial,
        partial.open("w", encoding="utf-8", newline="") as lines,
    ):
        writer = csv.writer(lines)
        writer.writerow(Row._fields)
        writer.writerows(rows)
    names = list(dict.fromkeys(row.detector for row in rows))
    print(f"\n{'mean over channels':28}{'SMAP: AP':>10}{'VUS-PR':>8}{'MSL: AP':>10}{'VUS-PR':>8}")
    for name in names:
        cells = []
        for mission in ("SMAP", "MSL"):
            part = [row for row in rows if (row.detector, row.mission) == (name, mission)]
            cells.append(np.mean([row.average_precision for row in part]))
            cells.append(np.mean([row.vus_pr for row in part]))
        print(f"{name:28}{cells[0]:10.3f}{cells[1]:8.3f}{cells[2]:10.3f}{cells[3]:8.3f}")
    won = [
        max((row for row in rows if row.channel == channel.name), key=lambda row: row.vus_pr)
        for channel in channels
    ]
    counted = collections.Counter(row.detector for row in won)
    print(
        "best VUS-PR in: " + ", ".join(f"{name} {count}" for name, count in counted.most_common())
    )


def _trained(channels: Sequence[Channel], given: argparse.Namespace) -> dict[str, Errors]:
    """The errors of a training, or of the file that it has left."""
    if given.errors and given.errors.exists():
        with np.load(given.errors) as kept:
            return {
                channel.name: Errors(kept[f"{channel.name}_train"], kept[f"{channel.name}_test"])
                for channel in channels
            }
    found = forecasts.forecast(channels, forecasts.CONFIG)
    if given.errors:
        arrays = {
            f"{name}_{part}": array
            for name, errors in found.items()
            for part, array in errors._asdict().items()
        }
        with files.replacing(given.errors) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with SMAP.npz, MSL.npz, labeled_anomalies.csv")
    parser.add_argument("--errors", type=Path, help="npz file that keeps the forecasts' errors")
    parser.add_argument("--by_channel", type=Path, help="csv file of measures beside the baselines")
    parser.add_argument("--seed", type=int, default=0, help="of the noise and the baselines")
    given = parser.parse_args()
    process.quiet_tensorflow()
    channels = forecasts.read(given.folder)
    began = time.perf_counter()
    errors = _trained(channels, given)
    seconds = time.perf_counter() - began
    steps = sum(len(channel.values) for channel in channels)
    print(f"{len(channels)} channels, {steps:,} steps: {seconds:.0f} s to train and score\n")
    began = time.perf_counter()
    everything = {channel.name: [(0, len(channel.test))] for channel in channels}
    show("one alarm over everything", channels, everything)
    random = noise(channels, given.seed)
    half_a, half_b = channels[0::2], channels[1::2]
    chosen, other = choose(half_a, errors), choose(half_b, errors)

    def found(source: Mapping[str, Errors], setting: Setting) -> dict[str, Alarms]:
        return {channel.name: alarms(source[channel.name], setting) for channel in channels}

    show(f"random scores, paper's setting {tuple(PAPER)}", channels, found(random, PAPER))
    naive = last_value(channels)
    chosen_for_naive = choose(half_a, naive)
    title = f"last value as forecast, chosen on half A: {tuple(chosen_for_naive)}"
    show(title, channels, found(naive, chosen_for_naive))
    by_chosen, by_other = found(errors, chosen), found(errors, other)
    show_moved(channels, by_chosen, given.seed)
    show(f"paper's setting {tuple(PAPER)}", channels, found(errors, PAPER))
    show(f"chosen on half A, of {len(SETTINGS)}: {tuple(chosen)}", channels, by_chosen)
    by_halves = {channel.name: by_other[channel.name] for channel in half_a}
    by_halves |= {channel.name: by_chosen[channel.name] for channel in half_b}
    show(f"two halves, half A by {tuple(other)}", channels, by_halves)
    print(f"{time.perf_counter() - began:.0f} s, thresholds of all rows")
    if given.by_channel:
        by_channel(channels, errors, chosen, given.by_channel, given.seed)


if __name__ == "__main__":
    main()
