"""A small classifier with large random weights, also as a finished run in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

from typing import Any

import keras
import numpy as np

from apps.suite.runs import run_folder
from apps.video_classification import config as configs
from apps.video_classification import model

WITHOUT_DRAWS = {"model": {"dropout": 0.0, "cnn_normalisation": "batch", "per_frame": True}}
NAMES = ("down", "left", "right", "up")
FRAMES, HEIGHT, WIDTH = 6, 16, 20
EVERY_KIND: list[dict[str, Any]] = [
    {},
    {"pooling": "attention", "layer": "gru", "colour": True, "layer_count": 2},
    {"pooling": "mean", "layer": "bilstm", "cnn_normalisation": "batch"},
    {"backbone": "convolutional_lstm", "convolutional_lstm_filters": 3, "frame_features": 0},
    {"per_frame": True, "layer": "gru"},
    {
        "backbone": "motion_statistics",
        "motion_scales": 2,
        "beside_recurrent": True,
        "per_frame": True,
    },
]


def config(data="", clips=None, evaluation=None, **sizes):
    sizes = {"cnn_filters": (4, 6), "frame_features": 8, "units": 10, **sizes}
    clips = {"frames": FRAMES, "height": HEIGHT, "width": WIDTH, **(clips or {})}
    return configs.Config(
        preset="tiny",
        data=str(data),
        clips=configs.ClipConfig(**clips),
        model=configs.ModelConfig(**sizes),
        training=configs.TrainingConfig(batch_size=8, steps=4, steps_per_checkpoint=4),
        evaluation=configs.EvaluationConfig(**(evaluation or {})),
    )


def built(made):
    keras.utils.set_random_seed(0)
    trained = model.build(made, len(NAMES))
    draw = np.random.default_rng(1)
    for weight in trained.trainable_weights:
        spread = 1 / np.sqrt(max(1, np.prod(weight.shape[:-1])))
        weight.assign(draw.normal(0, 2 * spread, weight.shape))
    videos = np.stack([video(made.clips.frames, seed=seed) for seed in range(24)])
    logits = answer(trained, videos)
    kernel, bias = trained.get_layer(model.EVIDENCE).trainable_weights
    sharper = 1.5 / logits.std(axis=0).mean()  # the answers of videos differ well
    kernel.assign(sharper * kernel)
    bias.assign(sharper * (bias - logits.mean(axis=0)))  # so that no label always wins
    return trained


def answer(trained, videos):
    """Logits of whole clips in the network's size, by the model itself."""
    inputs = {
        "frames": np.asarray(videos),
        "length": np.full(len(videos), videos.shape[1], np.int32),
    }
    return np.asarray(trained(inputs, training=False))


def video(frames=FRAMES, height=HEIGHT, width=WIDTH, seed=0):
    """A coloured spot that moves over a ground of two colours, uint8 [frames, …, 3]."""
    draw = np.random.default_rng(seed)
    times = np.linspace(0, 1, frames)[:, None, None]
    rows, columns = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    (top, left), (down, right) = draw.uniform(0.3, 0.7, 2), draw.uniform(-0.6, 0.6, 2)
    spot = (rows - top - down * times) ** 2 + (columns - left - right * times) ** 2 < 0.03
    ground = draw.uniform(0, 120, 3) + np.stack([90 * rows, 90 * columns, 0 * rows], axis=-1)
    return np.where(spot[..., None], draw.uniform(150, 255, 3), ground).astype(np.uint8)


def write(folder, **options):
    """Makes `folder` a finished run; returns its model and config."""
    made = config(**options)
    trained = built(made)
    data = {"name": "small", "fingerprint": "0", "label_names": list(NAMES)}
    with run_folder.start(folder, "video_classification", made, data) as run:
        trained.save(run.model_file)
        run.finish_training(1.0)
        run.write_metrics({})
    return trained, made
