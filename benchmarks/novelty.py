"""Scores how far a series has left the range of its past: streams that need no training.

A residual says how much a step surprises, not whether such surprises are usual here. Four
statistics of a channel are followed, with e a mean that forgets exponentially and r the residual:

    x        the value itself: spikes
    e(x)     over `reach_steps`: a level that was never there
    e(r)     over `reach_steps`: a change that was not foreseen, and stays
    e(|r|)   over 4 `reach_steps`: a course that has become hard to foresee, or noisy

The novelty of a statistic s at step t is its distance from the range of its own past,

    max(s_t - max(s_1 … s_{t-1}), min(s_1 … s_{t-1}) - s_t) / (max(s_1 …) - min(s_1 …)),

for e(|r|) the upper side alone: below 0 inside the range, 0.02 where it is left by 2 % of its
width. The score is the largest one of all statistics and channels. Under exchange of its steps a
statistic sets a record at step t with probability 1 / t: alarms become rare by themselves as a
series goes on. Everything at step t is from steps 1 … t.
"""

from __future__ import annotations

import numpy as np

REACH_STEPS = 12
TOLERANCE = 0.02
_SLOWER = 4  # e(|r|) reaches so many times farther: a spread needs more steps than a level


def score(
    values: np.ndarray,
    residuals: np.ndarray,
    observed: np.ndarray | None = None,
    reach_steps: int = REACH_STEPS,
) -> np.ndarray:
    """Novelty float64 [time] of a series; -1 at its first 2 `reach_steps` steps, and in gaps.

    Args:
        values: float [time, features].
        residuals: float [time, features], what was observed less what was predicted; any scale.
        observed: bool [time, features]; steps that are not observed change nothing.
        reach_steps: mean age of what a forgetting mean holds.
    """
    highest = np.full(len(values), -1.0)
    for channel in range(values.shape[1]):
        seen = np.arange(len(values)) if observed is None else np.flatnonzero(observed[:, channel])
        x = values[seen, channel].astype(np.float64)
        r = residuals[seen, channel].astype(np.float64)
        found = np.max(
            [
                out_of_range(x),
                out_of_range(forgetting_mean(x, reach_steps)),
                out_of_range(forgetting_mean(r, reach_steps)),
                out_of_range(forgetting_mean(np.abs(r), _SLOWER * reach_steps), below=False),
            ],
            axis=0,
        )
        found[: 2 * reach_steps] = -1.0
        highest[seen] = np.maximum(highest[seen], found)
    return highest


def out_of_range(statistic: np.ndarray, below: bool = True) -> np.ndarray:
    """Distance of each step of float64 [time] from the range of the steps before it, in widths.

    Leaving a range without a width, that of a constant, is infinitely far; `below` = False takes
    low values as usual.
    """
    if not len(statistic):
        return np.zeros(0)
    past_highest = np.concatenate([statistic[:1], np.maximum.accumulate(statistic)[:-1]])
    past_lowest = np.concatenate([statistic[:1], np.minimum.accumulate(statistic)[:-1]])
    distance = statistic - past_highest
    if below:
        distance = np.maximum(distance, past_lowest - statistic)
    width = past_highest - past_lowest
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = distance / width
    return np.where(width > 0, relative, np.where(distance > 0, np.inf, -1.0))


def forgetting_mean(statistic: np.ndarray, reach_steps: int) -> np.ndarray:
    """m_t = m_{t-1} + (s_t - m_{t-1}) / reach_steps of float64 [time], from m_1 = s_1."""
    import scipy.signal

    if not len(statistic):
        return statistic
    keep = 1 - 1 / reach_steps
    first = np.array([keep * statistic[0]])
    found, _ = scipy.signal.lfilter([1 - keep], [1.0, -keep], statistic, zi=first)
    return np.asarray(found)
