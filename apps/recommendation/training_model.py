"""Trains the model on the scores that the loss needs, at steps that an item follows.

Right items are compared with negatives, drawn by popularity to a power.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation import losses, model
from apps.recommendation.losses import full_softmax
from apps.suite import process
from apps.suite.distribution import replicas


class Negatives:
    """Draws item indices with replacement: Q_j = count_j^power / Σ count^power.

    A power of 0 draws all items alike, 1 as often as they were taken (Hidasi and Karatzoglou 2018,
    section 3.1). One draw serves all positions of a step, so that a single product scores it.

    Args:
        item_counts: events of each item in the train part (items,).
        power: of the counts.
    """

    def __init__(self, item_counts: np.ndarray, power: float) -> None:
        weights = np.maximum(np.asarray(item_counts, np.float64), 1.0) ** power
        self.log_probabilities = np.log(weights / weights.sum()).astype(np.float32)
        # 64 bits: of a million items the rare ones have less than 32 bits can tell apart
        self._borders = np.cumsum(weights / weights.sum())

    def draw(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Indices from 0, int32 (count,): a function of the seed, int (2,), and of nothing else."""
        drawn = tf.random.stateless_uniform((count,), seed, dtype=tf.float64)
        found = tf.searchsorted(self._borders, drawn, side="right")
        # The last border is 1 up to rounding
        return tf.minimum(found, len(self._borders) - 1)


# Positions of a step are padded to a multiple of this. oneDNN writes a program for every new shape
# of a product, which takes ten times as long as the product.
_MULTIPLE = 128


class NextItemTraining(keras.Model):
    """Trains the weights of a model of `model.build`, on a target at each step of a history.

    With `training.batches` "session_parallel" the states go on from call to call, row by row, as
    non-trainable weights; gradients stop where a call begins, and a row whose `fresh` is True
    starts from zeros (Hidasi et al. 2016, section 3.1.1).

    Args:
        network: of `model.build`.
        config: loss, precision, batches.
        item_counts: events of each item in the train part (items,), for the negatives.

    Call arguments:
        inputs: `history` int32 (batch, time), 0 = no item; for session_parallel `fresh` bool
            (batch,).
        training: whether items are hidden and dropout acts.

    Returns:
        What the recurrent layers say after each item, float32 (batch, time, units).
    """

    def __init__(
        self, network: keras.Model, config: configs.Config, item_counts: np.ndarray
    ) -> None:
        super().__init__(name="next_item_training")
        self.network = network
        self.settings = config.training
        self.repeats = config.model.repeats
        self.products = "float32"
        if process.resolve_precision(config.training.precision) == "mixed_bfloat16":
            self.products = "bfloat16"
        self.negatives = Negatives(item_counts, config.training.negative_power)
        self.seed_generator = keras.random.SeedGenerator()
        self.states = []
        if config.training.batches == "session_parallel":
            sizes = [
                layer.state_size for name, layer in self._layers_by_name() if "recurrent_" in name
            ]
            self.states = [
                [self._state(depth, part, size) for part, size in enumerate(each)]
                for depth, each in enumerate(sizes)
            ]
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        layers = dict(self._layers_by_name())
        before = None
        if self.states:
            kept = tf.cast(~inputs["fresh"], tf.float32)[:, None]
            before = [[kept * state for state in each] for each in self.states]
        outputs, after = model.recurrent_outputs(layers, inputs["history"], before, training)
        for held, new in zip(self.states, after, strict=False):
            for state, value in zip(held, new, strict=True):
                state.assign(value)
        return outputs

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Returns a replica's share of the mean loss over the steps that have a target.

        `y` is int32 (batch, time), the code of the next item, 0 without one.
        """
        places = tf.where(y > 0)
        count = tf.shape(places)[0]
        missing = tf.math.floormod(-count, _MULTIPLE)
        places = tf.pad(places, [[0, missing], [0, 0]])
        weights = tf.pad(tf.ones((count,)), [[0, missing]])
        right = tf.maximum(tf.gather_nd(y, places) - 1, 0)
        vectors = model.queries(dict(self._layers_by_name()), tf.gather_nd(y_pred, places))
        table, settings = self.network.get_layer("items"), self.settings
        if settings.loss == "full_softmax":
            each = full_softmax(
                vectors,
                tf.convert_to_tensor(table.embeddings),
                tf.convert_to_tensor(table.bias),
                right,
                settings.label_smoothing,
                self.products,
            )
        else:
            each = self._against_negatives(table, vectors, right)
        if self.repeats:
            repeats = self.network.get_layer("repeats")
            shares = tf.gather_nd(repeats.right_shares(x["history"], y), places)
            each = repeats.mixed_loss(each, vectors, shares)
        return replicas.share(tf.reduce_sum(each * weights), tf.cast(count, tf.float32))

    def _against_negatives(self, table: Any, vectors: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        settings = self.settings
        drawn = self.negatives.draw(settings.negatives, self.seed_generator.next())
        embeddings, bias = table.embeddings, table.bias
        of_right = tf.reduce_sum(vectors * tf.gather(embeddings, right), axis=1)
        of_right += tf.gather(bias, right)
        products = tf.matmul(
            tf.cast(vectors, self.products),
            tf.cast(replicas.once(tf.gather(embeddings, drawn)), self.products),
            transpose_b=True,
        )
        of_drawn = tf.cast(products, tf.float32) + replicas.once(tf.gather(bias, drawn))
        hits = right[:, None] == drawn
        if settings.loss == "bpr_max":
            return losses.bpr_max(of_right, of_drawn, hits, settings.bpr_regularization)
        if settings.loss == "top1_max":
            return losses.top1_max(of_right, of_drawn, hits)
        log_expected = tf.gather(self.negatives.log_probabilities, drawn)
        log_expected += tf.math.log(float(settings.negatives))
        return losses.sampled_softmax(
            of_right, of_drawn, hits, log_expected, settings.label_smoothing
        )

    def _layers_by_name(self) -> Any:
        return model.layers_of(self.network).items()

    def _state(self, depth: int, part: int, size: int) -> keras.Variable:
        return replicas.state(self.settings.batch_size, size, f"state_{depth}_{part}")
