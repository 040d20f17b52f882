"""How many steps a season of a series lasts, such as a day of half-hours."""

import numpy as np

_MOST_STEPS = 20_000  # that are looked at, the last ones
_LEAST_CORRELATION = 0.3


def find(values: np.ndarray, observed: np.ndarray) -> int:
    """The lag at which a column resembles itself most: the season's length, or 0 without one.

    That is the lag of the highest peak of the autocorrelation of the differences, if it is at least
    0.3, among lags that fit into the steps three times; of lags nearly as high, the first. Missing
    values continue the last one.

    Args:
        values: float [time].
        observed: bool [time].
    """
    from scipy import signal
    from statsmodels.tsa import stattools

    values, observed = (np.asarray(each[-_MOST_STEPS:]) for each in (values, observed))
    if len(values) < 12 or not observed.any():
        return 0
    last = np.maximum.accumulate(np.where(observed, np.arange(len(values)), 0))
    changes = np.diff(values[last].astype(np.float64))
    if not changes.any():
        return 0
    correlation = stattools.acf(changes, nlags=len(changes) // 3, fft=True)
    peaks, _ = signal.find_peaks(correlation[1:], height=_LEAST_CORRELATION)
    if not len(peaks):
        return 0
    heights = correlation[1:][peaks]
    return int(peaks[heights >= 0.9 * heights.max()][0]) + 1
