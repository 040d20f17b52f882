"""Builds the signatures of the export, which take frames and return labels, and their requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.export import assets
from apps.suite.serving import signatures, warmup_requests
from apps.suite.videos import preprocessing, served_limits
from apps.video_classification import config as configs
from apps.video_classification import data, model, streams, trained_model

_ANSWER = {
    "label": "string[b]",
    "label_names": "string[labels]",
    "probabilities": "float32[b, labels]",
}
_FRAMES = {"frames": "uint8[b, frames, height, width, 3]"}
SIGNATURES = {
    "serving_default": signatures.Signature(_FRAMES, _ANSWER),
    "encoded": signatures.Signature({"encoded": "string[b, frames]"}, _ANSWER),
    "stream": signatures.Signature(
        {**_FRAMES, signatures.STATES: "float32[b, numbers]"},
        {
            "label": "string[b, frames]",
            "label_names": "string[labels]",
            "probabilities": "float32[b, frames, labels]",
            signatures.STATES: "float32[b, numbers]",
        },
        optional=True,  # only of a model that judges each frame by itself and those before it
    ),
    "assets": signatures.ASSETS,
}
"""A stream's states begin as float32[b, 0]."""

_PIXELS_AT_ONCE = 2**23  # of the clips that the network reads in one call; bounds the memory


class ServedVideo:
    """Serves a classifier: frames, encoded frames and streams.

    Args:
        trained: what `model.build` returned.
        label_names: of its classes.
        config: of its run.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json: what clients need beside the signatures.
    """

    def __init__(
        self, trained: keras.Model, label_names: Sequence[str], config: configs.Config
    ) -> None:
        self.trained, self.config = trained, config
        self.label_names = tf.constant(list(label_names))
        self.states: list[str] = []  # of a stream, in the order in which they are asked
        if config.model.per_frame:
            self.states = list(streams.initial_states(trained, 1))
        self.settings = self._settings()
        self.assets = assets.of_settings(self.settings)
        self.saved = self.assets.module("served_video", trained)

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        frames = tf.TensorSpec([None, None, None, None, 3], tf.uint8, "frames")
        encoded = tf.TensorSpec([None, None], tf.string, "encoded")
        found = self.assets.signatures(
            serving_default=(self.videos, [frames]), encoded=(self.files, [encoded])
        )
        if self.states:
            states = {name: tf.TensorSpec([None, None], tf.float32, name) for name in self.states}
            found["stream"] = tf.function(self.stream, autograph=False).get_concrete_function(
                frames=frames, **states
            )
        return found

    def videos(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        clips = self.config.clips
        frames = served_limits.frames_within(
            served_limits.with_pixels(frames), clips.frames, clips, "pixels_of_all_clips"
        )
        sizes = tf.shape(frames)
        counts = tf.repeat(sizes[1], sizes[0])
        return self._answer(*data.preprocess(frames, counts, self.config))

    def files(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `encoded`; decodes only the frames that the clip uses."""
        clips = self.config.clips
        encoded = served_limits.clips_within(
            encoded, "encoded", clips.frames, clips, "pixels_of_all_clips"
        )
        empty = tf.equal(encoded, "")
        counts = tf.reduce_sum(tf.cast(~empty, tf.int32), axis=1)
        told = 'encoded: a row without a frame; one that is not "" is needed in each'
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(counts > 0), [told])]):
            indices, lengths = preprocessing.served_indices(counts, clips.frames)
        real = tf.sequence_mask(lengths, clips.frames)
        in_front = tf.gather(
            encoded, tf.argsort(tf.cast(empty, tf.int32), stable=True), axis=1, batch_dims=1
        )
        chosen = tf.where(real, tf.gather(in_front, indices, axis=1, batch_dims=1), "")
        return self._answer(served_limits.pictures(chosen, clips)[0], lengths)

    def stream(self, frames: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `stream`; states come and go as rows, whatever their inner shape.

        A row that is empty stands for the state before the first frame.
        """
        clips = self.config.clips
        sized = served_limits.chunk(frames, clips)
        batch = tf.shape(sized)[0]
        first = streams.initial_states(self.trained, batch)
        before = {
            name: served_limits.unpacked(states[name], first[name], name) for name in self.states
        }
        # A convolution takes no empty batch, so that one gets a row that is cut off again
        spare = tf.cast(batch == 0, tf.int32)
        evidence, after = streams.chunk(
            self.trained,
            served_limits.longer(sized, spare),
            {name: served_limits.longer(state, spare) for name, state in before.items()},
        )
        probabilities = tf.nn.softmax(evidence)[:batch]
        return {
            "probabilities": probabilities,
            "label": tf.gather(self.label_names, tf.argmax(probabilities, axis=2)),
            "label_names": self.label_names,
            **{name: served_limits.packed(state[:batch]) for name, state in after.items()},
        }

    def _answer(self, frames: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers clips, uint8 [b, frames, height, width, 3]; `lengths` counts the real frames."""
        batch = tf.shape(frames)[0]
        spare = tf.cast(batch == 0, tf.int32)
        frames, lengths = served_limits.longer(frames, spare), served_limits.longer(lengths, spare)
        clips = self.config.clips
        at_once = max(1, _PIXELS_AT_ONCE // (clips.frames * clips.height * clips.width))

        def block(first: tf.Tensor, found: tf.Tensor) -> tuple:
            rows = slice(first, first + at_once)
            asked, ends = frames[rows], lengths[rows]
            probabilities = self._probabilities(asked, ends)
            if self.config.evaluation.flip:
                mirrored = self._probabilities(tf.reverse(asked, [3]), ends)
                probabilities = (probabilities + mirrored) / 2
            return first + at_once, tf.concat([found, probabilities], axis=0)

        labels = self.label_names.shape[0]
        _, probabilities = tf.while_loop(
            lambda first, _: first < tf.shape(frames)[0],
            block,
            (0, tf.zeros([0, labels])),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, labels])),
        )
        probabilities = probabilities[:batch]
        return {
            "label": tf.gather(self.label_names, tf.argmax(probabilities, axis=1)),
            "label_names": self.label_names,
            "probabilities": probabilities,
        }

    def _probabilities(self, frames: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        inputs = {"frames": frames, "length": lengths}
        return tf.nn.softmax(self.trained(inputs, training=False))

    def _settings(self) -> dict[str, Any]:
        """Returns what clients need beside the signatures."""
        clips = self.config.clips
        seconds = clips.clip_seconds if clips.sampling == "window" else None
        return {
            "label_names": [name.decode() for name in self.label_names.numpy()],
            "frames": clips.frames,
            "height": clips.height,
            "width": clips.width,
            "fit": clips.fit,
            "clip_seconds": seconds,  # None: a clip is a whole video
            "clips_per_video": self.config.evaluation.clips_per_video,
            "states": self.states,
            "limits": served_limits.LIMITS,
        }


def served(run: Path) -> ServedVideo:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    trained = trained_model.load(run)
    return ServedVideo(trained.model, trained.label_names, trained.config)


def requests(
    trained: keras.Model, label_names: Sequence[str], config: configs.Config
) -> list[warmup_requests.Request]:
    """Returns requests of one and of several videos, of lengths and sizes unlike the training's.

    The answers come from Keras, which runs the model operation by operation, and not from the
    functions that are exported.
    """
    names = np.array([name.encode() for name in label_names], object)
    clips, draw = config.clips, np.random.default_rng(0)
    own = _video(clips.frames, clips.height, clips.width, draw)
    long = np.stack([_video(3 * clips.frames + 1, 48, 36, draw) for _ in range(3)])
    short = _video(2, 7, 50, draw)
    found = [_videos(trained, names, config, videos) for videos in (own[None], long, short[None])]
    several: Sequence[Sequence[np.ndarray]] = ([own], [long[0], short, own])
    found += [_files(trained, names, config, videos) for videos in several]
    if config.model.per_frame:
        for videos in (own[None], long):
            found += _stream(trained, names, config, videos)
    return [*found, assets.request()]


def _videos(
    trained: keras.Model, names: np.ndarray, config: configs.Config, videos: np.ndarray
) -> warmup_requests.Request:
    probabilities = np.concatenate([_ask(trained, config, video) for video in videos])
    return warmup_requests.Request(
        "serving_default", {"frames": videos}, _answers(names, probabilities)
    )


def _files(
    trained: keras.Model,
    names: np.ndarray,
    config: configs.Config,
    videos: Sequence[np.ndarray],
) -> warmup_requests.Request:
    """Returns a request of PNG files, which are lossless."""
    encoded = np.full([len(videos), max(map(len, videos))], b"", object)
    for row, video in zip(encoded, videos, strict=True):
        row[: len(video)] = [tf.io.encode_png(frame).numpy() for frame in video]
    probabilities = np.concatenate([_ask(trained, config, video) for video in videos])
    return warmup_requests.Request("encoded", {"encoded": encoded}, _answers(names, probabilities))


def _stream(
    trained: keras.Model, names: np.ndarray, config: configs.Config, videos: np.ndarray
) -> list[warmup_requests.Request]:
    """Returns requests for a first chunk and a second; the answers come from one whole call."""
    count = min(videos.shape[1], 7)
    videos, ones = videos[:, :count], tf.ones([count], tf.int32)
    sized = tf.stack([data.preprocess(row[:, None], ones, config)[0][:, 0] for row in videos])
    lengths = tf.fill([len(videos)], count)
    evidence = model.per_frame(trained)({"frames": sized, "length": lengths}, training=False)
    whole = tf.nn.softmax(evidence).numpy()
    first = streams.initial_states(trained, len(videos))
    states = {name: np.zeros((len(videos), 0), np.float32) for name in first}
    found, after = [], first
    for part in (slice(0, 4), slice(4, count)):
        _, after = streams.chunk(trained, sized[:, part], after)
        rows = {name: np.reshape(state, (len(videos), -1)) for name, state in after.items()}
        answers = {
            "probabilities": whole[:, part],
            "label": names[whole[:, part].argmax(axis=2)],
            "label_names": names,
            **rows,
        }
        found.append(
            warmup_requests.Request("stream", {"frames": videos[:, part], **states}, answers)
        )
        states = rows
    return found


def _ask(trained: keras.Model, config: configs.Config, video: np.ndarray) -> np.ndarray:
    """Returns probabilities [1, labels] for one video, without padding."""
    frames, lengths = data.preprocess(tf.constant(video[None]), tf.constant([len(video)]), config)
    frames = frames[:, : lengths[0]]
    sides = (frames, frames[:, :, :, ::-1]) if config.evaluation.flip else (frames,)
    asked = [trained({"frames": side, "length": lengths}, training=False) for side in sides]
    return np.mean([keras.ops.softmax(logits) for logits in asked], axis=0)


def _answers(names: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    return {
        "label": names[probabilities.argmax(axis=1)],
        "label_names": names,
        "probabilities": probabilities,
    }


def _video(frames: int, height: int, width: int, draw: np.random.Generator) -> np.ndarray:
    """Draws a bright spot that moves over noise, uint8 [frames, height, width, 3]."""
    start, pace = draw.uniform(0.2, 0.8, 2), draw.uniform(-0.5, 0.5, 2)
    times = np.linspace(0, 1, frames)[:, None, None]
    rows, columns = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    down, right = rows - start[0] - pace[0] * times, columns - start[1] - pace[1] * times
    spot = np.exp(-(down**2 + right**2) / 0.02)
    colours = spot[..., None] * draw.uniform(60, 160, 3) + 50
    return (colours + draw.normal(0, 8, colours.shape)).clip(0, 255).astype(np.uint8)
