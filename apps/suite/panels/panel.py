"""Series side by side with their covariates, and windows that are cut out of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.suite.data import account


@dataclass(frozen=True)
class Series:
    """One series of steps: its history, and the future of what is known ahead.

    Attributes:
        name: of the series.
        times: float64 [steps], seconds since 1970 UTC; 0, 1, 2, … where the panel is not dated.
        target, past, known: float32 [steps, columns], NaN where missing.
        length: steps of the history; later ones have no target.
        train_end, validation_end: the parts are [0, train_end), [train_end, validation_end) and
            [validation_end, length).
        static: what stays the same, as text by column; "" where missing.
    """

    name: str
    times: np.ndarray
    target: np.ndarray
    past: np.ndarray
    known: np.ndarray
    length: int
    train_end: int
    validation_end: int
    static: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """Series with the same columns, and their origin.

    Attributes:
        fingerprint: SHA-256 of the data.
        split: a sentence on the division into parts.
        season: steps of the season, where the set says so; None = to be found.
        dated: true if there were times.
        step_seconds: from a step to the next, the median where they differ.
        notes: sentences on what reading understood, for the user.
    """

    name: str
    licence: str
    source: str
    fingerprint: str
    split: str
    target_names: tuple[str, ...]
    past_names: tuple[str, ...]
    known_names: tuple[str, ...]
    static_names: tuple[str, ...]
    series: tuple[Series, ...]
    dated: bool
    step_seconds: float
    time_zone: str = "UTC"
    season: int | None = None
    notes: tuple[str, ...] = ()


def understood(panel: Panel) -> str:
    """Returns what was understood of the data, in a few lines."""
    steps = sum(one.length for one in panel.series)
    pace = f", a step every {panel.step_seconds:,.0f} s" if panel.dated else ""
    rows = [
        ("data", f"{panel.name}: {len(panel.series):,} series of {steps:,} steps in all{pace}"),
        ("to forecast", ", ".join(panel.target_names)),
        ("known ahead", ", ".join(panel.known_names)),
        ("known later", ", ".join(panel.past_names)),
        ("static", ", ".join(panel.static_names)),
        ("parts", panel.split),
    ]
    return account.lines(rows)


def origins(one: Series, part: str, horizon: int, every: int, least: int = 1) -> np.ndarray:
    """Returns the first forecast steps, int64, so that all `horizon` steps lie in the part.

    They are `every` steps apart, and the last of them is as late as it can be: no window at the
    end is left out, and of a part that is shorter than the horizon there is none. Before each
    stand `least` steps, unless the series is too short for it.
    """
    begin, end = {
        "train": (1, one.train_end),
        "validation": (one.train_end, one.validation_end),
        "test": (one.validation_end, one.length),
    }[part]
    begin = min(max(begin, least), max(begin, end - horizon))
    return np.arange(end - horizon, begin - 1, -every, dtype=np.int64)[::-1]


def windows(
    panel: Panel, rows: Sequence[tuple[int, int]], context: int, horizon: int
) -> dict[str, np.ndarray]:
    """Cuts a window for each (place of the series, origin): what is known before the origin.

    Steps before the series, and covariates that end early, are NaN; times go on evenly there.

    Returns:
        values float32 [rows, context, targets], past float32 [rows, context, columns], known
        float32 [rows, context + horizon, columns], times float64 [rows, context + horizon] on the
        clocks of the panel's zone, and truth float32 [rows, horizon, targets].
    """
    whole = context + horizon
    found: dict[str, list[np.ndarray]] = {}
    for at, origin in rows:
        one = panel.series[at]
        cut = {
            "values": _cut(one.target[: one.length], origin - context, context),
            "past": _cut(one.past[: one.length], origin - context, context),
            "known": _cut(one.known, origin - context, whole),
            "times": _clock(_times(one, panel, origin - context, whole), panel),
            "truth": _cut(one.target[: one.length], origin, horizon),
        }
        for name, array in cut.items():
            found.setdefault(name, []).append(array)
    return {name: np.stack(arrays) for name, arrays in found.items()}


def forward(panel: Panel, horizon: int) -> Panel:
    """Returns the panel with `horizon` steps after each history, unknown where nothing is given."""

    def longer(one: Series) -> Series:
        count = one.length + horizon
        return dataclasses.replace(
            one,
            times=_times(one, panel, 0, count),
            target=_cut(one.target, 0, count),
            past=_cut(one.past, 0, count),
            known=_cut(one.known, 0, count),
        )

    return dataclasses.replace(panel, series=tuple(map(longer, panel.series)))


def _cut(array: np.ndarray, start: int, count: int) -> np.ndarray:
    """Returns rows [start, start + count), NaN where there are none."""
    found = np.full((count, array.shape[1]), np.nan, np.float32)
    inside = slice(max(0, start), min(len(array), start + count))
    if inside.start < inside.stop:
        found[inside.start - start : inside.stop - start] = array[inside]
    return found


def _times(one: Series, panel: Panel, start: int, count: int) -> np.ndarray:
    steps = np.arange(start, start + count)
    inside = np.clip(steps, 0, len(one.times) - 1)
    return np.asarray(one.times[inside] + (steps - inside) * panel.step_seconds, np.float64)


def _clock(times: np.ndarray, panel: Panel) -> np.ndarray:
    """Returns times of UTC as the clocks of the panel's zone show them."""
    if panel.time_zone == "UTC" or not panel.dated:
        return times
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = pa.array(np.rint(times).astype(np.int64)).cast(pa.timestamp("s", panel.time_zone))
    local: Any = pc.local_timestamp(moments).cast(pa.int64())
    return np.asarray(local.to_numpy(zero_copy_only=False), np.float64)
