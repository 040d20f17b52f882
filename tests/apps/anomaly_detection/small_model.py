"""Small detectors with large random weights, so that a score depends on all that was read.

Nothing is trained: what these tests protect holds for any weights.
"""

from typing import Any

import keras
import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import model, score_stream, thresholds, trained_model
from apps.suite.tables import series

FEATURES, SCORED = 3, 2
NAMES = ("flow", "heat", "command")
MEAN = np.array([10.0, -2.0, 0.5], np.float32)
DEVIATION = np.array([2.0, 0.5, 1.0], np.float32)
KINDS: dict[str, dict[str, Any]] = {
    "forecaster": {},
    "forecaster, three steps ahead": {
        "layer": "gru",
        "layer_count": 1,
        "horizon_steps": 3,
        "season_steps": 8,
    },
    "forecaster and season": {"layer_count": 1, "season_steps": 8, "joined": True},
    "encoder_decoder": {"kind": "encoder_decoder", "layer": "lstm", "window_steps": 9},
    "autoencoder": {
        "kind": "autoencoder",
        "layer_count": 1,
        "window_steps": 9,
        "stride_steps": 4,
    },
}
"""Settings of a model by a name for the tests; joined: errors of the season and a level count."""
JOINED = {"season_share": 0.6, "level_steps": 6.0}


def config(joined=False, **settings):
    if joined:
        settings["score"] = {**settings.get("score", {}), **JOINED}
    groups = {
        name: kind(**settings.pop(name, {}))
        for name, kind in (("score", configs.ScoreConfig), ("events", configs.EventConfig))
    }
    training = {"batch_size": 4, "burn_in_steps": 5, "steps": 4, "steps_per_checkpoint": 2}
    training |= settings.pop("training", {})
    sizes = {"units": 7, "code_units": 4, "layer_count": 2, "window_steps": 12, **settings}
    return configs.Config(
        preset="tiny",
        model=configs.ModelConfig(**sizes),
        training=configs.TrainingConfig(**training),
        **groups,
    )


def learner(made, seed=0):
    """The model as it is trained."""
    keras.utils.set_random_seed(seed)
    built = model.build(made, FEATURES, SCORED)
    draw = np.random.default_rng(seed)
    for weight in built.network.trainable_weights:
        weight.assign(draw.normal(0, 0.4, weight.shape))
    built.network.get_layer("scaling").fit(MEAN, DEVIATION)
    if made.score.season_share:
        built.network.get_layer("season").fit([1.0, 0.7])
    return built


def trained(threshold=1.2, seed=0, **settings):
    """A detector with a normaliser that is not neutral."""
    made = config(**settings)
    usual = [[0.1, -0.2], [0.8, 1.5]]
    if made.score.season_share:
        usual = [[0.1, -0.2, 0.2, -0.1], [0.8, 1.5, 0.6, 0.9], [0.4, 0.7], [0.5, 2.0]]
    normaliser = score_stream.Normaliser(*(np.array(each, np.float32) for each in usual))
    return trained_model.TrainedModel(
        learner(made, seed).network,
        made,
        normaliser,
        thresholds.Threshold(threshold, "quantile", 1.0),
        NAMES,
        SCORED,
        60.0,
    )


def a_series(steps=60, seed=0, missing=0.1, name="one"):
    """A wandering series in the units of `MEAN` and `DEVIATION`, with gaps."""
    draw = np.random.default_rng(seed)
    walk = 0.3 * draw.normal(size=(steps, FEATURES)).cumsum(axis=0)
    observed = draw.random((steps, FEATURES)) >= missing
    values = np.where(observed, MEAN + DEVIATION * walk, 0).astype(np.float32)
    ends = steps // 2, 3 * steps // 4
    return series.Series(
        name, np.arange(steps, dtype=float), False, 60.0, values, observed, None, *ends
    )


def with_nan(one):
    """The values of a series with NaN where they are missing, float32 [time, features]."""
    return np.where(one.observed, one.values, np.float32(np.nan))
