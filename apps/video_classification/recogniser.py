"""A run or an export, asked alike: for what a video is, and for what it is at every moment."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps import errors
from apps.video_classification import config as configs
from apps.video_classification import served_video, trained_model

_ROWS = 16  # windows that are asked together


class Recogniser:
    """Answers through the signatures of an export; see `from_run` and `from_export`.

    Args:
        signatures: by name, each a function of named tensors.
        settings: the asset of that name.
        owner: holds the variables, which the signatures don't.

    Attributes:
        label_names: of the probabilities.
        clips: how the frames of a clip are chosen and sized.
        clips_per_video: whose probabilities are averaged.
        streams: whether it answers frame after frame by itself.
    """

    def __init__(
        self, signatures: Mapping[str, Any], settings: Mapping[str, Any], owner: object
    ) -> None:
        self._signatures, self._owner = signatures, owner
        self._states = tuple(settings["states"])
        self.label_names = tuple(settings["label_names"])
        self.clips_per_video = int(settings["clips_per_video"])
        self.streams = bool(self._states)
        seconds = settings["clip_seconds"]
        self.clips = configs.ClipConfig(
            frames=settings["frames"],
            height=settings["height"],
            width=settings["width"],
            fit=settings["fit"],
            sampling="window" if seconds else "uniform",
            clip_seconds=seconds or 1.0,
        )

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Float32 [clips, labels] of uint8 [clips, any frames, any height, any width, 3]."""
        asked = self._signatures["serving_default"](frames=tf.constant(clips))
        return np.asarray(asked["probabilities"])

    def over_time(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Float32 [labels] at each frame, from it and those before it.

        A model that streams is handed the frames one by one, with its states. Another one judges
        at each frame the clip that ends there; only so many frames are in memory.

        Args:
            frames: uint8 [height, width, 3], all of one size, at the pace of a clip's frames.
        """
        return self._streamed(frames) if self.streams else self._windows(frames)

    def _streamed(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        states = {name: tf.zeros([1, 0]) for name in self._states}
        for frame in frames:
            asked = self._signatures["stream"](frames=tf.constant(frame[None, None]), **states)
            states = {name: asked[name] for name in self._states}
            yield np.asarray(asked["probabilities"])[0, 0]

    def _windows(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        latest: deque[np.ndarray] = deque(maxlen=self.clips.frames)
        waiting: list[np.ndarray] = []
        for frame in frames:
            latest.append(frame)
            window = np.stack(latest)
            if len(latest) < self.clips.frames:  # the first ones, each of another length
                yield self.probabilities(window[None])[0]
                continue
            waiting.append(window)
            if len(waiting) == _ROWS:
                yield from self.probabilities(np.stack(waiting))
                waiting = []
        if waiting:
            yield from self.probabilities(np.stack(waiting))


def from_run(run: Path) -> Recogniser:
    """Of a finished run. Raises what `trained_model.load` raises."""
    trained = trained_model.load(run)
    served = served_video.ServedVideo(trained.model, trained.label_names, trained.config)
    return Recogniser(served.signatures(), served.settings, served)


def from_export(version: Path) -> Recogniser:
    """Of an exported version's folder; UserError where it is none, or damaged."""
    # TensorFlow warns that gradients were not saved; nothing is trained here.
    logging.getLogger("absl").setLevel(logging.ERROR)
    file = version / "assets" / served_video.SETTINGS
    if not (version / "saved_model.pb").is_file() or not file.is_file():
        raise errors.UserError(
            f"--model {version}: no exported version; it is the numbered folder that "
            "python -m apps.video_classification.export wrote"
        )
    try:
        loaded = tf.saved_model.load(str(version))
        settings = json.loads(file.read_text(encoding="utf-8"))
        return Recogniser(loaded.signatures, settings, loaded)
    except (tf.errors.OpError, OSError, KeyError, TypeError, ValueError) as error:
        raise errors.UserError(
            f"--model {version}: no export of video_classification, or a damaged one; export the "
            "run again"
        ) from error
