"""Builds the signatures of the export, which take frames and return boxes, and their requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.object_detection import data, heat_maps, model, trained_model
from apps.suite.export import assets
from apps.suite.serving import limits, signatures, warmup_requests
from apps.suite.videos import served_limits

_FRAMES = {"frames": "uint8[b, frames, height, width, 3]"}
_THRESHOLD = {"threshold": "float32[…]"}
_STATES = {"memory_h": "float32[b, numbers]", "memory_c": "float32[b, numbers]"}
_ANSWER = {
    "boxes": "float32[b, frames, n, 4]",
    "scores": "float32[b, frames, n]",
    "labels": "string[b, frames, n]",
    "count": "int32[b, frames]",
}
SIGNATURES = {
    "serving_default": signatures.Signature({**_FRAMES, **_THRESHOLD}, _ANSWER),
    "encoded": signatures.Signature({"encoded": "string[b, frames]", **_THRESHOLD}, _ANSWER),
    "stream": signatures.Signature({**_FRAMES, **_THRESHOLD, **_STATES}, {**_ANSWER, **_STATES}),
    "assets": signatures.ASSETS,
}
_BOUND = "pixels_of_a_chunk"  # of the suite's limits, of all frames of a request


class ServedDetector:
    """Serves a detector: frames, encoded frames and streams.

    Args:
        trained: a trained detector.

    Attributes:
        saved: what has to be saved for the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.trained, self.network, self.config = trained, trained.model, trained.config
        self.names = tf.constant(["", *trained.label_names])
        self.state_shape = model.state_shape(trained.model)
        settings = {
            "label_names": list(trained.label_names),
            "threshold": trained.threshold,
            "height": trained.config.frames.height,
            "width": trained.config.frames.width,
            "states": list(_STATES),
            "limits": served_limits.LIMITS,
        }
        self.assets = assets.of_settings(settings)
        self.saved = self.assets.module("served_detector", trained.model)

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        frames = tf.TensorSpec([None, None, None, None, 3], tf.uint8, "frames")
        encoded = tf.TensorSpec([None, None], tf.string, "encoded")
        threshold = tf.TensorSpec(None, tf.float32, "threshold")
        states = [tf.TensorSpec([None, None], tf.float32, name) for name in _STATES]

        return self.assets.signatures(
            serving_default=(self.videos, [frames, threshold]),
            encoded=(self.files, [encoded, threshold]),
            stream=(self.stream, [frames, threshold, *states]),
        )

    def videos(self, frames: tf.Tensor, threshold: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        empty = tf.zeros([tf.shape(frames)[0], 0])
        answer = self.stream(frames, threshold, empty, empty)
        return {name: answer[name] for name in _ANSWER}

    def stream(
        self, frames: tf.Tensor, threshold: tf.Tensor, memory_h: tf.Tensor, memory_c: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Answers signature `stream`; an empty state is that before the first frame."""
        sized = served_limits.chunk(frames, data.sizes(self.config))
        batch, _, height, width = tf.unstack(tf.shape(frames)[:4])
        scale = tf.cast(tf.stack([width, height, width, height]), tf.float32)
        given = {"memory_h": memory_h, "memory_c": memory_c}
        first = tf.zeros([batch, *self.state_shape])
        states = [served_limits.unpacked(state, first, name) for name, state in given.items()]
        answer, states = self._answer(sized, threshold, states, scale)
        return {**answer, **dict(zip(given, map(served_limits.packed, states), strict=True))}

    def files(self, encoded: tf.Tensor, threshold: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `encoded`; boxes are in the pixels of each picture."""
        clips = data.sizes(self.config)
        count = tf.shape(encoded)[1]
        encoded = limits.checked(encoded, count > 0, "encoded: at least one frame is needed")
        encoded = served_limits.clips_within(encoded, "encoded", count, clips, _BOUND)
        sized, sides = served_limits.pictures(encoded, clips)
        empty = tf.zeros([tf.shape(encoded)[0], *self.state_shape])
        scale = tf.concat([sides, sides], axis=-1)[:, :, None]
        answer, _ = self._answer(sized, threshold, [empty, empty], scale, encoded != "")
        return answer

    def _answer(
        self,
        frames: tf.Tensor,
        threshold: tf.Tensor,
        states: list[tf.Tensor],
        scale: tf.Tensor,
        real: tf.Tensor | None = None,
    ) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
        """Returns the boxes of frames at the network's size, and the new states.

        Args:
            frames: uint8 [b, t, height, width, 3].
            threshold: a number, or one for each row.
            states: of the memory.
            scale: by which shares become pixels, for the four sides of a box.
            real: bool [b, t]; no box is told in the other frames.
        """
        batch, count = tf.unstack(tf.shape(frames)[:2])
        wanted = tf.reshape(limits.finite(threshold, "threshold"), [-1])
        fits = (tf.size(wanted) == 1) | (tf.size(wanted) == batch)
        told = "threshold: one number, or one for each row, is needed; there are"
        wanted = limits.checked(wanted, fits, told, tf.size(wanted))
        wanted = tf.broadcast_to(wanted, [batch])
        # An empty batch gets a row that is cut off again
        spare = tf.cast(batch == 0, tf.int32)
        maps, states = model.stepped(
            self.network,
            served_limits.longer(frames, spare),
            [served_limits.longer(state, spare) for state in states],
        )
        flat = tf.reshape(maps, tf.concat([[-1], maps.shape[2:]], axis=0))
        found = heat_maps.decode(flat, self.config.model.boxes_per_frame)
        rows = batch + spare
        boxes, scores, classes = (
            tf.reshape(each, [rows, count, *each.shape[1:]])[:batch] for each in found
        )
        told_boxes = (scores >= wanted[:, None, None]) & (scores > 0)
        if real is not None:
            told_boxes &= real[:, :, None]
        answer = {
            "boxes": tf.where(told_boxes[..., None], boxes * scale, 0.0),
            "scores": tf.where(told_boxes, scores, 0.0),
            "labels": tf.gather(self.names, tf.where(told_boxes, classes + 1, 0)),
            "count": tf.reduce_sum(tf.cast(told_boxes, tf.int32), axis=-1),
        }
        return answer, [state[:batch] for state in states]


def served(run: Path) -> ServedDetector:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedDetector(trained_model.load(run))


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several videos, with answers that Keras gives.

    The answers come from the model as a whole, run operation by operation, and not from the
    functions that are exported.
    """
    frames, draw = trained.config.frames, np.random.default_rng(0)
    own = _videos(1, 4, frames.height, frames.width, draw)
    several = _videos(3, 6, frames.height + 9, frames.width // 2 + 3, draw)
    found = []
    for videos, threshold in (
        (own, np.array(0.2, np.float32)),
        (several, np.array([0.1, 0.3, 0.05], np.float32)),
    ):
        whole = _expected(trained, videos, threshold)
        asked = {"frames": videos, "threshold": threshold}
        found.append(warmup_requests.Request("serving_default", asked, whole))
        encoded = [[tf.io.encode_png(frame).numpy() for frame in video] for video in videos]
        asked = {"encoded": np.array(encoded, object), "threshold": threshold}
        found.append(warmup_requests.Request("encoded", asked, whole))
        found += _streamed(trained, videos, threshold, whole)
    return [*found, assets.request()]


def _streamed(
    trained: trained_model.TrainedModel,
    videos: np.ndarray,
    threshold: np.ndarray,
    whole: dict[str, np.ndarray],
) -> list[warmup_requests.Request]:
    """Returns requests for two chunks; their boxes are those of the whole video."""
    shape = model.state_shape(trained.model)
    states = [tf.zeros([len(videos), *shape])] * 2
    rows = {name: np.zeros((len(videos), 0), np.float32) for name in _STATES}
    found = []
    for part in (slice(0, 2), slice(2, None)):
        asked = {"frames": videos[:, part], "threshold": threshold, **rows}
        _, states = model.stepped(trained.model, _sized(trained, videos[:, part]), states)
        packed = [np.reshape(state, (len(videos), -1)) for state in states]
        rows = dict(zip(_STATES, packed, strict=True))
        answers = {**{name: each[:, part] for name, each in whole.items()}, **rows}
        found.append(warmup_requests.Request("stream", asked, answers))
    return found


def _sized(trained: trained_model.TrainedModel, videos: np.ndarray) -> tf.Tensor:
    rows = [data.preprocess(tf.constant(video), trained.config) for video in videos]
    return tf.stack(rows)


def _expected(
    trained: trained_model.TrainedModel, videos: np.ndarray, threshold: np.ndarray
) -> dict[str, np.ndarray]:
    maps = trained.model({"frames": _sized(trained, videos)}, training=False)
    most, (height, width) = trained.config.model.boxes_per_frame, videos.shape[2:4]
    found = [heat_maps.decode(each, most) for each in maps]
    boxes, scores, classes = (np.stack(each) for each in zip(*found, strict=True))
    told = (scores >= np.broadcast_to(threshold, len(videos))[:, None, None]) & (scores > 0)
    names = np.array([b"", *(name.encode() for name in trained.label_names)], object)
    return {
        "boxes": np.where(told[..., None], boxes * np.array([width, height] * 2, np.float32), 0),
        "scores": np.where(told, scores, 0),
        "labels": names[np.where(told, classes + 1, 0)],
        "count": told.sum(axis=-1).astype(np.int32),
    }


def _videos(
    rows: int, count: int, height: int, width: int, draw: np.random.Generator
) -> np.ndarray:
    """Draws bright rectangles that move over noise, uint8 [rows, count, height, width, 3]."""
    videos = draw.integers(30, 90, (rows, count, height, width, 3))
    for video in videos:
        down, across = draw.integers(2, height // 2), draw.integers(2, width // 2)
        for t, frame in enumerate(video):
            frame[down + t : down + t + height // 4, across + t : across + t + width // 4] += 120
    return videos.astype(np.uint8)
