"""Reads panels to learn from, and histories for an export that forecasts them; makes its requests.

An export's settings.json says what a file has to hold: the roles of its columns, their step, the
steps that are read, and how the training read its own files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.suite import errors
from apps.suite.export import asking
from apps.suite.panels import config as configs
from apps.suite.panels import named, own_tables
from apps.suite.panels import panel as panels
from apps.suite.tables import reader
from apps.suite.tables import rows as table_rows

INPUTS = frozenset(["values", "past", "known", "times", "series", "static", "horizon"])
"""Inputs that signatures over histories may have."""


def of_training(name: str, form: configs.PanelFormatConfig) -> panels.Panel:
    """Reads series to learn from: a csv or parquet file, or a named set.

    Raises:
        UserError: nothing of that name, or data that cannot be read, with place and reason.
    """
    path = Path(name).expanduser()
    if path.exists() or reader.suffix(path) or name.startswith((".", "/", "~")):
        return own_tables.read(path, form)
    return named.read(name, form)


def read(
    path: Path, settings: Mapping[str, Any], known: Path | None = None, static: Path | None = None
) -> panels.Panel:
    """Reads a file of histories, each of which ends where its future begins.

    Args:
        path: csv or parquet, with the columns of the training.
        settings: of the export.
        known: a file of what is known ahead; rows without a target do as well.
        static: a file of static columns; none = that of the training.

    Raises:
        UserError: a file that cannot be read, or that lacks a column of the training.
    """
    kept: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings["data_format"].items()
    }
    if static is not None:
        kept["static"] = str(static)
    columns = own_tables.Columns(
        target=tuple(settings["target_names"]),
        past=tuple(settings["past_names"]),
        known=tuple(settings["known_names"]),
        static=tuple(settings["static_names"]),
        step_seconds=float(settings["step_seconds"]),
    )
    form = configs.PanelFormatConfig(**kept)
    panel = own_tables.read_history(path, form, columns, known)
    if panel.dated != settings["dated"]:
        has, had = ("has", "none") if panel.dated else ("has no", "some")
        raise errors.UserError(f"{path}: {has} times, and the training had {had}")
    return panel


def check(panel: panels.Panel, horizon: int, option: str = "") -> None:
    """Raises UserError for a series without a value, or a column known ahead that ends early.

    Args:
        panel: of `read`.
        horizon: steps to forecast.
        option: of the command that names a file of what is known ahead, where it has one.
    """
    way = "add rows without a target" + (f", or give {option} FILE" if option else "")
    for one in panel.series:
        if not one.length:
            raise errors.UserError(f"{panel.source}: {one.name} has no value to go on from")
    for one in panel.series:
        ahead = one.known[one.length : one.length + horizon]
        for at, name in enumerate(panel.known_names):
            column = ahead[:, at]
            empty = np.flatnonzero(~np.isfinite(column))
            first = int(empty[0]) if len(empty) else len(column)
            if first < horizon:
                longer = panels.forward(dataclasses.replace(panel, series=(one,)), horizon)
                time = longer.series[0].times[one.length + first]
                moment = own_tables.written(time, panel.dated)
                raise errors.UserError(
                    f"{panel.source}: {one.name}: {name} is missing at {moment}, step {first + 1} "
                    f"of {horizon} ahead; {way}"
                )


def request(
    panel: panels.Panel,
    rows: Sequence[tuple[int, int]],
    context: int,
    horizon: int,
    wanted: Collection[str],
) -> dict[str, Any]:
    """Returns the inputs that a signature takes of some windows: (place of the series, origin).

    Args:
        panel: of the series.
        rows: the windows.
        context: steps that the model reads.
        horizon: steps to forecast.
        wanted: names of the signature's inputs.
    """
    cut = panels.windows(panel, rows, context, horizon)
    named = [panel.series[at] for at, _ in rows]
    inputs = {
        "values": cut["values"],
        "past": cut["past"],
        "known": cut["known"],
        "times": np.rint(cut["times"]).astype(np.int64),
        "series": np.array([one.name.encode() for one in named], object),
        "static": np.array([[text.encode() for text in one.static] for one in named], object),
        "horizon": np.int32(horizon),
    }
    return {name: array for name, array in inputs.items() if name in wanted}


def pasted(model: asking.Model, given: table_rows.Measurements, horizon: int) -> dict[str, Any]:
    """Returns a request for one history; covariates are left missing, and the series is new."""
    wanted = model.inputs["serving_default"]
    time, whole = len(given.values), len(given.values) + horizon
    step = float(model.setting("step_seconds"))
    start = 0.0
    if given.times is not None:
        start = float(given.times[0].astype("datetime64[s]").astype(np.int64))
    asked: dict[str, Any] = {"values": given.values[None], "horizon": np.int32(horizon)}
    for name, steps in (("past", time), ("known", whole)):
        if name in wanted:
            count = len(model.setting(f"{name}_names"))
            asked[name] = np.full((1, steps, count), np.nan, np.float32)
    if "times" in wanted:
        asked["times"] = np.rint(start + step * np.arange(whole)).astype(np.int64)[None]
    if "series" in wanted:
        asked["series"] = np.array([b"?"], object)
    if "static" in wanted:
        asked["static"] = np.array([[b""] * len(model.setting("static_names"))], object)
    return asked


def example_csv(model: asking.Model) -> str:
    """Returns a made-up history around the level of the training, with the season of a day."""
    step, level = float(model.setting("step_seconds")), float(model.setting("level"))
    period = 86_400 / step if 1 < 86_400 / step < 200 else 12.0
    count = min(int(model.setting("context_steps")), int(28 * period))
    wave = np.sin(2 * np.pi * np.arange(count) / period)
    noise = np.random.default_rng(0).normal(0, 0.2, count)
    values = level + float(model.setting("spread")) * (wave + noise)
    names = model.setting("target_names")
    lines = [",".join(["time", *names])]
    for at, value in enumerate(values):
        moment = np.datetime64("2024-01-01T00:00:00") + np.timedelta64(round(at * step), "s")
        lines.append(",".join([str(moment), *[f"{value:.6g}"] * len(names)]))
    return "\n".join(lines) + "\n"
