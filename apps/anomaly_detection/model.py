"""The networks by the config's kind, as they are saved and served, and as they are trained."""

from __future__ import annotations

import keras

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import forecaster, training_model, window_networks


def build(
    config: configs.Config, feature_count: int, scored_count: int
) -> training_model.TrainingModel:
    """The model as it is trained, uncompiled; its `network` is what `build_network` returns.

    Args:
        config: kind and sizes, and the seed of what is hidden in training.
        feature_count: channels that are read.
        scored_count: the first so many of them are scored.
    """
    network = build_network(config, feature_count, scored_count)
    return training_model.TrainingModel(network, config, config.seed)


def build_network(config: configs.Config, feature_count: int, scored_count: int) -> keras.Model:
    """The network that is saved; see `forecaster.build` and `window_networks.build`."""
    kinds = {"forecaster": forecaster.build}
    make = kinds.get(config.model.kind, window_networks.build)
    return make(config.model, feature_count, scored_count)
