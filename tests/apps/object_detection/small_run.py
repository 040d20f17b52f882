"""A small detector with large random weights, also as a finished run in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

import keras
import numpy as np

from apps.object_detection import config as configs
from apps.object_detection import model, trained_model
from apps.suite.runs import run_folder

# Adam enlarges the rounding of gradients that are nearly zero, by as much as its steps are large
WITHOUT_DRAWS = {
    "evaluation": {"twin": False},
    "training": {"precision": "float32", "learning_rate": 1e-4},
}
NAMES = ("car", "person", "bicycle")
HEIGHT, WIDTH = 16, 24


def config(data="", **sizes):
    sizes = {"filters": (4, 6), "units": 5, "head_filters": 6, **sizes}
    return configs.Config(
        preset="tiny",
        data=str(data),
        frames=configs.FramesConfig(height=HEIGHT, width=WIDTH, clip_frames=5),
        model=configs.ModelConfig(**sizes),
        training=configs.TrainingConfig(batch_size=4, steps=4, steps_per_checkpoint=4),
        evaluation=configs.EvaluationConfig(twin=False, strips=2),
    )


def trained(made=None):
    """Returns what training would leave; scores spread over the whole range."""
    made = made or config()
    keras.utils.set_random_seed(0)
    network = model.build(made, len(NAMES))
    draw = np.random.default_rng(1)
    for weight in network.trainable_weights:
        spread = 1.5 / np.sqrt(max(1, np.prod(weight.shape[:-1])))
        weight.assign(draw.normal(0, spread, weight.shape))
    return trained_model.TrainedModel(network, NAMES, made)


def video(frames=6, height=HEIGHT, width=WIDTH, seed=0):
    """A spot that moves over a ground of two colours, uint8 [frames, …, 3]."""
    draw = np.random.default_rng(seed)
    times = np.linspace(0, 1, frames)[:, None, None]
    rows, columns = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    (top, left), (down, right) = draw.uniform(0.3, 0.7, 2), draw.uniform(-0.5, 0.5, 2)
    spot = (rows - top - down * times) ** 2 + (columns - left - right * times) ** 2 < 0.03
    ground = draw.uniform(0, 120, 3) + np.stack([90 * rows, 90 * columns, 0 * rows], axis=-1)
    return np.where(spot[..., None], draw.uniform(150, 255, 3), ground).astype(np.uint8)


def write(folder, made=None):
    """Makes `folder` a finished run; returns what it holds."""
    made = made or trained()
    data = {"name": "small", "fingerprint": "0", "label_names": list(NAMES)}
    with run_folder.start(folder, "object_detection", made.config, data) as run:
        made.model.save(run.model_file)
        run.finish_training(1.0)
        run.write_metrics({})
    return made
