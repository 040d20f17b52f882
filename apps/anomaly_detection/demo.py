"""Builds the tab of the demo page that finds anomalies in measurements and draws them."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import matplotlib.axes
import matplotlib.dates
import numpy as np

from apps.suite.demo import asked_text, elements
from apps.suite.evaluation import plot_style
from apps.suite.export import asking
from apps.suite.tables import rows as table_rows

MOST_STEPS = 100_000  # that the page shows
_EXAMPLE_STEPS, _EXAMPLE_PERIOD_STEPS, _MOST_EXAMPLE_STEPS = 240, 48, 5_000
_NORMAL = 1.4826  # deviation of a normal distribution, in median absolute deviations


class Event(NamedTuple):
    """A stretch above the threshold."""

    start: int  # steps
    end: int  # after the last
    highest: float  # score
    channel: str  # with the largest part of the score
    share: float  # of the score, by that channel


class Watched(NamedTuple):
    """Measurements, and the scores and events that the model found in them."""

    given: table_rows.Measurements
    channels: list[str]
    scores: np.ndarray  # float32 [steps]
    threshold: float
    events: list[Event]


def channels_of(model: asking.ExportedModel) -> list[str]:
    """Returns the names of the columns that the model reads, in order."""
    named = model.settings.get("channel_names")
    if named is None:  # of an export without settings; the signature says it as well
        shape = model.inputs["serving_default"]["values"].shape or [1]
        answer = model.ask(values=np.zeros((1, 1, shape[-1] or 1), np.float32))
        named = [name.decode() for name in answer["channel_names"][0]]
    return list(named)


def watch(model: asking.ExportedModel, text: str | None) -> Watched:
    """Returns scores and events of the measurements in a csv text.

    Raises:
        UserError: see `table_rows.read_text`; or what the model refuses.
    """
    channels = channels_of(model)
    data_format = model.settings.get("data_format")
    given = table_rows.read_text(text or "", channels, MOST_STEPS, data_format)
    answer = model.ask(values=given.values[None])
    scores, parts = answer["score"][0], answer["contribution"][0]
    events = [
        _event(start, end, scores, parts, channels)
        for start, end in _stretches(answer["is_anomaly"][0], answer["alarm"][0])
    ]
    return Watched(given, channels, scores, float(np.ravel(answer["threshold"])[0]), events)


def example_csv(model: asking.ExportedModel) -> str:
    """Returns the export's own example, or a made-up wave around the known means, with faults."""
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


def _scale(model: asking.ExportedModel, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and deviation of each channel, from the settings or the export's requests."""
    if "mean" in model.settings:
        return np.array(model.settings["mean"]), np.array(model.settings["deviation"])
    values = np.reshape(model.example()["values"], (-1, channels))
    median = np.nanmedian(values, axis=0)
    return median, _NORMAL * np.nanmedian(np.abs(values - median), axis=0)


def _stretches(is_anomaly: np.ndarray, alarm: np.ndarray) -> list[tuple[int, int]]:
    """Returns [start, end) of each event: from an alarm to the last step above the threshold."""
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


_MOST_CHANNELS = 3
_MOST_POINTS = 4_000  # of a curve; of more, the least and the greatest of each stretch are drawn


def picture(watched: Watched) -> str:
    """Draws the channels with the largest parts in the events, and the scores below them."""
    shown = _chosen(watched)
    rows = len(shown) + 1
    title = "Measurements above, scores below"

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.axis("off")
        height = 1 / rows
        x = np.arange(len(watched.scores)) if watched.given.times is None else watched.given.times
        panels = [axes.inset_axes((0.0, 0.0, 1.0, 0.82 * height))]
        for place in range(len(shown)):
            bottom = (rows - 1 - place) * height
            panels.append(axes.inset_axes((0.0, bottom, 1.0, 0.86 * height), sharex=panels[0]))
        scores, *channels = panels
        for panel, at in zip(channels, shown, strict=True):
            panel.plot(*thinned(x, watched.given.values[:, at]), color=theme.ink, linewidth=1)
            panel.set_ylabel(watched.channels[at])
            panel.tick_params(labelbottom=False)
        scores.plot(*thinned(x, watched.scores), color=theme.model, linewidth=1, label="score")
        scores.axhline(watched.threshold, color=theme.other, linestyle="dashed", label="threshold")
        scores.set_ylabel("score")
        highest = max(float(watched.scores.max()), watched.threshold)
        if watched.threshold > 0 and highest > 8 * watched.threshold:
            scores.set_yscale("log")
            scores.set_ylim(bottom=watched.threshold / 30)
        else:
            scores.set_ylim(0, 1.1 * max(highest, 1e-12))
        for panel in panels:
            for at, event in enumerate(watched.events):
                named = "alarm" if at == 0 and panel is scores else None
                panel.axvspan(
                    x[event.start], x[min(event.end, len(x) - 1)], color=theme.model,
                    alpha=0.25, linewidth=0, label=named,
                )  # fmt: skip
        for panel in channels[:1]:
            panel.plot(
                x[[event.start for event in watched.events]], np.ones(len(watched.events)),
                transform=panel.get_xaxis_transform(), marker="v", linestyle="none",
                color=theme.model, markersize=6, clip_on=False,
            )  # fmt: skip
        for panel in panels:
            panel.margins(x=0)
            panel.tick_params(length=0)
        if watched.given.times is None:
            scores.set_xlabel("step")
        else:
            locator = matplotlib.dates.AutoDateLocator(minticks=3, maxticks=7)
            scores.xaxis.set_major_locator(locator)
            scores.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
            scores.set_xlabel("time")
        handles, names = scores.get_legend_handles_labels()
        axes.legend(
            handles, names, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False,
            labelcolor=theme.ink,
        )  # fmt: skip

    told = (
        f"{', '.join(watched.channels[at] for at in shown)} over {len(watched.scores):,} steps; "
        f"the score is above the threshold of {watched.threshold:.3g} in "
        f"{len(watched.events)} events."
    )
    return elements.picture(title, told, draw, height_inches=1.4 + 1.5 * rows)


def _chosen(watched: Watched) -> list[int]:
    """Returns the channels to draw: those with the largest parts in the events, in order."""
    parts = dict.fromkeys(watched.channels, 0.0)
    for event in watched.events:
        parts[event.channel] += event.share
    order = sorted(range(len(watched.channels)), key=lambda at: -parts[watched.channels[at]])
    return sorted(order[:_MOST_CHANNELS])


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thins a curve out; each stretch keeps its least and its greatest value."""
    if len(y) <= _MOST_POINTS:
        return x, y
    width = -(-2 * len(y) // _MOST_POINTS)
    kept = []
    for start in range(0, len(y), width):
        part = y[start : start + width]
        if not np.isnan(part).all():
            kept += [start + int(np.nanargmin(part)), start + int(np.nanargmax(part))]
    at = np.unique(kept)
    return x[at], y[at]


TITLE = "Anomalies"
EXPLAINED = "Give measurements over time; the model marks the stretches that it finds unusual."
_DAY_SECONDS = 86_400
_COLUMNS = ("event", "from", "to", "steps", "highest score")


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""

    def show(given: str) -> str:
        watched = watch(model, given)
        return (
            elements.heading(summary(watched), spacing(model, watched))
            + picture(watched)
            + table(watched)
        )

    asked_text.tab(
        show,
        lambda: example_csv(model),
        label="the csv itself",
        placeholder=f"time,{','.join(channels_of(model))}\n…",
        button="Look for anomalies",
        hint=_wanted(model),
        files=True,
    )


def _wanted(model: asking.ExportedModel) -> str:
    """Describes the columns that a csv must have."""
    seconds = model.settings.get("step_seconds")
    step = f", one row each {_duration(seconds)}" if seconds else ""
    named = ", ".join(channels_of(model))
    return f"Columns: {named}{step}; a column of times if there is one. Empty cells are missing."


def summary(watched: Watched) -> str:
    """Counts the events in a line of text."""
    count, steps = len(watched.events), len(watched.scores)
    what = "1 event" if count == 1 else f"{count:,} events" if count else "nothing unusual"
    return f"{what} in {steps:,} {'step' if steps == 1 else 'steps'}"


def spacing(model: asking.ExportedModel, watched: Watched) -> str:
    """Warns where the spacing of the rows differs from that of the training."""
    learned, times = model.settings.get("step_seconds"), watched.given.times
    if not learned or times is None or len(times) < 2:
        return ""
    apart = float(np.median(np.diff(times) / np.timedelta64(1, "s")))
    if abs(apart - learned) <= 0.01 * learned:
        return ""
    return (
        f"The rows are {_duration(apart)} apart; the model learned from steps of "
        f"{_duration(learned)}, so its scores mean little here."
    )


def _duration(seconds: float) -> str:
    for unit, length in (("d", _DAY_SECONDS), ("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def table(watched: Watched) -> str:
    """Lists the events with their times, or with the numbers of their steps, from 1."""
    if not watched.events:
        return ""

    times = watched.given.times
    whole_minutes = times is not None and not (times.astype("datetime64[s]").view(int) % 60).any()

    def when(step: int) -> str:
        if times is None:
            return f"step {step + 1:,}"
        return str(times[step].astype(f"datetime64[{'m' if whole_minutes else 's'}]"))

    several = len(watched.channels) > 1
    rows = [
        (
            at,
            when(event.start).replace("T", " "),
            when(event.end - 1).replace("T", " "),
            event.end - event.start,
            f"{event.highest:.2f}",
            *([f"{event.channel} ({event.share:.0%})"] if several else []),
        )
        for at, event in enumerate(watched.events, 1)
    ]
    columns = (*_COLUMNS, "mostly by") if several else _COLUMNS
    return elements.table(columns, rows, f"Events; the threshold is {watched.threshold:.2f}")
