"""Draws objects to learn from, those of every class alike often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Seen(NamedTuple):
    """An object in one frame: its video, the frame, and its box as shares of the frame."""

    video: int
    frame: int
    box: np.ndarray


class Objects:
    """The objects of videos: first a class is drawn, then an object of it, then one of its frames.

    Rare classes and objects that are seldom in sight are learned from as often as others (class
    aware sampling, Shen, Lin and Huang, "Relay backpropagation", 2016). Boxes of a video and class
    whose objects are not told apart are one object.

    Args:
        videos: each with `boxes`, `labels` and `tracks`.
    """

    def __init__(self, videos: Sequence) -> None:
        found: dict[int, dict[tuple[int, int], list[Seen]]] = {}
        for number, video in enumerate(videos):
            for frame, at in np.argwhere(video.labels >= 0):
                kind, track = int(video.labels[frame, at]), int(video.tracks[frame, at])
                its = found.setdefault(kind, {}).setdefault((number, track), [])
                its.append(Seen(number, int(frame), video.boxes[frame, at]))
        self._by_class = [list(found[kind].values()) for kind in sorted(found)]

    def draw(self, random: np.random.Generator) -> Seen:
        """Returns an object in one of the frames in which it is in sight."""
        of_class = self._by_class[random.integers(len(self._by_class))]
        its = of_class[random.integers(len(of_class))]
        return its[random.integers(len(its))]
