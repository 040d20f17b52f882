"""A small regression with large random weights, also as a finished run in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

from typing import Any

import keras
import numpy as np

from apps.sequence_regression import config as configs
from apps.sequence_regression import model, trained_model
from apps.suite.runs import run_folder
from apps.suite.sequences import encoded_inputs, members, sequence_statistics
from apps.suite.texts import words
from apps.suite.texts.config import BagTextConfig

WITHOUT_DRAWS = {"model": {"dropout": 0.0}}
CHANNELS = ("flow", "heat")
MEAN, DEVIATION = np.array([10.0, -2.0]), np.array([2.0, 0.5])
TARGETS = {"one": ("wear",), "two": ("wear", "load")}
KINDS: dict[str, dict[str, Any]] = {
    "a value a sequence": {},
    "a value a step, two targets": {"target": {"per": "step"}, "targets": "two"},
    "a value a step, both directions": {"target": {"per": "step"}, "layer": "bilstm"},
    "remaining life": {"target": {"remaining": True, "cap": 50.0}, "layer": "lstm"},
    "remaining life, three members": {
        "target": {"remaining": True, "cap": 50.0},
        "layer": "lstm",
        "members": 3,
    },
    "remaining life without a cap": {"target": {"remaining": True}, "layer": "gru"},
    "two targets, the median": {"targets": "two", "answer": "median", "pooling": "attention"},
    "text": {"text": True},
}
"""Settings of a model by a name for the tests."""


def config(target=None, members=1, **sizes):
    return configs.Config(
        preset="tiny",
        target=configs.TargetConfig(**(target or {})),
        model=configs.ModelConfig(**{"units": 7, "layer_count": 1, **sizes}),
        text=BagTextConfig(bag_units=5, bag_size=97),
        training=configs.TrainingConfig(
            batch_size=4, steps=4, steps_per_checkpoint=2, members=members
        ),
    )


def trained(target=None, targets="one", text=False, **sizes):
    """A regression whose answers depend on all that it reads."""
    made, names = config(target, **sizes), TARGETS[targets]
    vocabulary = words.learn(
        ["a fine day", "a dull day"], size=9, least_count=1, lowercase=True, most_words=20
    )
    keras.utils.set_random_seed(0)
    count = len(names)
    given = encoded_inputs.Inputs(
        0 if text else len(CHANNELS),
        sequence_statistics.ChannelStatistics(np.array([9, 9]), MEAN, DEVIATION),
        indicators=True,
        vocabulary=vocabulary if text else None,
    )
    _, network = members.joined(
        lambda _: model.build(made, given, (np.full(count, 20.0), np.full(count, 8.0))),
        made.training.members,
    )
    draw = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(draw.normal(0, 0.5, weight.shape))
    return trained_model.TrainedModel(
        network,
        made,
        names,
        () if text else CHANNELS,
        tuple(np.linspace(0.5, -0.25, count).tolist()),
        vocabulary if text else None,
    )


def a_sequence(steps=30, seed=0, missing=0.1):
    """A wandering sequence in the units of `MEAN` and `DEVIATION`, NaN where missing."""
    draw = np.random.default_rng(seed)
    walk = 0.4 * draw.normal(size=(steps, 2)).cumsum(axis=0)
    walk[draw.random(walk.shape) < missing] = np.nan
    return (MEAN + DEVIATION * walk).astype(np.float32)


def write(folder, made=None):
    """Makes `folder` a finished run; returns its trained model."""
    made = made or trained(**KINDS["remaining life"])
    data = {
        "name": "small",
        "fingerprint": "0",
        "target_names": list(made.target_names),
        "channel_names": list(made.channel_names),
    }
    with run_folder.start(folder, "sequence_regression", made.config, data) as run:
        made.model.save(run.model_file)
        if made.vocabulary is not None:
            made.vocabulary.save(run.path)
        trained_model.write(run, made.offsets)
        run.finish_training(1.0)
        run.write_metrics({})
    return made
