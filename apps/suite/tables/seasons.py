"""Finds the season of a series, such as a day of half-hours, and reads values one season before."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

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
