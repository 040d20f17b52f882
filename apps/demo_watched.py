"""Measurements as a model that `apps.anomaly_detection` exported sees them."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from apps import demo_csv
from apps.demo_models import ExportedModel

_EXAMPLE_STEPS, _EXAMPLE_PERIOD_STEPS, _MOST_EXAMPLE_STEPS = 240, 48, 5_000
_NORMAL = 1.4826  # deviation of a normal distribution, in median absolute deviations
_DAY_SECONDS = 86_400


class Event(NamedTuple):
    """A stretch above the threshold."""

    start: int  # steps
    end: int  # behind the last
    highest: float  # score
    channel: str  # with the largest part of the score
    share: float  # of the score, by that channel


class Watched(NamedTuple):
    """Measurements and what the model says of them."""

    given: demo_csv.Measurements
    channels: list[str]
    scores: np.ndarray  # float32 [steps]
    threshold: float
    events: list[Event]


def channels_of(model: ExportedModel) -> list[str]:
    """The names of the columns that the model reads, in order."""
    named = model.settings.get("channel_names")
    if named is None:  # of an export without settings; the signature says it as well
        width = model.inputs["serving_default"]["values"].shape[-1]
        answer = model.ask(values=np.zeros((1, 1, width), np.float32))
        named = [name.decode() for name in answer["channel_names"][0]]
    return list(named)


def watch(model: ExportedModel, text: str | None) -> Watched:
    """Scores and events of the measurements in a csv text.

    Raises:
        UserError: see `demo_csv.read`; or what the model refuses.
    """
    channels = channels_of(model)
    given = demo_csv.read(text or "", channels)
    answer = model.ask(values=given.values[None])
    scores, parts = answer["score"][0], answer["contribution"][0]
    events = [
        _event(start, end, scores, parts, channels)
        for start, end in _stretches(answer["is_anomaly"][0], answer["alarm"][0])
    ]
    return Watched(given, channels, scores, float(np.ravel(answer["threshold"])[0]), events)


def example_csv(model: ExportedModel) -> str:
    """The export's own example, or a made-up wave around the means that it knows, with faults."""
    found = model.asset("example.csv")
    if found is not None:
        return found
    channels, settings = channels_of(model), model.settings
    step_seconds = float(settings.get("step_seconds", 60.0)) or 60.0
    season = int(settings.get("season_steps", 0))
    day = round(_DAY_SECONDS / step_seconds)
    period = day if season and season % max(1, day) == 0 else season or _EXAMPLE_PERIOD_STEPS
    steps = max(_EXAMPLE_STEPS, 2 * season + 3 * period)
    if steps > _MOST_EXAMPLE_STEPS:
        steps, period = _EXAMPLE_STEPS, _EXAMPLE_PERIOD_STEPS
    times = np.arange(steps)
    wave = math.sqrt(2) * np.sin(2 * np.pi * (times[:, None] / period - 0.3))
    wave = wave + np.random.default_rng(0).normal(0, 0.03, (steps, len(channels)))
    end = steps - period // 2
    wave[end - 2 * period : end - 2 * period + 2, 0] += 4  # a spike,
    wave[end - period : end - period + max(3, period // 6), 0] = wave[end - period, 0]  # stuck,
    wave[end - 4 : end - 1, 0] = np.nan  # and missing
    mean, deviation = _scale(model, len(channels))
    values = mean + deviation * wave
    start = np.datetime64("2026-01-05T00:00:00")
    lines = [f"time,{','.join(channels)}"]
    for step, row in enumerate(values):
        at = start + np.timedelta64(round(step * step_seconds * 1000), "ms")
        cells = ["" if math.isnan(value) else f"{value:.6g}" for value in row]
        lines.append(",".join([str(at.astype("datetime64[s]")), *cells]))
    return "\n".join(lines) + "\n"


def _scale(model: ExportedModel, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel: from the settings, or else from the export's requests."""
    if "mean" in model.settings:
        return np.array(model.settings["mean"]), np.array(model.settings["deviation"])
    values = np.reshape(model.example()["values"], (-1, channels))
    median = np.nanmedian(values, axis=0)
    return median, _NORMAL * np.nanmedian(np.abs(values - median), axis=0)


def _stretches(is_anomaly: np.ndarray, alarm: np.ndarray) -> list[tuple[int, int]]:
    """[start, end) of each event: from an alarm to the last step above the threshold."""
    starts = np.flatnonzero(alarm)
    above = np.flatnonzero(is_anomaly)
    found = []
    for start, following in itertools.pairwise([*starts, len(alarm)]):
        own = above[(above >= start) & (above < following)]
        found.append((int(start), int(own[-1]) + 1 if len(own) else int(start) + 1))
    return found


def _event(
    start: int, end: int, scores: np.ndarray, parts: np.ndarray, channels: list[str]
) -> Event:
    summed = parts[start:end].sum(axis=0)
    most = int(summed.argmax())
    share = float(summed[most] / summed.sum()) if summed.sum() else 0.0
    return Event(start, end, float(scores[start:end].max()), channels[most], share)
