"""Builds the signatures of the export, which forecast raw histories, and their requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.forecasting import trained_model
from apps.suite.export import assets
from apps.suite.panels import served as histories
from apps.suite.serving import limits, signatures, warmup_requests

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

LIMITS = {
    **histories.LIMITS,
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
        self.read = histories.Histories(
            self.layout, self.forecaster.context, trained.config.model.log
        )
        self.saved.table = self.read.table
        contents = {assets.SETTINGS: json.dumps(settings(trained), indent=2) + "\n"}
        self.assets = assets.Assets(contents)
        self.saved.assets = self.assets.saved

    def signatures(self) -> dict[str, Any]:
        """Returns a traceable function by the name of its signature."""
        return {
            "serving_default": tf.function(self.forecast, autograph=False).get_concrete_function(
                **self.read.specs()
            ),
            "stream": tf.function(self.stream, autograph=False).get_concrete_function(
                **self.read.specs(), **self.read.states()
            ),
            "closed_loop": tf.function(self.closed_loop, autograph=False).get_concrete_function(
                **{name: spec for name, spec in self.read.specs().items()
                   if name not in ("values", "past")},
                **self.read.states(),
            ),
            "paths": tf.function(self.paths, autograph=False).get_concrete_function(
                **self.read.specs(),
                **{name: tf.TensorSpec([], tf.int32, name) for name in ("count", "seed")},
            ),
            "assets": self.assets.signature(),
        }  # fmt: skip

    def forecast(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        window, horizon = self.read.window(inputs)
        return self._answer(window, horizon)

    def paths(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `paths`: what might come, each step drawn after those before it."""
        count, seed = (inputs.pop(name) for name in ("count", "seed"))
        count = limits.checked(count, count > 0, "count must be at least 1")
        count = limits.at_most(count, [count], LIMITS["paths"], "count: paths")
        window, horizon = self.read.window(inputs)
        horizon = self._bounded(window, horizon, count, self.forecaster.blocks(horizon))
        found = self.forecaster.paths(window, horizon, count, seed)
        return {"paths": found, "unseen": tf.equal(window["series"], 0)}

    def closed_loop(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `closed_loop`: the forecast after all steps that a stream has read."""
        answer = self.stream(**self.read.without_news(inputs))
        return {name: answer[name] for name in _FORECAST}

    def stream(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `stream`: the forecast after all steps so far."""
        window, horizon, after = self.read.continued(inputs)
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


def settings(trained: trained_model.TrainedModel) -> dict[str, Any]:
    """Returns all that a client needs to read files for the model and to name its answers."""
    config = trained.config
    return {
        "context_steps": config.model.context_steps,
        "path_count": config.model.path_count,
        "horizon_steps": config.forecast.horizon_steps,
        "levels": list(config.forecast.levels),
        **histories.settings(trained.layout, config.data_format),
        "limits": LIMITS,
    }


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of three rows, at, below and beyond the trained horizon.

    The answers are of the Keras model row by row: histories of other lengths, and gaps.
    """
    made = ServedForecaster(trained)
    horizon = trained.config.forecast.horizon_steps
    found = []
    for rows, time, ahead in ((1, 40, horizon), (3, 25, 1), (2, 9, horizon + 3)):
        inputs = histories.example(made.read, rows, time, ahead)
        joined = histories.by_row(made.forecast, inputs, rows)
        found.append(warmup_requests.Request("serving_default", inputs, joined))
        if rows < 3:
            drawn = {**inputs, "count": np.int32(3), "seed": np.int32(rows)}
            joined = histories.by_row(made.paths, drawn, rows)
            found.append(warmup_requests.Request("paths", drawn, joined))
    for rows in (1, 3):
        found += histories.streamed(made.read, made.forecast, rows)
    return [*found, assets.request()]


def served(run: Path) -> ServedForecaster:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedForecaster(trained_model.load(run))
