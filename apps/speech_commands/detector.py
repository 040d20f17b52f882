"""Detects words in a stream's probabilities: smoothing, a threshold for each word, a cool-down.

With posteriors p_t of the frames t = 0, 1, … and thresholds θ_w:

    s_t = (p_t + p_(t-1) + … + p_(t-k+1)) / k      (before the stream there is nothing: p = 0)

The word w is detected at the first t at which s_t[w] >= θ_w, no detection was made in the last
`cool_down_frames`, and s[w] was below θ_w / 2 at some time since w was last detected: a word that
stays, or trembles around its threshold, is one detection. Among several words at once, the one
with the highest s_t is detected. The detector is causal, and uses NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

_LOW_SHARE = 0.5  # of its threshold: a word that falls below it has ended


class Detection(NamedTuple):
    """A word that was heard."""

    seconds: float  # into the stream, when it was known
    word: str
    confidence: float  # the smoothed probability then


class State(NamedTuple):
    """State of the detector in a stream; frames are counted from the stream's first one."""

    frames: int  # seen so far
    recent: np.ndarray  # float64 [k - 1, words], the last probabilities
    last_low: np.ndarray  # int64 [words], the last frame in which a word was below θ / 2
    last_detected: np.ndarray  # int64 [words], -1 before the first
    quiet_until: int  # the first frame that the cool-down leaves free


class Detector:
    """Finds words in the posteriors of one stream, handed over in pieces of any length.

    Args:
        label_names: of the columns of the posteriors.
        thresholds: by word, above 0; a label that is not in it is never detected.
        first_seconds: into the stream, when the posteriors of frame 0 are known.
        frame_seconds: from one frame to the next.
        smoothing_seconds: over which posteriors are averaged, at least one frame.
        cool_down_seconds: after a detection, in which no other is made.

    Raises:
        ValueError: a threshold for an unknown label, or a threshold that is not above 0.
    """

    def __init__(
        self,
        label_names: Sequence[str],
        thresholds: Mapping[str, float],
        *,
        first_seconds: float,
        frame_seconds: float,
        smoothing_seconds: float,
        cool_down_seconds: float,
    ) -> None:
        strange = sorted(set(thresholds) - set(label_names))
        if strange or any(not value > 0 for value in thresholds.values()):
            raise ValueError(f"thresholds are above 0 and of labels; not so: {strange or 'value'}")
        self.columns = [at for at, name in enumerate(label_names) if name in thresholds]
        self.words = [label_names[at] for at in self.columns]
        self.thresholds = np.array([thresholds[word] for word in self.words], np.float64)
        self.first_seconds = first_seconds
        self.frame_seconds = frame_seconds
        self.smoothing_frames = max(1, round(smoothing_seconds / frame_seconds))
        self.cool_down_frames = max(1, round(cool_down_seconds / frame_seconds))

    def initial_state(self) -> State:
        """Returns the state at the start of a stream; every word may be detected at once."""
        words = len(self.words)
        return State(
            frames=0,
            recent=np.zeros((self.smoothing_frames - 1, words)),
            last_low=np.full(words, -1),
            last_detected=np.full(words, -2),
            quiet_until=0,
        )

    def detect(self, posteriors: np.ndarray, state: State) -> tuple[list[Detection], State]:
        """Detects words in the next frames, float [frames, labels]; returns also the next state.

        Pieces of a stream give the detections of the whole, bit for bit: the sums are taken in
        the same order wherever a piece begins.
        """
        smoothed, recent = self.smooth(posteriors, state.recent)
        above, low = smoothed >= self.thresholds, smoothed < _LOW_SHARE * self.thresholds
        places = state.frames + np.arange(len(smoothed))
        last_low = np.maximum.accumulate(
            np.concatenate([state.last_low[None], np.where(low, places[:, None], -1)])
        )
        last_detected, quiet_until = state.last_detected.copy(), state.quiet_until
        found = []
        for row in np.flatnonzero(above.any(axis=1)):
            frame = state.frames + int(row)
            if frame < quiet_until:
                continue
            ready = above[row] & (last_low[row + 1] > last_detected)
            if not ready.any():
                continue
            word = int(np.argmax(np.where(ready, smoothed[row], -1.0)))
            last_detected[word], quiet_until = frame, frame + self.cool_down_frames
            seconds = self.first_seconds + frame * self.frame_seconds
            found.append(Detection(seconds, self.words[word], float(smoothed[row, word])))
        after = State(
            state.frames + len(smoothed), recent, last_low[-1], last_detected, quiet_until
        )
        return found, after

    def smooth(self, posteriors: np.ndarray, recent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes moving averages float64 [frames, words], and frames for the next piece."""
        mine = np.asarray(posteriors, np.float64)[:, self.columns]
        padded = np.concatenate([recent, mine])
        total = np.zeros_like(mine)
        for shift in range(self.smoothing_frames):
            total += padded[shift : shift + len(mine)]
        return total / self.smoothing_frames, padded[len(mine) :]
