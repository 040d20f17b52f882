"""Builds the networks by the config's kind, and the model that trains them with hidden inputs."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import forecaster, window_networks
from apps.suite.distribution import replicas
from apps.suite.tables import scaling


class TrainingModel(keras.Model):
    """A network over stretches of series, each from an empty state.

    A share of the observed inputs is hidden, drawn anew in each step, so that the network learns
    what a gap is, however few the data have. What is hidden is a target all the same.

    The loss is the mean squared error in deviations of the train part over all targets that were
    observed: for a forecaster, of all predictions made after the burn-in; else of the whole
    reconstructed window. Targets are cut as inputs are, or single extremes would rule it.

    Args:
        network: of `forecaster.build` or `window_networks.build`; this one trains its weights.
        config: of the run.
        seed: of the hidden inputs.

    Call arguments:
        inputs: (values float32, observed bool), each (batch, stretch, features).
        training: whether dropout acts and inputs are hidden.
    """

    def __init__(self, network: keras.Model, config: configs.Config, seed: int) -> None:
        super().__init__(name=f"{network.name}_in_training")
        self.network = network
        self.config = config
        self.hiding = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        values, observed = inputs
        visible = observed
        hidden_fraction = self.config.training.hidden_fraction
        if training and hidden_fraction:
            drawn = keras.random.uniform(tf.shape(values), seed=self.hiding)
            visible &= drawn >= hidden_fraction
        rows = tf.shape(values)[0]
        mean = tf.convert_to_tensor(self.network.get_layer("scaling").mean)
        filled, _ = scaling.fill_gaps(
            values, visible, mean, scaling.initial_gap_states(rows, mean.shape[0])
        )
        states = [tf.zeros((rows, *state.shape[1:])) for state in self.network.inputs[2:]]
        outputs = self.network([filled, tf.cast(visible, tf.float32), *states], training=training)
        return outputs[0] if states else outputs

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        values, observed = x
        scored = y_pred.shape[-1]
        targets = self.network.get_layer("scaling")(values)[..., :scored]
        weights = tf.cast(observed[..., :scored], tf.float32)
        if self.config.model.kind != "forecaster":
            return _mean_square([(targets - y_pred, weights)])
        begin = self.config.training.burn_in_steps
        return _mean_square(
            [
                (
                    targets[:, begin + ahead :] - y_pred[:, begin:-ahead, ahead - 1],
                    weights[:, begin + ahead :],
                )
                for ahead in range(1, self.config.model.horizon_steps + 1)
            ]
        )


def _mean_square(parts: list[tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
    """Returns a replica's share of the mean square of errors weighted by 0 or 1; 0 if all are 0."""
    total = tf.add_n([tf.reduce_sum(weights * errors**2) for errors, weights in parts])
    return replicas.share(total, tf.add_n([tf.reduce_sum(weights) for _, weights in parts]))


def build(config: configs.Config, feature_count: int, scored_count: int) -> TrainingModel:
    """Builds the model that is trained, uncompiled; its `network` is of `build_network`.

    Args:
        config: kind and sizes, and the seed of the inputs hidden in training.
        feature_count: channels that are read.
        scored_count: number of channels that are scored, the first ones.
    """
    network = build_network(config, feature_count, scored_count)
    return TrainingModel(network, config, config.seed)


def build_network(config: configs.Config, feature_count: int, scored_count: int) -> keras.Model:
    """Builds the network that is saved; see `forecaster.build` and `window_networks.build`."""
    kinds = {"forecaster": forecaster.build}
    make = kinds.get(config.model.kind, window_networks.build)
    return make(config.model, feature_count, scored_count)
