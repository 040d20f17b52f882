"""Reads inputs of signatures over histories: checks, whole windows, states; and draws requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.export import saved_model
from apps.suite.panels import config as configs
from apps.suite.panels import layout as layouts
from apps.suite.runs import config as config_fields
from apps.suite.serving import limits, warmup_requests

STEPS = ("values", "past", "known", "times")  # inputs with a step for each of the history
RECENT = "recent_"  # begins the names of a stream's states
LIMITS = {"horizon": 10_000, "rows_times_steps": 2**18}  # of a request, held by the graph


Answer = Callable[..., dict[str, tf.Tensor]]
"""Answers the inputs of a signature."""


class Histories:
    """The inputs of histories that are laid out as those of the training.

    Args:
        layout: of the training.
        context: steps that the model reads.
        is_positive: whether all values have to be above 0.

    Attributes:
        table: of the series' names, from 1 on; 0 is a new one. It has to be saved.
    """

    def __init__(self, layout: layouts.Layout, context: int, is_positive: bool) -> None:
        self.layout, self.context, self.is_positive = layout, context, is_positive
        names = layout.series_names
        numbers = tf.range(1, len(names) + 1, dtype=tf.int32)
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(names), numbers), 0
        )

    def specs(self) -> dict[str, tf.TensorSpec]:
        """Returns the inputs of a forecast by name; those that the data do not have are absent."""
        layout = self.layout
        count = {
            name: len(getattr(layout, f"{name}_names")) for name in ("past", "known", "static")
        }
        sides: dict[str, tuple[list[int | None], tf.DType]] = {
            "values": ([None, None, len(layout.target_names)], tf.float32),
            **{name: ([None, None, count[name]], tf.float32)
               for name in ("past", "known") if count[name]},
        }  # fmt: skip
        if layout.dated:
            sides["times"] = ([None, None], tf.int64)
        if len(layout.series_names) > 1:
            sides["series"] = ([None], tf.string)
        if count["static"]:
            sides["static"] = ([None, count["static"]], tf.string)
        sides["horizon"] = ([], tf.int32)
        return {name: tf.TensorSpec(shape, kind, name) for name, (shape, kind) in sides.items()}

    def window(self, inputs: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Returns a whole window, and the horizon, after the checks that both have to pass.

        The window has values, past, known, times, static and series, whatever was given.
        """
        values, horizon = inputs["values"], inputs["horizon"]
        batch, time = tf.unstack(tf.shape(values)[:2])
        checks = [tf.debugging.assert_positive(horizon, "horizon must be at least 1")]
        horizon = limits.at_most(
            tf.maximum(horizon, 1), [horizon], LIMITS["horizon"], "horizon: steps"
        )
        told = "values: rows times steps and horizon"
        sizes = [tf.maximum(batch, 1), time + horizon]
        values = limits.at_most(values, sizes, LIMITS["rows_times_steps"], told)
        inputs = {**inputs, "values": values}
        for name in ("values", "past", "known"):
            if name in inputs:
                told = f"{name}: one is infinite, or beyond float32; a missing value is NaN"
                holds = tf.reduce_all(~tf.math.is_inf(inputs[name]))
                inputs[name] = limits.checked(inputs[name], holds, told)
        values = inputs["values"]
        if self.is_positive:
            holds = tf.reduce_all(tf.math.is_nan(values) | (values > 0))
            values = limits.checked(values, holds, "values: the model needs values above 0")
        for name, wanted in (("past", time), ("known", time + horizon), ("times", time + horizon)):
            if name in inputs:
                told = f"{name} must have a step for each of values"
                if name != "past":
                    told += " and of the horizon"
                checks.append(tf.debugging.assert_equal(tf.shape(inputs[name])[1], wanted, told))
        empty = tf.zeros([batch, time + horizon, 0])
        times = inputs.get("times", tf.zeros([batch, time + horizon], tf.int64))
        series, static = tf.ones([batch], tf.int32), tf.zeros([batch, 0])
        if "series" in inputs:
            series = self.table.lookup(inputs["series"])
        if self.layout.static_names:
            static = layouts.static_in_graph(inputs["static"], self.layout)
        window = {
            "values": values,
            "past": inputs.get("past", empty[:, :time]),
            "known": inputs.get("known", empty),
            "times": tf.cast(times, tf.float64),
            "static": static,
            "series": series,
        }
        with tf.control_dependencies(checks):
            return {**window, "values": tf.identity(values)}, tf.identity(horizon)

    def states(self) -> dict[str, tf.TensorSpec]:
        """Returns the states of a stream: its last `context` steps, and their number."""
        specs = {f"{RECENT}count": tf.TensorSpec([None], tf.int32, f"{RECENT}count")}
        for name, spec in self.specs().items():
            if name in STEPS:
                shape = [None, self.context, *spec.shape[2:]]
                specs[RECENT + name] = tf.TensorSpec(shape, spec.dtype, RECENT + name)
        return specs

    def continued(
        self, inputs: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the window of a stream's states and new steps, the horizon, the new states."""
        window, horizon = self.window(inputs)
        length, time = self.context, tf.shape(window["values"])[1]
        count = inputs[f"{RECENT}count"]
        is_there = tf.range(length)[None] >= length - count[:, None]
        step = tf.cast(tf.range(-length, 0), tf.float64)[None] * self.layout.step_seconds
        after = {f"{RECENT}count": tf.minimum(count + time, length)}
        for name in STEPS:
            if name not in inputs:
                blank = tf.zeros([tf.shape(count)[0], length, *window[name].shape[2:]])
                before = tf.cast(blank, window[name].dtype)
            elif name == "times":
                before = tf.cast(inputs[RECENT + name], tf.float64)
                before = tf.where(is_there, before, window[name][:, :1] + step)
            else:
                before = tf.where(is_there[:, :, None], inputs[RECENT + name], float("nan"))
            window[name] = tf.concat([before, window[name]], axis=1)
            if name in inputs:
                recent = window[name][:, time : time + length]
                after[RECENT + name] = tf.cast(recent, inputs[name].dtype)
        return window, horizon, after

    def without_news(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the inputs of `continued` for a stream's states and no new step after them."""
        count = inputs[f"{RECENT}count"]
        told = f"{RECENT}count: must be above 0; send stream a step before closed_loop"
        count = limits.checked(count, tf.reduce_all(count > 0), told)
        none = {
            name: tf.zeros([tf.shape(count)[0], 0, *spec.shape[2:]], spec.dtype)
            for name, spec in self.specs().items()
            if name in ("values", "past")
        }
        return {**inputs, **none, f"{RECENT}count": count}


def by_row(ask: Answer, inputs: dict[str, Any], rows: int) -> dict[str, np.ndarray]:
    """Returns the answers of Keras to each row alone."""
    answers = [
        ask(
            **{
                name: tf.constant(array if not np.ndim(array) else array[row : row + 1])
                for name, array in inputs.items()
            }
        )
        for row in range(rows)
    ]
    return {name: np.concatenate([each[name].numpy() for each in answers]) for name in answers[0]}


def streamed(read: Histories, forecast: Answer, rows: int) -> list[warmup_requests.Request]:
    """Returns requests for a first chunk, from states of zeros, for one step after it, and beyond.

    The answers are those of the whole history so far, and states that NumPy keeps.
    """
    time, horizon, length = 7, 3, read.context
    whole = example(read, rows, time, horizon)
    states = {
        name: np.zeros([rows, *spec.shape[1:]], spec.dtype.as_numpy_dtype)
        for name, spec in read.states().items()
    }
    found = []
    for start, end in ((0, time - 1), (time - 1, time)):
        until = {
            name: array[:, : end + (horizon if name in ("known", "times") else 0)]
            if name in STEPS
            else array
            for name, array in whole.items()
        }
        chunk = {name: array[:, start:] if name in STEPS else array
                 for name, array in until.items()}  # fmt: skip
        answers = forecast(**{name: tf.constant(array) for name, array in until.items()})
        after = {f"{RECENT}count": np.full(rows, min(end, length), np.int32)}
        for name in states:
            of = name.removeprefix(RECENT)
            if of in STEPS:
                array = until[of][:, :end]
                blank = np.full([rows, length, *array.shape[2:]], np.nan)
                if of == "times":
                    step = np.arange(-length, 0) * read.layout.step_seconds
                    blank = until[of][:, :1] + step
                joined = np.concatenate([blank, array], axis=1)[:, -length:]
                after[name] = joined.astype(states[name].dtype)
        told = {name: each.numpy() for name, each in answers.items()} | after
        found.append(warmup_requests.Request("stream", {**chunk, **states}, told))
        states = after
    future = {name: array[:, -horizon:] if name in STEPS else array
              for name, array in whole.items() if name not in ("values", "past")}  # fmt: skip
    told = {name: each.numpy() for name, each in answers.items()}
    return [*found, warmup_requests.Request("closed_loop", {**future, **states}, told)]


def example(read: Histories, rows: int, time: int, horizon: int) -> dict[str, Any]:
    """Draws inputs with gaps and a new series among them, well above the usual level."""
    draw, layout = np.random.default_rng(rows), read.layout
    whole = time + horizon
    step = max(1, round(layout.step_seconds))
    # Far from 0: near it the rounding of a level of thousands would look like a difference
    base = abs(layout.level) + 20 * layout.spread
    values = base + layout.spread * draw.normal(size=(rows, time, len(layout.target_names)))
    values[draw.random(values.shape) < 0.1] = np.nan

    def drawn(scale: tuple[tuple[float, float], ...], steps: int) -> np.ndarray:
        mean, deviation = np.array(scale or [(0.0, 1.0)][:0]).reshape(-1, 2).T
        found = mean + deviation * draw.normal(size=(rows, steps, len(scale)))
        return found.astype(np.float32)

    names = [*layout.series_names[: rows - 1], "no such series"][:rows]
    static = [["" if at else "0"] * len(layout.static_names) for at in range(rows)]
    inputs = {
        "values": values.astype(np.float32),
        "past": drawn(layout.past_scale, time),
        "known": drawn(layout.known_scale, whole),
        "times": 1_700_000_000 + step * np.arange(whole) + np.zeros((rows, 1), np.int64),
        "series": np.array([name.encode() for name in names], object),
        "static": np.array([[text.encode() for text in row] for row in static], object),
        "horizon": np.int32(horizon),
    }
    return {name: inputs[name] for name in read.specs()}


def settings(layout: layouts.Layout, form: configs.PanelFormatConfig) -> dict[str, Any]:
    """Returns what a client needs to read files as the training read its own."""
    return {
        "target_names": layout.target_names,
        "past_names": layout.past_names,
        "known_names": layout.known_names,
        "static_names": layout.static_names,
        "dated": layout.dated,
        "series_count": len(layout.series_names),
        "step_seconds": layout.step_seconds,
        "time_zone": layout.time_zone,
        "level": layout.level,
        "spread": layout.spread,
        "data_format": config_fields.to_dict(form),
    }


def tell(version: Path) -> None:
    """Prints how an export is asked, with a request of three steps at the usual level."""
    learned = json.loads((version / "assets" / "settings.json").read_text("utf-8"))
    level, steps = round(learned["level"], 3), 3
    inputs: dict[str, Any] = {
        "values": [[[level] * len(learned["target_names"])] * steps],
        "horizon": 1,
    }
    for name, more in (("past", 0), ("known", 1)):
        if learned[f"{name}_names"]:
            inputs[name] = [[[0.0] * len(learned[f"{name}_names"])] * (steps + more)]
    if learned["dated"]:
        step = round(learned["step_seconds"])
        inputs["times"] = [[1_700_000_000 + step * at for at in range(steps + 1)]]
    if learned["series_count"] > 1:
        inputs["series"] = ["a new one"]
    if learned["static_names"]:
        inputs["static"] = [[""] * len(learned["static_names"])]
    saved_model.tell(version, "quantiles", json.dumps({"inputs": inputs}))
