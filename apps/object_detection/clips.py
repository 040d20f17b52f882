"""Draws the clips that are learned from: anywhere in a video, or one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.object_detection import balance
from apps.object_detection import config as configs
from apps.suite.training import order
from apps.suite.videos import augmentation

SEED = 53  # beside the run's, so that no other draw repeats the batches
_WHOLE = (0.0, 0.0, 1.0, 1.0)
_SPLIT = 0.3, 0.7  # where a mosaic's edges cross, as shares of width and height


class Clip(NamedTuple):
    """A clip to learn from: where it starts in its video, and whether the memory is empty then.

    It fills the part of the frames that `region` says: left, top, right, bottom, as shares.
    """

    video: int
    start: int
    begins: bool
    changes: augmentation.Changes | None
    region: tuple[float, float, float, float] = _WHOLE


class Clips:
    """Orders the clips of videos, as a function of seed, step and row.

    Args:
        videos: each with `frames`, and `boxes`, `labels` and `tracks` where classes are balanced.
        config: of the run.
    """

    def __init__(self, videos: Sequence[Any], config: configs.Config) -> None:
        self._config, self._length = config, config.frames.clip_frames
        self._frames = frames = [len(each.frames) for each in videos]
        counts = [max(1, round(each / self._length)) for each in frames]
        self._clips = np.repeat(np.arange(len(frames)), counts)
        self._order = order.Order(self._clips, (config.seed, SEED))
        self._whole = np.array([max(1, each // self._length) for each in frames])
        self._objects = balance.Objects(videos) if config.training.balance_classes else None

    def anywhere(self, step: int, row: int, random: np.random.Generator) -> list[Clip]:
        """Returns a clip that starts at any frame; in a mosaic, the four that it shows."""
        rows, mosaics = self._config.training.batch_size, self._config.augmentation.mosaic_share
        if not mosaics or random.random() >= mosaics:
            return [self._drawn(int(self._order.take(step * rows + row, 1)[0]), random)]
        across, down = random.uniform(*_SPLIT, 2)
        regions = [
            (left, top, right, bottom)
            for top, bottom in ((0.0, down), (down, 1.0))
            for left, right in ((0.0, across), (across, 1.0))
        ]
        videos = random.choice(self._clips, len(regions))
        return [
            self._drawn(int(video), random, its) for video, its in zip(videos, regions, strict=True)
        ]

    def _drawn(
        self,
        video: int,
        random: np.random.Generator,
        region: tuple[float, float, float, float] = _WHOLE,
    ) -> Clip:
        """Returns a clip of the video, or of an object where classes are balanced."""
        focus = None
        if self._objects:
            video, frame, box = self._objects.draw(random)
            focus = (box[:2] + box[2:]) / 2
            first, last = frame - self._length + 1, frame
        else:
            first, last = 0, self._frames[video] - self._length
        last = min(last, self._frames[video] - self._length)
        start = int(random.integers(max(0, first), max(0, first, last) + 1))
        changes = self._changes(random)
        if region != _WHOLE or focus is not None:
            size = self._config.frames
            changes = augmentation.aimed(
                changes or augmentation.NOTHING, random, size.height, size.width, region, focus
            )
        return Clip(video, start, True, changes, region)

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
