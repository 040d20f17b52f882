"""Builds the signatures of the export, which forecast raw histories, and their requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from apps.forecasting import data, trained_model
from apps.suite.export import assets
from apps.suite.runs import config as config_fields
from apps.suite.serving import limits, signatures

_HISTORY = {
    "values": "float32[b, time, targets]",
    "horizon": "int32",
    signatures.STATES: "any[…]",
}
_FORECAST = {
    "mean": "float32[b, horizon, targets]",
    "quantiles": "float32[b, horizon, targets, levels]",
    "quantile_levels": "float32[b, levels]",
    "unseen": "bool[b]",
}
SIGNATURES = {
    "serving_default": signatures.Signature(_HISTORY, _FORECAST),
    "stream": signatures.Signature(_HISTORY, {**_FORECAST, signatures.STATES: "any[…]"}),
    "closed_loop": signatures.Signature(
        {"horizon": "int32", signatures.STATES: "any[…]"}, _FORECAST
    ),
    "paths": signatures.Signature(
        {**_HISTORY, "count": "int32", "seed": "int32"},
        {"paths": "float32[b, count, horizon, targets]", "unseen": "bool[b]"},
    ),
    "assets": signatures.ASSETS,
}
"""NaN is a missing value. What else `serving_default` takes depends on the data of the training:

past float32[b, time, columns]; known float32[b, time + horizon, columns]; times int64[b, time +
horizon], seconds since 1970 on the clocks of the data; series string[b], its name; static string[b,
columns]. A stream is fed one step or more at a time; its states, what it has read so far, begin as
zeros and are the client's to keep. `closed_loop` goes on from those states without a new value:
known and times are then of the horizon alone. `paths` draws what might come, step by step.
"""

STEPS = ("values", "past", "known", "times")  # inputs with a step for each of the history
RECENT = "recent_"  # begins the names of a stream's states


LIMITS = {
    "horizon": 10_000, "rows_times_steps": 2**18,
    "paths": 1_000, "paths_times_steps": 2**25, "least_path_steps": 2**13,
}  # fmt: skip
"""Bounds of a request, which the graph holds; they stand in settings.json as well.

A trained horizon of one row counts as `least_path_steps`, though its paths may read fewer steps.
"""


class ServedForecaster:
    """Serves a forecaster: raw histories in, quantiles in the units of the data out.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json: what clients need beside the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.forecaster, self.layout = trained.forecaster(), trained.layout
        self.levels = tf.constant(trained.config.forecast.levels, tf.float32)
        self.saved = tf.Module(name="served_forecaster")
        # With the seeds of dropout: Keras puts its masks into the graph, though nobody uses them
        self.saved.weights = [variable.value for variable in trained.network.variables]
        names = self.layout.series_names
        self.saved.table = self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(names), tf.range(1, len(names) + 1, dtype=tf.int32)
            ),
            0,
        )
        contents = {assets.SETTINGS: json.dumps(settings(trained), indent=2) + "\n"}
        self.assets = assets.Assets(contents)
        self.saved.assets = self.assets.saved

    def specs(self) -> dict[str, tf.TensorSpec]:
        """Returns the inputs of a forecast by name; those that the data do not have are absent."""
        layout = self.layout
        sides: dict[str, tuple[list[int | None], tf.DType]] = {
            "values": ([None, None, len(layout.target_names)], tf.float32)
        }
        if layout.past_names:
            sides["past"] = ([None, None, len(layout.past_names)], tf.float32)
        if layout.known_names:
            sides["known"] = ([None, None, len(layout.known_names)], tf.float32)
        if layout.dated:
            sides["times"] = ([None, None], tf.int64)
        if len(layout.series_names) > 1:
            sides["series"] = ([None], tf.string)
        if layout.static_names:
            sides["static"] = ([None, len(layout.static_names)], tf.string)
        sides["horizon"] = ([], tf.int32)
        return {name: tf.TensorSpec(shape, kind, name) for name, (shape, kind) in sides.items()}

    def signatures(self) -> dict[str, Any]:
        """Returns a traceable function by the name of its signature."""
        return {
            "serving_default": tf.function(self.forecast, autograph=False).get_concrete_function(
                **self.specs()
            ),
            "stream": tf.function(self.stream, autograph=False).get_concrete_function(
                **self.specs(), **self.states()
            ),
            "closed_loop": tf.function(self.closed_loop, autograph=False).get_concrete_function(
                **{name: spec for name, spec in self.specs().items()
                   if name not in ("values", "past")},
                **self.states(),
            ),
            "paths": tf.function(self.paths, autograph=False).get_concrete_function(
                **self.specs(),
                **{name: tf.TensorSpec([], tf.int32, name) for name in ("count", "seed")},
            ),
            "assets": self.assets.signature(),
        }  # fmt: skip

    def forecast(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        window, horizon = self.window(inputs)
        return self._answer(window, horizon)

    def paths(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `paths`: what might come, each step drawn after those before it."""
        count, seed = (inputs.pop(name) for name in ("count", "seed"))
        count = limits.checked(count, count > 0, "count must be at least 1")
        count = limits.at_most(count, [count], LIMITS["paths"], "count: paths")
        window, horizon = self.window(inputs)
        horizon = self._bounded(window, horizon, count, self.forecaster.blocks(horizon))
        found = self.forecaster.paths(window, horizon, count, seed)
        return {"paths": found, "unseen": tf.equal(window["series"], 0)}

    def closed_loop(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `closed_loop`: the forecast after all steps that a stream has read."""
        count = inputs[f"{RECENT}count"]
        told = f"{RECENT}count: must be above 0; send stream a step before closed_loop"
        count = limits.checked(count, tf.reduce_all(count > 0), told)
        none = {
            name: tf.zeros([tf.shape(count)[0], 0, *spec.shape[2:]], spec.dtype)
            for name, spec in self.specs().items()
            if name in ("values", "past")
        }
        answer = self.stream(**{**inputs, **none, f"{RECENT}count": count})
        return {name: answer[name] for name in _FORECAST}

    def states(self) -> dict[str, tf.TensorSpec]:
        """Returns the states of a stream: its last `context_steps` steps, and their number."""
        steps = self.forecaster.context
        specs = {f"{RECENT}count": tf.TensorSpec([None], tf.int32, f"{RECENT}count")}
        for name, spec in self.specs().items():
            if name in STEPS:
                shape = [None, steps, *spec.shape[2:]]
                specs[RECENT + name] = tf.TensorSpec(shape, spec.dtype, RECENT + name)
        return specs

    def stream(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `stream`: the forecast after all steps so far."""
        window, horizon = self.window(inputs)
        length = self.forecaster.context
        time = tf.shape(window["values"])[1]
        count = inputs[f"{RECENT}count"]
        places = tf.range(length)[None]
        is_there = places >= length - count[:, None]
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
        return {**self._answer(window, horizon), **after}

    def _answer(self, window: dict[str, tf.Tensor], horizon: tf.Tensor) -> dict[str, tf.Tensor]:
        beyond = tf.where(horizon > self.forecaster.block, self.forecaster.blocks(horizon), 0)
        horizon = self._bounded(window, horizon, self.forecaster.config.model.path_count, beyond)
        mean, quantiles = self.forecaster.forecast(window, horizon)
        batch = tf.shape(mean)[0]
        return {
            "mean": mean,
            "quantiles": quantiles,
            "quantile_levels": tf.tile(self.levels[None], [batch, 1]),
            "unseen": tf.equal(window["series"], 0),
        }

    def _bounded(
        self,
        window: dict[str, tf.Tensor],
        horizon: tf.Tensor,
        paths: tf.Tensor | int,
        blocks: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the horizon after a check that its paths do not take for ever."""
        of = self.forecaster
        told = "horizon: rows times targets, paths and steps that they read and draw"
        factors = [
            tf.maximum(tf.shape(window["values"])[0], 1), len(self.layout.target_names), blocks,
            tf.maximum(paths * (of.context + of.block), LIMITS["least_path_steps"]),
        ]  # fmt: skip
        return limits.at_most(horizon, factors, LIMITS["paths_times_steps"], told)

    def window(self, inputs: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Returns a whole window, and the horizon, after the checks that both have to pass."""
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
        if self.forecaster.config.model.log:
            holds = tf.reduce_all(tf.math.is_nan(values) | (values > 0))
            values = limits.checked(values, holds, "values: the model needs values above 0")
        for name, wanted in (("past", time), ("known", time + horizon), ("times", time + horizon)):
            if name in inputs:
                told = f"{name} must have a step for each of values"
                if name != "past":
                    told += " and of the horizon"
                checks.append(tf.debugging.assert_equal(tf.shape(inputs[name])[1], wanted, told))
        layout = self.layout
        empty = tf.zeros([batch, time + horizon, 0])
        times = inputs.get("times", tf.zeros([batch, time + horizon], tf.int64))
        series = tf.ones([batch], tf.int32)
        if "series" in inputs:
            series = self.table.lookup(inputs["series"])
        window = {
            "values": values,
            "past": inputs.get("past", empty[:, :time]),
            "known": inputs.get("known", empty),
            "times": tf.cast(times, tf.float64),
            "static": tf.zeros([batch, 0]),
            "series": series,
        }
        if layout.static_names:
            window["static"] = data.static_in_graph(inputs["static"], layout)
        with tf.control_dependencies(checks):
            return {**window, "values": tf.identity(values)}, tf.identity(horizon)


def settings(trained: trained_model.TrainedModel) -> dict[str, Any]:
    """Returns all that a client needs to read files for the model and to name its answers."""
    layout, config = trained.layout, trained.config
    return {
        "context_steps": config.model.context_steps,
        "path_count": config.model.path_count,
        "horizon_steps": config.forecast.horizon_steps,
        "levels": list(config.forecast.levels),
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
        "data_format": config_fields.to_dict(config.data_format),
        "limits": LIMITS,
    }


def served(run: Path) -> ServedForecaster:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedForecaster(trained_model.load(run))
