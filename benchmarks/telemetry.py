"""Spacecraft telemetry, SMAP and MSL: `python benchmarks/telemetry.py …/smap_msl`.

81 channels with 105 labelled events (Hundman et al. 2018). One forecaster for each channel learns
from its train part, all with one setting and by one compiled graph; the score is the smoothed error
of the forecast of one step ahead, and the threshold the dynamic one, found without labels. Counted
as there: an event is found if any alarm overlaps it, and an alarm that overlaps none is false. That
alone would reward one alarm over everything (first row), so the share of the steps outside of
events that are in an alarm stands beside it.

`paper` has the published numbers. `chosen` is the one of the settings named below that does best on
half A, every second channel of the list; nothing was chosen on half B. `random scores` are uniform
noise in place of the errors.

`--by_channel FILE` adds average precision and VUS-PR for each channel beside the baselines of the
task, as a csv file, and their means by mission.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps import environment, whole_files
from apps.anomaly_detection import dynamic_threshold, measures, novelty
from benchmarks import telemetry_forecasts as forecasts
from benchmarks.telemetry_forecasts import Channel, Errors

WINDOW_STEPS, BATCH_STEPS, PADDING_STEPS = 2_100, 70, 100
LEAST_SCORE = 0.05  # of telemetry that lies between -1 and 1
_STARTING_STEPS = 250  # in which a forecaster has seen too little
_TRAIN_STARTING_STEPS = 100  # the same in the train part, which may be as short as 312


class Setting(NamedTuple):
    """Of all channels.

    Attributes:
        smoothing_steps: span of the smoothing; a step's weight is 2 / (span + 1).
        pruning_fraction: see `dynamic_threshold`.
        train_share: an alarm must be above so much of the highest score of the train part.
    """

    smoothing_steps: int
    pruning_fraction: float
    train_share: float


PAPER = Setting(105, 0.13, 0.0)
CHOSEN = Setting(60, 0.2, 1.0)


def smoothed(errors: np.ndarray, setting: Setting) -> np.ndarray:
    """Exponentially smoothed |errors|, float64 [time], as novelty's means forget."""
    size = np.abs(errors).astype(np.float64)
    return novelty.forgetting_mean(size, (setting.smoothing_steps + 1) / 2)


def scores(errors: np.ndarray, setting: Setting) -> np.ndarray:
    """Of a test part; the mean of the first twice 250 steps stands in for the first 250."""
    found = smoothed(errors, setting)
    found[:_STARTING_STEPS] = found[: 2 * _STARTING_STEPS].mean()
    return found


def alarms(errors: Errors, setting: Setting) -> list[tuple[int, int]]:
    """The ranges [start, end) of a channel's test part that are found anomalous."""
    usual = smoothed(errors.train, setting)
    usual = usual[min(_TRAIN_STARTING_STEPS, len(usual) // 3) :]
    found = scores(errors.test, setting)
    flags = dynamic_threshold.flags(
        found,
        WINDOW_STEPS,
        BATCH_STEPS,
        setting.pruning_fraction,
        PADDING_STEPS,
        least_score=max(LEAST_SCORE, setting.train_share * float(usual.max())),
        first_step=_unjudged_steps(len(found)),
        drops=True,
    )
    return measures.ranges(flags)


def _unjudged_steps(test_steps: int) -> int:
    """Twice the length of a window of the authors' network, less in a short test part."""
    if test_steps < 1_800:
        return 0
    return _STARTING_STEPS if test_steps < 2_500 else 2 * _STARTING_STEPS


class Found(NamedTuple):
    """Alarms of channels: events counted, and the share of other steps that are in an alarm."""

    counts: measures.EventCounts
    share_outside: float


def judge(channels: Sequence[Channel], found: Mapping[str, list[tuple[int, int]]]) -> Found:
    """Alarms by channel against the events of all channels."""
    counts, outside, alarmed = [], 0, 0
    for channel in channels:
        counts.append(measures.count_events(channel.events, found[channel.name]))
        flags = np.zeros(len(channel.test), bool)
        for start, end in found[channel.name]:
            flags[start:end] = True
        outside += int((~channel.labels).sum())
        alarmed += int((flags & ~channel.labels).sum())
    return Found(measures.add(counts), alarmed / outside)


def show(
    name: str, channels: Sequence[Channel], found: Mapping[str, list[tuple[int, int]]]
) -> None:
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


def by_channel(
    channels: Sequence[Channel], errors: Mapping[str, Errors], path: Path, seed: int
) -> None:
    """Writes both measures of the scores of each channel, and prints their means."""
    from apps.anomaly_detection import baselines

    rows = []
    for place, channel in enumerate(channels):
        one = forecasts.collection(channel).series[0]
        compared = {
            "smoothed error": scores(errors[channel.name].test, CHOSEN),
            "error": np.abs(errors[channel.name].test),
            **{
                name: found[channel.train_steps :]
                for name, found in baselines.scores(one, 1, seed).items()
            },
            "random scores": np.random.default_rng([seed, place]).random(len(channel.test)),
        }
        for name, found in compared.items():
            rows.append(
                {
                    "channel": channel.name,
                    "mission": channel.mission,
                    "detector": name,
                    "average_precision": measures.area_under_precision_recall(
                        channel.labels, found
                    ),
                    "vus_pr": measures.volume_under_precision_recall(channel.labels, found),
                }
            )
    with (
        whole_files.replacing(path) as partial,
        partial.open("w", encoding="utf-8", newline="") as lines,
    ):
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    names = list(dict.fromkeys(row["detector"] for row in rows))
    print(f"{'mean over channels':24}{'SMAP: AP':>10}{'VUS-PR':>8}{'MSL: AP':>10}{'VUS-PR':>8}")
    for name in names:
        cells = []
        for mission in ("SMAP", "MSL"):
            part = [row for row in rows if (row["detector"], row["mission"]) == (name, mission)]
            cells += [
                np.mean([row[key] for row in part]) for key in ("average_precision", "vus_pr")
            ]
        print(f"{name:24}{cells[0]:10.3f}{cells[1]:8.3f}{cells[2]:10.3f}{cells[3]:8.3f}")
    best = {channel.name: ("", -1.0) for channel in channels}
    for row in rows:
        if row["vus_pr"] > best[row["channel"]][1]:
            best[row["channel"]] = (row["detector"], row["vus_pr"])
    won = [name for name, _ in best.values()]
    print("best VUS-PR in: " + ", ".join(f"{name} {won.count(name)}" for name in names))


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
        with whole_files.replacing(given.errors) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with SMAP.npz, MSL.npz, labeled_anomalies.csv")
    parser.add_argument("--errors", type=Path, help="npz file that keeps the forecasts' errors")
    parser.add_argument("--by_channel", type=Path, help="csv file of measures beside the baselines")
    parser.add_argument("--seed", type=int, default=0, help="of the noise and the baselines")
    given = parser.parse_args()
    environment.quiet_tensorflow()
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
    for name, setting, source in (
        ("random scores, chosen setting", CHOSEN, random),
        ("forecaster, paper's setting", PAPER, errors),
        ("forecaster, chosen setting", CHOSEN, errors),
    ):
        found = {channel.name: alarms(source[channel.name], setting) for channel in channels}
        show(f"{name}: {setting}", channels, found)
    print(f"{time.perf_counter() - began:.0f} s, thresholds of all rows")
    if given.by_channel:
        by_channel(channels, errors, given.by_channel, given.seed)


if __name__ == "__main__":
    main()
