"""A small recogniser with large random weights, so that what it answers depends on all it reads.

Nothing is trained: what these tests protect holds for any weights.
"""

from typing import Any

import numpy as np

from apps.speech_commands import config as configs
from apps.speech_commands import model

CLASSES, CHANNELS = 5, 12
EVERY_KIND: list[dict[str, Any]] = [
    {"layer": "peephole_lstm"},
    {"layer": "peephole_lstm", "front_end": "none", "layer_count": 2},
    {"layer": "lstm", "layer_count": 2},
    {"layer": "gru", "layer_count": 2},
    {"layer": "gru", "front_end": "none", "pooling": "mean"},
    {"pooling": "mean"},
    {"pooling": "last"},
    {"kind": "mfcc"},
    {"layer": "bilstm"},
    {"layer": "bilstm", "front_end": "none", "pooling": "mean"},
]
CAUSAL = [sizes for sizes in EVERY_KIND if sizes.get("layer") != "bilstm"]


def config(kind="log_mel", **sizes):
    sizes = {"units": 10, "convolution_filters": 4, **sizes}
    return configs.Config(
        preset="tiny",
        audio=configs.AudioConfig(clip_seconds=0.4),
        features=configs.FeatureConfig(kind=kind),
        model=configs.ModelConfig(**sizes),
    )


def built(**sizes):
    made = model.build(
        config(**sizes), CLASSES, CHANNELS, np.full(CHANNELS, -30.0), np.full(CHANNELS, 64.0)
    )
    draw = np.random.default_rng(0)
    for weight in made.trainable_weights:
        weight.assign(draw.normal(0, 0.7, weight.shape))
    return made


def some_features(rows, frames, seed=0):
    draw = np.random.default_rng(seed)
    return draw.normal(-30, 8, (rows, frames, CHANNELS)).astype("float32")


def inputs(features, frames=None, context_frames=0):
    """What the model takes; all frames and no context if not told otherwise."""
    rows = len(features)
    whole = features.shape[1] - np.asarray(context_frames) if frames is None else frames
    return {
        "features": np.asarray(features, "float32"),
        "context_frames": np.broadcast_to(np.asarray(context_frames, "int32"), rows),
        "frames": np.broadcast_to(np.asarray(whole, "int32"), rows),
    }
