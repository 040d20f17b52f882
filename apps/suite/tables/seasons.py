"""Finds the season of a series, such as a day of half-hours, and reads what it tells of a step."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.tables import series


# Saved models of anomaly detection name the layer by this package
@keras.saving.register_keras_serializable(package="anomaly_detection")
class SeasonBefore(keras.layers.Layer):
    """Gives scaled values one season L before, of the step itself and of the predicted steps.

        z_{t,h} = x_{t+h-L},  k_{t,h} = p_{t+h-L}      h = 0 … horizon
        p_t = 1 where x_t was observed and |x_t - x_{t-L}| <= limit, or x_{t-L} was not; else 0

    A value that was far off is not used a season later, or each fault would have an echo. The last
    L steps are carried as a state; a state of zeros means that nothing is known of them.

    Args:
        season_steps: L, not less than the horizon.
        horizon_steps: number of steps that are predicted.
        scored_count: number of channels that are read, the first ones.
        **options: those of `keras.layers.Layer`.

    Call arguments:
        inputs: [x, o, before], float32 (batch, time, features) twice and (batch, L, 3 scored): the
            scaled values, their observation (0 or 1), and the state.

    Returns:
        [z, k, after], float32 (batch, time, horizon + 1, scored) twice, z 0 where k is; and the new
        state: x, o and p of the last L steps.
    """

    def __init__(
        self, season_steps: int, horizon_steps: int, scored_count: int, **options: Any
    ) -> None:
        super().__init__(**options)
        if season_steps < horizon_steps:
            raise ValueError(f"a season of {season_steps} steps is below the {horizon_steps} ahead")
        self.season_steps = season_steps
        self.horizon_steps = horizon_steps
        self.scored_count = scored_count

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        # Until `fit` nothing is too far off
        self.limit = self.add_weight(
            name="limit",
            shape=(self.scored_count,),
            initializer=keras.initializers.Constant(1e9),
            trainable=False,
        )

    def fit(self, limit: Any) -> None:
        """Sets the limit, float32 (scored,), above 0, in deviations of the train part."""
        self.limit.assign(limit)

    def call(self, inputs: list[Any]) -> tuple[Any, Any, Any]:
        ops = keras.ops
        x, o = (each[..., : self.scored_count] for each in inputs[:2])
        time = ops.shape(x)[1]
        x_before, o_before, p_before = ops.split(inputs[2], 3, axis=-1)
        x, o = ops.concatenate([x_before, x], axis=1), ops.concatenate([o_before, o], axis=1)
        # The steps of this call, and those a season before each of them
        apart = ops.abs(x[:, self.season_steps :] - x[:, :time])
        off = o[:, :time] * ops.cast(apart > self.limit, x.dtype)
        p = ops.concatenate([p_before, o[:, self.season_steps :] * (1 - off)], axis=1)
        ahead = range(self.horizon_steps + 1)
        z, k = (ops.stack([each[:, h : h + time] for h in ahead], axis=2) for each in (p * x, p))
        return z, k, ops.concatenate([x, o, p], axis=-1)[:, time:]

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple:
        shape = (*input_shape[0][:2], self.horizon_steps + 1, self.scored_count)
        return shape, shape, (input_shape[0][0], self.season_steps, 3 * self.scored_count)

    def get_config(self) -> dict[str, Any]:
        own = {
            "season_steps": self.season_steps,
            "horizon_steps": self.horizon_steps,
            "scored_count": self.scored_count,
        }
        return {**super().get_config(), **own}


_DAY, _WEEK, _YEAR = 86_400.0, 604_800.0, 31_556_952.0
_MONDAY = 345_600.0  # seconds from 1970 to its first Monday
_MOST_STEPS = 20_000  # that are looked at, the last ones
_SCALES = (1, 4, 16)  # steps that are averaged: noise hides a long season's small changes
_LEAST_CORRELATIONS = (0.3, 0.5, 0.5)  # fewer means than steps are alike by chance more easily
_DEVIATIONS = 4.0  # of the correlation of noise, 1 / sqrt(steps), that a peak must be above
_KEPT = 0.7  # of the correlation, two seasons apart
_LEAST_MEANS = 200  # on the larger scales
_LIMIT = 4.0  # medians
_MOST_CARRIED = 2_048  # steps that a forecaster keeps in mind


def find(values: np.ndarray, observed: np.ndarray) -> int:
    """Returns the season length: the lag with the highest autocorrelation of the differences, or 0.

    The peak must reach 0.3 between steps, or else 0.5 between means of 4 or of 16 steps, and stand
    out of the noise of so few; two seasons apart the steps must be alike as well, as those of an
    oscillation that dies away are not. Lags must fit into the steps three times; of lags nearly as
    high, the first counts. Missing values continue the last one.

    Args:
        values: float [time].
        observed: bool [time].
    """
    values, observed = (np.asarray(each[-_MOST_STEPS:]) for each in (values, observed))
    if len(values) < 12 or not observed.any():
        return 0
    last = np.maximum.accumulate(np.where(observed, np.arange(len(values)), observed.argmax()))
    held = values[last].astype(np.float64)
    for scale, least in zip(_SCALES, _LEAST_CORRELATIONS, strict=True):
        count = len(held) // scale
        if scale > 1 and count < _LEAST_MEANS:
            break
        means = held[len(held) - count * scale :].reshape(count, scale).mean(axis=1)
        lag = _highest_peak(np.diff(means), least)
        if lag:
            return _nearest(held, lag, scale)
    return 0


def lag(values: np.ndarray, season: int) -> int:
    """Returns the season, or seven of it (a week of days) if steps that far apart differ less.

    Args:
        values: float [time, columns].
        season: of `find`; the lag of 0 is 0.
    """
    lags = [steps for steps in (season, 7 * season) if 0 < 2 * steps < len(values)]
    apart = {steps: float(np.abs(values[steps:] - values[:-steps]).mean()) for steps in lags}
    return min(lags, key=apart.__getitem__, default=season)


def of_training(collection: series.Collection, least_steps: int, other_steps: int) -> int:
    """Returns the steps of the season that a forecaster can read, or 0 without one.

    That is the lag of the longest train part, in the first of its columns that has a season.

    Args:
        collection: of series.
        least_steps: of the season.
        other_steps: that must fit into the train part beside it.
    """
    one = max(collection.series, key=lambda each: each.train_end)
    part = slice(max(0, one.train_end - _MOST_STEPS), one.train_end)
    for column in range(collection.scored_count):
        values, observed = one.values[part, column], one.observed[part, column]
        season = find(values, observed)
        if season:
            for steps in (lag(values[:, None], season), season):
                if least_steps <= steps <= _MOST_CARRIED and steps + other_steps <= one.train_end:
                    return steps
            break
    return 0


def limits(collection: series.Collection, steps: int, deviation: np.ndarray) -> np.ndarray:
    """Returns the usual limit of the distance to the value `steps` before, float32 [scored].

    It is four times the median distance in the train parts, about 2.7 standard deviations of a
    normal distribution, in units of `deviation`, that of the columns in the train parts.
    """
    apart: list[list[np.ndarray]] = [[] for _ in range(collection.scored_count)]
    for one in collection.series:
        part = slice(max(0, one.train_end - _MOST_STEPS), one.train_end)
        for column, found in enumerate(apart):
            values, observed = one.values[part, column], one.observed[part, column]
            both = observed[steps:] & observed[:-steps]
            found.append(np.abs(values[steps:] - values[:-steps])[both])
    medians = [np.median(each) if len(each) else np.inf for each in map(np.concatenate, apart)]
    usual = _LIMIT * np.array(medians) / deviation[: collection.scored_count]
    return np.where(usual > 0, usual, np.inf).astype(np.float32)


def _highest_peak(changes: np.ndarray, least: float) -> int:
    """Returns the lag of the first of the highest peaks of the autocorrelation, or 0."""
    from scipy import signal
    from statsmodels.tsa import stattools

    if np.ptp(changes) <= 1e-6 * np.abs(changes).max():  # nothing but a drift
        return 0
    count = len(changes)
    correlation = stattools.acf(changes, nlags=2 * (count // 3), fft=True)[1:]
    within = correlation[: count // 3]
    peaks, _ = signal.find_peaks(within, height=max(least, _DEVIATIONS / np.sqrt(count)))
    # Fewer pairs are as far apart as two seasons are: a sum of them is less, a mean is not
    lags = peaks + 1
    twice = correlation[2 * lags - 1] * count / (count - 2 * lags)
    once = correlation[lags - 1] * count / (count - lags)
    peaks = peaks[twice >= _KEPT * once]
    if not len(peaks):
        return 0
    highest = float(correlation[peaks].max())
    return int(peaks[correlation[peaks] >= 0.9 * highest][0]) + 1


def _nearest(values: np.ndarray, lag: int, scale: int) -> int:
    """Refines a lag in means of `scale` steps to the steps at which values differ least."""
    near = range(scale * (lag - 1) + 1, scale * (lag + 1))
    return min(near, key=lambda steps: float(((values[steps:] - values[:-steps]) ** 2).mean()))


def calendar(times: tf.Tensor, step_seconds: float) -> tf.Tensor:
    """Returns sines and cosines of the hour, the day of the week and the day of the year.

    Args:
        times: float64 (batch, time), seconds since 1970 on the clocks of the data.
        step_seconds: the hour is left out for days and longer, the weekday for weeks and longer.

    Returns:
        float32 (batch, time, `Layout.calendar_count`).
    """
    waves = []
    for period, start, harmonics in (
        (_DAY, 0.0, 4 if step_seconds < _DAY else 0),
        (_WEEK, _MONDAY, 3 if step_seconds < _WEEK else 0),
        (_YEAR, 0.0, 1),
    ):
        share = tf.cast(tf.math.floormod(times - start, period) / period, tf.float32)
        for harmonic in range(1, harmonics + 1):
            angle = 2 * math.pi * harmonic * share
            waves += [tf.sin(angle), tf.cos(angle)]
    return tf.stack(waves, axis=-1)


def before(
    z: tf.Tensor, known: tf.Tensor, season: int, count: int, context: int, ahead: range
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the values 1 … count seasons before each step ahead, of the steps up to the context.

    A step that is more than a season ahead has the last seasons that lie in the context.

    Args:
        z, known: float32 (batch, time), values and whether they were observed (0 or 1).
        season: steps; at least 1.
        count: seasons before.
        context: steps that may be read.
        ahead: the steps, counted from the start of z.

    Returns:
        float32 (batch, steps, count) twice: the values, 0 where not known, and whether they are.
    """
    steps = np.arange(ahead.start, ahead.stop)
    first = np.maximum(1, -(-(steps - context + 1) // season))
    places = steps[:, None] - season * (first[:, None] + np.arange(count))
    inside = tf.constant((places >= 0).astype(np.float32))
    places = np.maximum(places, 0)
    is_known = tf.gather(known, places, axis=1) * inside
    return tf.gather(z, places, axis=1) * is_known, is_known


def profile(z: tf.Tensor, known: tf.Tensor, season: int, steps: int) -> tf.Tensor:
    """Returns the season of each window for all its steps and those ahead, float32 (batch, steps).

    It is the mean distance of all steps of one place in the season from the moving average over a
    season around them (classical decomposition), less by its share of noise: n times it, with

        n = max(0, 1 - (noise variance / seasons) / variance over the places)

    Args:
        z, known: float32 (batch, time), values, 0 where missing, and whether they are there.
        season: steps.
        steps: to return, from the first of z on.
    """
    time, half = z.shape[1], season // 2

    def around(values: tf.Tensor) -> tf.Tensor:
        padded = tf.pad(values, [[0, 0], [half, half]])
        sums = tf.pad(tf.cumsum(padded, axis=1), [[0, 0], [1, 0]])
        whole = sums[:, 2 * half + 1 :] - sums[:, :time]
        return whole if season % 2 else whole - 0.5 * (padded[:, :time] + padded[:, 2 * half :])

    def folded(values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.pad(values, [[0, 0], [0, -time % season]]), [-1, -(-time // season),
                                                                          season])  # fmt: skip

    count = around(known)
    usable = known * tf.cast(count > 0.75 * season, tf.float32)
    apart = folded((z - around(z) / tf.maximum(count, 1.0)) * usable)
    usable = folded(usable)
    seasons = tf.reduce_sum(usable, axis=1)
    means = tf.reduce_sum(apart, axis=1) / tf.maximum(seasons, 1.0)
    noise = tf.reduce_sum(usable * (apart - means[:, None]) ** 2, axis=[1, 2])
    noise = noise / tf.maximum(tf.reduce_sum(seasons, axis=1) - season, 1.0)
    means = means - tf.reduce_mean(means, axis=1, keepdims=True)
    least = tf.reduce_min(seasons, axis=1)
    variance = tf.maximum(tf.reduce_mean(means**2, axis=1), 1e-12)
    share = tf.maximum(0.0, 1.0 - noise / tf.maximum(least, 1.0) / variance)
    means = means * tf.where(least >= 2.0, share, 0.0)[:, None]
    return tf.tile(means, [1, -(-steps // season)])[:, :steps]
