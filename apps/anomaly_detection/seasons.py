"""How many steps a season of a series lasts, such as a day of half-hours."""

import numpy as np

_MOST_STEPS = 20_000  # that are looked at, the last ones
_SCALES = (1, 4, 16)  # steps that are averaged: noise hides a long season's small changes
_LEAST_CORRELATIONS = (0.3, 0.5, 0.5)  # fewer means than steps are alike by chance more easily
_LEAST_MEANS = 200  # on the larger scales


def find(values: np.ndarray, observed: np.ndarray) -> int:
    """The lag at which a column's changes resemble themselves most: its season, or 0 without one.

    That is the highest peak of the autocorrelation of the differences between steps, if it is at
    least 0.3, else between means of 4 steps or of 16, if it is at least 0.5, among lags that fit
    into the steps three times; of lags nearly as high, the first. Missing values continue the last
    one.

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


def _highest_peak(changes: np.ndarray, least: float) -> int:
    """Lag of the first of the highest peaks of the autocorrelation; 0 where none is that high."""
    from scipy import signal
    from statsmodels.tsa import stattools

    if np.ptp(changes) <= 1e-6 * np.abs(changes).max():  # nothing but a drift
        return 0
    correlation = stattools.acf(changes, nlags=len(changes) // 3, fft=True)[1:]
    peaks, _ = signal.find_peaks(correlation, height=least)
    if not len(peaks):
        return 0
    highest = float(correlation[peaks].max())
    return int(peaks[correlation[peaks] >= 0.9 * highest][0]) + 1


def _nearest(values: np.ndarray, lag: int, scale: int) -> int:
    """The lag in steps, near one in means of `scale` steps, at which values differ least."""
    near = range(scale * (lag - 1) + 1, scale * (lag + 1))
    return min(near, key=lambda steps: float(((values[steps:] - values[:-steps]) ** 2).mean()))
