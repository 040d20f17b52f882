"""Forecasts raw windows in the graph, for whoever asks: a backtest, `predict`, a server."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.forecasting import closed_loop, data
from apps.forecasting import config as configs
from apps.forecasting import model as models
from apps.suite.networks import quantiles as quantile_functions
from apps.suite.panels import layout as layouts

_CLIP = 10.0  # spreads of a window, for a draw that is fed back
_STAND_INS = 10  # values that stand for the quantiles of a step of one path


class Calibration(NamedTuple):
    """Facts about the validation part that make quantiles honest.

    Attributes:
        offsets: float32 [levels], moves of the quantiles up to the trained horizon, in spreads.
        stretches: float32 [levels], factors on their distance from the median beyond it.
        shares: float32 [windows, horizon], the levels at which the truth lay in whole windows: how
            the steps of one path go together.
    """

    offsets: np.ndarray
    stretches: np.ndarray
    shares: np.ndarray


def uncalibrated(config: configs.Config) -> Calibration:
    """Returns what holds where nothing is known: a path keeps its place among all paths."""
    count, horizon = config.model.path_count, config.forecast.horizon_steps
    shares = np.repeat((np.arange(count)[:, None] + 0.5) / count, horizon, axis=1)
    levels = len(config.forecast.levels)
    return Calibration(
        np.zeros(levels, np.float32), np.ones(levels, np.float32), shares.astype(np.float32)
    )


class Forecaster:
    """A network with what it takes to answer in the units of the data.

    Args:
        network: of `model.build`.
        config: of its run.
        layout: of its training data.
        calibration: of its validation part.
    """

    def __init__(
        self,
        network: keras.Model,
        config: configs.Config,
        layout: layouts.Layout,
        calibration: Calibration,
    ) -> None:
        self.network, self.config, self.layout = network, config, layout
        self.levels = config.forecast.levels
        self.offsets = tf.constant(np.concatenate([[0.0], calibration.offsets]), tf.float32)
        self.stretches = tf.constant(calibration.stretches, tf.float32)
        self.shares = tf.constant(calibration.shares, tf.float32)
        self.context, self.block = config.model.context_steps, config.forecast.horizon_steps
        self.lowest = _lowest(config)
        window = {
            name: tf.TensorSpec(shape, kind, name)
            for name, (shape, kind) in {
                "values": ([None, None, len(layout.target_names)], tf.float32),
                "past": ([None, None, len(layout.past_names)], tf.float32),
                "known": ([None, None, len(layout.known_names)], tf.float32),
                "times": ([None, None], tf.float64),
                "static": ([None, layout.static_count], tf.float32),
                "series": ([None], tf.int32),
            }.items()
        }
        number = tf.TensorSpec([], tf.int32)
        # Traced once for whoever asks, and for all signatures of an export
        self.forecast = tf.function(self._forecast, [window, number], autograph=False)
        self.paths = tf.function(self._paths, [window, number, number, number], autograph=False)

    def _forecast(
        self, window: dict[str, tf.Tensor], horizon: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean (batch, horizon, targets) and quantiles (batch, horizon, targets, levels).

        Up to the trained horizon the network says them. Beyond it `path_count` paths go on, each
        from its own draws, and the quantiles are those over all paths, stretched by as much as the
        validation part asks for.

        Args:
            window: values float32 (batch, time, targets), past float32 (batch, time, columns),
                known float32 (batch, time + horizon, columns), times float64 (batch, time +
                horizon), static float32 (batch, numbers), series int32 (batch,), 0 for a new one.
            horizon: int32 (), at least 1.
        """
        rows = self._rows(window, horizon)
        count, width = tf.shape(rows["values"])[0], len(self.levels) + 1
        said = self._block(
            layouts.cut(rows, rows["values"], tf.constant(0), self.context, self.block),
            rows["series"],
        )
        beyond = (self.blocks(horizon) - 1) * self.block

        def further() -> tf.Tensor:
            @tf.autograph.experimental.do_not_convert  # nothing to convert, and it would take long
            def one(row: dict[str, tf.Tensor]) -> tf.Tensor:
                _, found = self._walked(row, horizon, self.config.model.path_count, tf.constant(0))
                return found[self.block :]

            spec = tf.TensorSpec([None, width], tf.float32)
            # One row at a time: its paths are a batch of their own
            return tf.map_fn(one, rows, fn_output_signature=spec, parallel_iterations=1)

        more = tf.cond(
            tf.logical_and(beyond > 0, count > 0), further, lambda: tf.zeros([count, beyond, width])
        )
        found = tf.concat([said, more], axis=1)[:, :horizon]
        targets = len(self.layout.target_names)
        found = tf.reshape(found, [-1, targets, horizon, width])
        found = self._bounded(tf.transpose(found, [0, 2, 1, 3]))
        if self.config.model.log:
            found = tf.exp(found)
        return found[..., 0], found[..., 1:]

    def _paths(
        self, window: dict[str, tf.Tensor], horizon: tf.Tensor, count: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Returns what might come, float32 (batch, count, horizon, targets).

        The steps of one path belong together, as those of a real series do. The draws are the same
        for every row: an answer depends on its own row and the seed alone.

        Args:
            window, horizon: as of `forecast`.
            count: int32 (), paths, at least 1.
            seed: int32 ().
        """
        rows = self._rows(window, horizon)
        targets, batch = len(self.layout.target_names), tf.shape(window["values"])[0]

        def drawn() -> tf.Tensor:
            @tf.autograph.experimental.do_not_convert
            def one(row: dict[str, tf.Tensor]) -> tf.Tensor:
                return self._walked(row, horizon, count, seed)[0][:, :horizon]

            spec = tf.TensorSpec([None, None], tf.float32)
            return tf.map_fn(one, rows, fn_output_signature=spec, parallel_iterations=1)

        found = tf.cond(batch > 0, drawn, lambda: tf.zeros([0, count, horizon]))
        found = tf.reshape(found, [batch, targets, count, horizon])
        found = tf.transpose(found, [0, 2, 3, 1])
        return tf.exp(found) if self.config.model.log else found

    def _rows(self, window: dict[str, tf.Tensor], horizon: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns a row for each target, in the units that the network learned."""
        if self.config.model.log:
            window = {**window, "values": tf.math.log(window["values"])}
        return layouts.rows(window, self.layout, self.context, self.block, horizon)

    def blocks(self, horizon: tf.Tensor) -> tf.Tensor:
        """Returns the number of trained horizons that make up a horizon."""
        return (horizon + self.block - 1) // self.block

    def _walked(
        self,
        row: dict[str, tf.Tensor],
        horizon: tf.Tensor,
        count: tf.Tensor | int,
        seed: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns paths (count, steps) of one row of `_rows`, and mean and quantiles over them.

        The steps are those of whole blocks. Each path is the history of its own next block.
        """
        rows = {name: array[None] for name, array in row.items()}
        series = tf.repeat(rows["series"], count)
        is_counted = isinstance(count, int)
        width = len(self.levels) + 1
        begin = (
            tf.constant(0), tf.repeat(rows["values"], count, axis=0),
            tf.zeros([count, 0]), tf.zeros([0, width]),
        )  # fmt: skip

        def more(at: tf.Tensor, values: tf.Tensor, paths: tf.Tensor, told: tf.Tensor) -> tuple:
            now = layouts.cut(rows, values, at * self.block, self.context, self.block)
            drawn, said = self._drawn(now, series, self._levels(count, seed, at))
            values = tf.concat([values, drawn], axis=1)[:, -self.context :]
            if is_counted:  # else nobody asks for quantiles
                told = tf.concat([told, self._over(said)], axis=0)
            return at + 1, values, tf.concat([paths, drawn], axis=1), told

        side = tf.TensorShape([None, None])
        _, _, paths, told = tf.while_loop(
            lambda at, *_: at < self.blocks(horizon), more, begin,
            shape_invariants=(tf.TensorShape([]), side, side, tf.TensorShape([None, width])),
        )  # fmt: skip
        return paths, told

    def _levels(self, count: tf.Tensor | int, seed: tf.Tensor, block: tf.Tensor) -> tf.Tensor:
        """Returns the levels that each path draws, float32 (count, block), spread over all paths.

        A direct network says nothing on how its steps go together: there the levels are those of
        windows of the validation part.
        """
        start = tf.stack([seed, block])
        if self.config.model.kind == "direct":
            windows = self.shares.shape[0]
            whole = (count + windows - 1) // windows * windows
            random = tf.random.stateless_uniform([whole], start, alg="philox")
            return tf.gather(self.shares, tf.argsort(random)[:count] % windows)
        random = tf.random.stateless_uniform([count, self.block], start, alg="philox")
        place = tf.cast(tf.argsort(tf.argsort(random, axis=0), axis=0), tf.float32)
        return (place + 0.5) / tf.cast(count, tf.float32)

    def _drawn(
        self, window: dict[str, tf.Tensor], series: tf.Tensor, shares: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a draw of each row, and what is said of it, in the units of the data."""
        found = data.preprocess(window, self.layout, self.config.model)
        if self.config.model.kind == "direct":
            said = self._moved(models.answer(self.network, found, series, self.config))
            flat = tf.reshape(said[..., 1:], [-1, len(self.levels)])
            z = quantile_functions.drawn(flat, self.levels, tf.reshape(shares, [-1]))
            z = tf.reshape(z, [-1, self.block])
        else:
            z, said = closed_loop.walk(self.network, found, series, shares, self.config)
        location, spread = found["location"][:, None], found["spread"][:, None]
        z = tf.clip_by_value(z, -_CLIP, _CLIP)
        # A path below the bound goes on from the bound
        return self._bounded(location + spread * z), location[..., None] + spread[..., None] * said

    def _bounded(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the values, those below `forecast.lowest` as that."""
        return values if self.lowest is None else tf.maximum(values, self.lowest)

    def _over(self, said: tf.Tensor) -> tf.Tensor:
        """Returns mean and quantiles (block, 1 + levels) over what is said of all paths."""
        each = quantile_functions.stand_ins(said[..., 1:], self.levels, _STAND_INS)
        count = said.shape[0] or self.config.model.path_count
        each = tf.transpose(each, [0, 2, 1])
        each = tf.reshape(each, [1, count * _STAND_INS, self.block])
        quantiles = tf.transpose(quantile_functions.over(each, self.levels)[0])
        median = quantiles[:, self.levels.index(0.5), None]
        quantiles = tf.sort(median + self.stretches * (quantiles - median), axis=-1)
        return tf.concat([tf.reduce_mean(said[..., :1], axis=0), quantiles], axis=-1)

    def _block(self, window: dict[str, tf.Tensor], series: tf.Tensor) -> tf.Tensor:
        """Returns mean and quantiles of one trained horizon, float32 (rows, block, 1 + levels)."""
        found = data.preprocess(window, self.layout, self.config.model)
        z = self._moved(models.answer(self.network, found, series, self.config))
        return found["location"][:, None, None] + found["spread"][:, None, None] * z

    def _moved(self, said: tf.Tensor) -> tf.Tensor:
        """Returns mean and quantiles of z after the moves of the calibration."""
        said = said + self.offsets
        return tf.concat([said[..., :1], tf.sort(said[..., 1:], axis=-1)], axis=-1)


def _lowest(config: configs.Config) -> float | None:
    """Returns the bound in the units that the network learned; None without one."""
    lowest = config.forecast.lowest
    if lowest is None or not config.model.log:
        return lowest
    return float(np.log(lowest)) if lowest > 0 else None
