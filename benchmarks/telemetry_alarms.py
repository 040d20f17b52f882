"""Alarms from a forecaster's errors, by the dynamic threshold, and how they are counted."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import dynamic_threshold, measures
from benchmarks.telemetry_forecasts import Channel, Errors

WINDOW_STEPS, BATCH_STEPS, PADDING_STEPS = 2_100, 70, 100
LEAST_SCORE = 0.05  # of telemetry that lies between -1 and 1
Alarms = list[tuple[int, int]]
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
SETTINGS = [
    Setting(*each) for each in itertools.product((30, 60, 105), (0.1, 0.13, 0.2, 0.25), (0.0, 1.0))
]


def smoothed(errors: np.ndarray, setting: Setting) -> np.ndarray:
    """Exponentially smoothed |errors|, float64 [time], from the first one."""
    import scipy.signal

    size = np.abs(errors).astype(np.float64)
    share = 2 / (setting.smoothing_steps + 1)
    before = np.array([(1 - share) * size[0]])
    found, _ = scipy.signal.lfilter([share], [1.0, share - 1], size, zi=before)
    return np.asarray(found)


def scores(errors: np.ndarray, setting: Setting) -> np.ndarray:
    """Of a test part; the mean of the first twice 250 steps stands in for the first 250."""
    found = smoothed(errors, setting)
    found[:_STARTING_STEPS] = found[: 2 * _STARTING_STEPS].mean()
    return found


def alarms(errors: Errors, setting: Setting) -> Alarms:
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


def judge(channels: Sequence[Channel], found: Mapping[str, Alarms]) -> Found:
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


def choose(channels: Sequence[Channel], errors: Mapping[str, Errors]) -> Setting:
    """The setting with the highest F1 on these channels."""
    reached = {}
    for setting in SETTINGS:
        found = {channel.name: alarms(errors[channel.name], setting) for channel in channels}
        reached[setting] = judge(channels, found).counts.f1
    return max(SETTINGS, key=reached.__getitem__)
