"""Small classifiers with large random weights, also as finished runs in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

import keras
import numpy as np

from apps.sequence_classification import config as configs
from apps.sequence_classification import model, trained_model
from apps.suite.networks.config import EncoderConfig
from apps.suite.runs import run_folder
from apps.suite.sequence_answers import smoothing
from apps.suite.sequences import encoded_inputs, members, ragged, sequence_statistics
from apps.suite.texts import words
from apps.suite.texts.config import BagTextConfig

WITHOUT_DRAWS = {"model": {"dropout": 0.0}}
NAMES = ("standing", "walking", "running")
CHANNELS = ("x", "y")
LEARNED = sequence_statistics.ChannelStatistics(
    np.array([9, 9]), np.array([1.0, -2.0]), np.array([2.0, 0.5])
)
TEXTS = ("a good film , a very good film", "what a bad film", "it is good", "it is bad")


def config(per="sequence", smoothed=False, members=1, **sizes):
    return configs.Config(
        preset="tiny",
        target=configs.TargetConfig(per=per, smoothed=smoothed),
        text=BagTextConfig(bag_units=4, bag_size=97),
        model=EncoderConfig(**{"units": 6, "convolution_filters": 4, **sizes}),
        training=configs.TrainingConfig(members=members),
    )


def vocabulary():
    return words.learn(TEXTS, size=20, least_count=1, lowercase=True, most_words=50)


def trained(per="sequence", text=False, **sizes):
    """Returns what training would leave."""
    made, known = config(per, **sizes), vocabulary() if text else None
    keras.utils.set_random_seed(0)
    learned = ragged.of_arrays([sequence(30, at) for at in range(4)], "abcd", CHANNELS)
    given = encoded_inputs.Inputs(0 if text else len(CHANNELS), LEARNED, True, known, learned)
    _, network = members.joined(
        lambda number: model.build(members.of_member(made, number), given, len(NAMES)),
        made.model.networks(made.training.members),
    )
    draw = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(draw.normal(0, 0.6, weight.shape))
    smooth = smoothing.Smoothing(0.5, 0.1) if made.target.smoothed else None
    channels = () if text else CHANNELS
    return trained_model.TrainedModel(network, NAMES, channels, made, known, smooth)


def sequence(steps=20, seed=0):
    """Values float32 [steps, 2], one of them missing."""
    values = np.random.default_rng(seed).normal([1, -2], [2, 0.5], (steps, 2))
    values[steps // 2, 1] = np.nan
    return values.astype(np.float32)


def write(folder, made=None):
    """Makes `folder` a finished run; returns what it holds."""
    made = made or trained()
    data = {
        "name": "small",
        "fingerprint": "0",
        "label_names": list(NAMES),
        "channel_names": list(made.channel_names),
    }
    with run_folder.start(folder, "sequence_classification", made.config, data) as run:
        made.model.save(run.model_file)
        if made.vocabulary is not None:
            made.vocabulary.save(run.path)
        if made.config.target.smoothed:
            trained_model.write(run, made.smooth)
        run.finish_training(1.0)
        run.write_metrics({})
    return made
