"""Forecasts raw windows in the graph, for whoever asks: a backtest, `predict`, a server."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.forecasting import config as configs
from apps.forecasting import data
from apps.forecasting import layout as layouts
from apps.forecasting import model as models

NAN = float("nan")


class Forecaster:
    """A network with what it takes to answer in the units of the data.

    Args:
        network: of `model.build`.
        config: of its run.
        layout: of its training data.
        offsets: float32 [levels], by which the validation part moved the quantiles, in spreads.
    """

    def __init__(
        self,
        network: keras.Model,
        config: configs.Config,
        layout: layouts.Layout,
        offsets: np.ndarray,
    ) -> None:
        self.network, self.config, self.layout = network, config, layout
        self.offsets = tf.constant(np.concatenate([[0.0], offsets]), tf.float32)
        self.context, self.block = config.model.context_steps, config.forecast.horizon_steps

    def forecast(
        self, window: dict[str, tf.Tensor], horizon: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean (batch, horizon, targets) and quantiles (batch, horizon, targets, levels).

        Beyond the horizon of the training the medians stand in for the truth, and the network goes
        on from them: in closed loop, a trained horizon at a time.

        Args:
            window: values float32 (batch, time, targets), past float32 (batch, time, columns),
                known float32 (batch, time + horizon, columns), times float64 (batch, time +
                horizon), static float32 (batch, numbers), series int32 (batch,), 0 for a new one.
            horizon: int32 (), at least 1.
        """
        rows = self._rows(window, horizon)
        blocks = (horizon + self.block - 1) // self.block
        width = len(self.config.forecast.levels) + 1

        def more(at: tf.Tensor, values: tf.Tensor, found: tf.Tensor) -> tuple:
            start = at * self.block
            whole = self.context + self.block
            now = {
                "values": tf.ensure_shape(values, [None, self.context]),
                "past": rows["past"][:, start : start + self.context],
                "known": rows["known"][:, start : start + whole],
                "times": rows["times"][:, start : start + whole],
                "static": rows["static"],
            }
            sides = {"past": self.context, "known": whole, "times": whole}
            for name, side in sides.items():
                now[name] = tf.ensure_shape(now[name], [None, side, *now[name].shape[2:]])
            said = self._block(now, rows["series"])
            median = said[:, :, 1 + self.config.forecast.levels.index(0.5)]
            values = tf.concat([values, median], axis=1)[:, -self.context :]
            return at + 1, values, tf.concat([found, said], axis=1)

        count = tf.shape(rows["values"])[0]
        _, _, found = tf.while_loop(
            lambda at, *_: at < blocks,
            more,
            (0, rows["values"], tf.zeros((count, 0, width))),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None, None]),
                tf.TensorShape([None, None, width]),
            ),
        )
        targets = len(self.layout.target_names)
        found = tf.reshape(found[:, :horizon], [-1, targets, horizon, width])
        found = tf.transpose(found, [0, 2, 1, 3])
        return found[..., 0], found[..., 1:]

    def _rows(self, window: dict[str, tf.Tensor], horizon: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns a row for each target, with exactly `context` steps of history."""
        targets, step = len(self.layout.target_names), self.layout.step_seconds
        batch, time = tf.unstack(tf.shape(window["values"])[:2])
        # The future is filled up to whole blocks, and nothing is known of what fills it
        filled = self.block

        def framed(array: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
            array = tf.pad(array, [[0, 0], [self.context, 0], [0, 0]], constant_values=NAN)
            array = array[:, tf.shape(array)[1] - self.context - last :]
            return tf.pad(array, [[0, 0], [0, filled], [0, 0]], constant_values=NAN)

        values = framed(window["values"], tf.constant(0))[:, : self.context]
        past = tf.pad(
            framed(window["past"], tf.constant(0)), [[0, 0], [0, horizon], [0, 0]],
            constant_values=NAN,
        )  # fmt: skip
        times = window["times"]
        before = tf.cast(tf.range(-self.context, 0), tf.float64) * step
        after = tf.cast(tf.range(1, filled + 1), tf.float64) * step
        times = tf.concat([times[:, :1] + before, times, times[:, -1:] + after], axis=1)
        rows = {
            "values": tf.reshape(tf.transpose(values, [0, 2, 1]), [batch * targets, self.context]),
            "past": past,
            "known": framed(window["known"], horizon),
            "times": times[:, time:],
            "static": window["static"],
        }
        rows = {
            name: array if name == "values" else tf.repeat(array, targets, axis=0)
            for name, array in rows.items()
        }
        series = window["series"][:, None] * targets + tf.range(targets)
        return {**rows, "series": tf.reshape(series, [-1])}

    def _block(self, window: dict[str, tf.Tensor], series: tf.Tensor) -> tf.Tensor:
        """Returns mean and quantiles of one trained horizon, float32 (rows, block, 1 + levels)."""
        found = data.preprocess(window, self.layout, self.config.model)
        z = models.answer(self.network, found, series, self.config) + self.offsets
        z = tf.concat([z[..., :1], tf.sort(z[..., 1:], axis=-1)], axis=-1)
        return found["location"][:, None, None] + found["spread"][:, None, None] * z
