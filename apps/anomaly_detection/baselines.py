"""Computes four baseline scores without a recurrent network.

Each is fitted on a series' train part, reads only the past of a step to score it, and is higher
where a step is less usual. Their thresholds are fitted as those of the model are.

    moving z-score   distance from the mean of the steps before, in their deviations
    PCA              the part of a window outside the main components of training's windows
    isolation forest how few random cuts set a window apart (Liu et al. 2008)
    seasonal naive   distance from the value one season before
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from apps.suite.tables import large_arrays, scaling, seasons, series

_MOST_WINDOWS = 20_000  # that are fitted on, evenly spread over the train part
_MOST_READ = 2**19  # numbers of the train part that are fitted on, at its end
_WINDOW_STEPS = 16
_MOST_NUMBERS = 640  # in a window, over all columns
_VARIANCE_KEPT = 0.99


class Detector(NamedTuple):
    """A fitted baseline.

    Attributes:
        reach_steps: number of steps before a step that its score depends on.
        score: float [reach + steps, columns], scaled and without gaps, to float [steps].
    """

    reach_steps: int
    score: Callable[[np.ndarray], np.ndarray]


def scores(one: series.Series, scored_count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns the baselines' scores of a whole series, float32 [time] each, by name.

    Columns are scaled by mean and deviation of the train part; columns that are only read count
    nowhere. Missing values hold the last one, and a step without any value scores 0, as do the
    first steps, which have too little before them.

    Args:
        one: a series with a train part of six steps at least.
        scored_count: columns that are scored.
        seed: of the isolation forest.
    """
    found: dict[str, np.ndarray] = {}
    scaled = _Scaled.of(one, scored_count)
    for name, detector in _fit(scaled, seed).items():
        whole = np.zeros(len(one), np.float32)
        for block, values in scaled.blocks(detector.reach_steps):
            whole[block] = detector.score(values)
            whole[block][~one.observed[block, :scored_count].any(axis=1)] = 0
        whole[: detector.reach_steps] = 0
        found[name] = whole
    return found


class _Scaled(NamedTuple):
    """The scored columns of a series, scaled, and without gaps once they are read."""

    one: series.Series
    columns: int
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, one: series.Series, columns: int) -> _Scaled:
        found = scaling.statistics_of_training([one])
        return cls(one, columns, found.mean[:columns], found.deviation[:columns])

    def read(self, steps: slice) -> np.ndarray:
        """Returns float64 [steps, columns]; a missing value holds the last one within the steps."""
        known = self.one.observed[steps, : self.columns]
        values = np.asarray(self.one.values[steps, : self.columns], np.float64)
        values = (values - self.mean) / self.deviation
        if known.all():
            return values
        places = np.where(known, np.arange(len(values))[:, None], -1)
        last = np.maximum.accumulate(places, axis=0)
        return np.where(last < 0, 0.0, np.take_along_axis(values, np.maximum(last, 0), axis=0))

    def blocks(self, reach: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Stretches, with the values of `reach` steps before each, at the start made up."""
        # Windows take the most memory; but what the next block reaches back to is read again
        window = min(_WINDOW_STEPS * self.columns, max(_MOST_NUMBERS, 2 * self.columns))
        for block in large_arrays.blocks(len(self.one), window, numbers=2**20):
            values = self.read(slice(max(0, block.start - reach), block.stop))
            yield block, np.pad(values, ((max(0, reach - block.start), 0), (0, 0)), mode="edge")

    def training(self) -> np.ndarray:
        """Returns the train part, or as much of its end as is read at once."""
        end = self.one.train_end
        return self.read(slice(max(0, end - _MOST_READ // self.columns), end))


def _fit(scaled: _Scaled, seed: int) -> dict[str, Detector]:
    train = scaled.training()
    everywhere = np.ones(len(train), np.bool_)
    found = (seasons.find(train[:, column], everywhere) for column in range(scaled.columns))
    season = next((steps for steps in found if steps), 0)  # of the first column that has one
    window = min(_WINDOW_STEPS, len(train) // 3, _MOST_NUMBERS // scaled.columns)
    window = max(2, window)
    windows = _windows(train, window)
    windows = windows[:: -(-len(windows) // _MOST_WINDOWS)]
    lag = seasons.lag(train, season) or 1
    past = min(season or 4 * _WINDOW_STEPS, len(train) // 2)
    return {
        "moving z-score": Detector(past, lambda values: _moving_z_score(values, past)),
        "PCA": _principal_components(windows, window),
        "isolation forest": _isolation_forest(windows, window, seed),
        "seasonal naive": Detector(lag, lambda values: _joined(values[lag:] - values[:-lag])),
    }


def _joined(residuals: np.ndarray) -> np.ndarray:
    """Returns the root mean square over the columns."""
    return np.sqrt((residuals**2).mean(axis=1))


def _moving_z_score(values: np.ndarray, window: int) -> np.ndarray:
    # Differences of running sums, about each block's own mean so that they lose no digits
    values = values - values.mean(axis=0)
    zero = np.zeros((1, values.shape[1]))
    sums = np.concatenate([zero, values.cumsum(axis=0)])
    squares = np.concatenate([zero, (values**2).cumsum(axis=0)])
    mean = (sums[window:-1] - sums[: -window - 1]) / window
    square = (squares[window:-1] - squares[: -window - 1]) / window
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    # At least a tenth of the training's deviation, so that a quiet hour causes no alarm
    return _joined((values[window:] - mean) / np.maximum(deviation, 0.1))


def _principal_components(windows: np.ndarray, window: int) -> Detector:
    from sklearn import decomposition

    if not np.ptp(windows, axis=0).any():  # nothing varies, and the mean says it all
        return Detector(window, lambda values: _joined(_windows(values[1:], window) - windows[0]))
    model = decomposition.PCA(_VARIANCE_KEPT, svd_solver="covariance_eigh").fit(windows)

    def score(values: np.ndarray) -> np.ndarray:
        centred = _windows(values[1:], window) - model.mean_
        return _joined(centred - centred @ model.components_.T @ model.components_)

    return Detector(window, score)


def _isolation_forest(windows: np.ndarray, window: int, seed: int) -> Detector:
    from sklearn import ensemble

    model = ensemble.IsolationForest(random_state=seed).fit(windows)
    return Detector(window, lambda values: -model.score_samples(_windows(values[1:], window)))


def _windows(values: np.ndarray, window: int) -> np.ndarray:
    """Returns each window of float [time, columns] as a row, its steps one after the other."""
    views = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    return views.transpose(0, 2, 1).reshape(len(views), -1)
