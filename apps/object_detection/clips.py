"""Draws the clips that are learned from: anywhere in a video, or one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apps.object_detection import config as configs
from apps.suite.training import order
from apps.suite.videos import augmentation

SEED = 53  # beside the run's, so that no other draw repeats the batches


class Clip(NamedTuple):
    """A clip to learn from: where it starts in its video, and whether the memory is empty then."""

    video: int
    start: int
    begins: bool
    changes: augmentation.Changes | None


class Clips:
    """Orders the clips of videos, as a function of seed, step and row.

    Args:
        frames: of each video.
        config: of the run.
    """

    def __init__(self, frames: Sequence[int], config: configs.Config) -> None:
        self._config, self._length, self._frames = config, config.frames.clip_frames, frames
        counts = [max(1, round(each / self._length)) for each in frames]
        self._clips = np.repeat(np.arange(len(frames)), counts)
        self._order = order.Order(self._clips, (config.seed, SEED))
        self._whole = np.array([max(1, each // self._length) for each in frames])

    def anywhere(self, step: int, row: int, random: np.random.Generator) -> Clip:
        """Returns a clip that starts at any frame."""
        rows = self._config.training.batch_size
        video = int(self._order.take(step * rows + row, 1)[0])
        start = int(random.integers(0, max(1, self._frames[video] - self._length + 1)))
        return Clip(video, start, True, self._changes(random))

    def in_turn(self, step: int, row: int) -> Clip:
        """Returns a clip that follows the one of the step before, until its video ends."""
        pass_, place = divmod(step, int(self._whole.sum()))
        random = np.random.default_rng((self._config.seed, SEED, row, pass_, 2))
        videos = random.permutation(len(self._whole))
        ends = np.cumsum(self._whole[videos])
        at = int(np.searchsorted(ends, place, side="right"))
        video, number = int(videos[at]), place - int(ends[at] - self._whole[videos[at]])
        random = np.random.default_rng((self._config.seed, SEED, row, pass_, 3, at))
        rest = self._frames[video] - int(self._whole[video]) * self._length
        first = int(random.integers(0, max(0, rest) + 1))
        return Clip(video, first + number * self._length, number == 0, self._changes(random))

    def _changes(self, random: np.random.Generator) -> augmentation.Changes | None:
        size, config = self._config.frames, self._config.augmentation
        if not (size.flip or any(dataclasses.astuple(config))):
            return None
        return augmentation.draw_changes(random, 1, size.height, size.width, config, flip=size.flip)
