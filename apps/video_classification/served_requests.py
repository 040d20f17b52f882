"""The requests that a server warms up with, and Keras's answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps import warmup_requests
from apps.video_classification import config as configs
from apps.video_classification import data, model, streaming_model


def requests(
    trained: keras.Model, label_names: Sequence[str], config: configs.Config
) -> list[warmup_requests.Request]:
    """For each signature one row and several, videos of other lengths and sizes than training's.

    The answers come from the model as Keras runs it, operation by operation, and not from the
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
    return found


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
    """PNG files, which lose nothing."""
    encoded = np.full([len(videos), max(map(len, videos))], b"", object)
    for row, video in zip(encoded, videos, strict=True):
        row[: len(video)] = [tf.io.encode_png(frame).numpy() for frame in video]
    probabilities = np.concatenate([_ask(trained, config, video) for video in videos])
    return warmup_requests.Request("encoded", {"encoded": encoded}, _answers(names, probabilities))


def _stream(
    trained: keras.Model, names: np.ndarray, config: configs.Config, videos: np.ndarray
) -> list[warmup_requests.Request]:
    """A chunk from the beginning and one that goes on; the answers are those of one whole call."""
    count = min(videos.shape[1], 7)
    videos, ones = videos[:, :count], tf.ones([count], tf.int32)
    sized = tf.stack([data.preprocess(row[:, None], ones, config)[0][:, 0] for row in videos])
    lengths = tf.fill([len(videos)], count)
    evidence = model.per_frame(trained)({"frames": sized, "length": lengths}, training=False)
    whole = tf.nn.softmax(evidence).numpy()
    first = streaming_model.initial_states(trained, len(videos))
    states = {name: np.zeros((len(videos), 0), np.float32) for name in first}
    found, after = [], first
    for part in (slice(0, 4), slice(4, count)):
        _, after = streaming_model.chunk(trained, sized[:, part], after)
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
    """Probabilities [1, labels] of one video, without any padding behind a short one."""
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
    """A bright spot on its way over a noisy ground, uint8 [frames, height, width, 3]."""
    start, pace = draw.uniform(0.2, 0.8, 2), draw.uniform(-0.5, 0.5, 2)
    times = np.linspace(0, 1, frames)[:, None, None]
    rows, columns = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    down, right = rows - start[0] - pace[0] * times, columns - start[1] - pace[1] * times
    spot = np.exp(-(down**2 + right**2) / 0.02)
    colours = spot[..., None] * draw.uniform(60, 160, 3) + 50
    return (colours + draw.normal(0, 8, colours.shape)).clip(0, 255).astype(np.uint8)
