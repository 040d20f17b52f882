"""Encodes frames as features, frame by frame: the kinds of `model.backbone`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from apps.suite.videos import applications
from apps.video_classification import config as configs
from apps.video_classification.motion import MotionChannels, MotionStatistics

# Models saved before two tasks shared this layer name it so.
keras.saving.get_custom_objects()["video_classification>ApplicationPixels"] = (
    applications.ApplicationPixels
)


@keras.saving.register_keras_serializable(package="video_classification")
class FeatureScale(keras.layers.Layer):
    """(x - mean) / deviation of each feature, as `fit` found them; until then x.

    Call arguments:
        features: (batch, time, features).
    """

    def build(self, shape: tuple[Any, ...]) -> None:
        size = (shape[-1],)
        self.mean = self.add_weight(size, initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(
            size, initializer="ones", trainable=False, name="deviation"
        )
        self.built = True

    def fit(self, features: np.ndarray, lengths: np.ndarray) -> None:
        """Takes mean and deviation from clips.

        Args:
            features: float [clips, time, features]; a first frame, from which nothing has moved
                yet, does not count where others follow.
            lengths: int [clips], real frames.
        """
        places = np.arange(features.shape[1])
        counts = (places < lengths[:, None]) & ((places > 0) | (lengths[:, None] == 1))
        rows = features[counts].astype(np.float64)
        self.mean.assign(rows.mean(axis=0))
        self.deviation.assign(np.maximum(rows.std(axis=0), 1e-3))  # of what never varies, too

    def call(self, features: Any) -> Any:
        dtype = self.compute_dtype
        return (features - ops.cast(self.mean, dtype)) / ops.cast(self.deviation, dtype)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return shape


@keras.saving.register_keras_serializable(package="video_classification")
class FrameByFrame(keras.layers.Wrapper):
    """Applies a layer to every frame by itself, all frames of the batch as one larger batch.

    What it computes is what `TimeDistributed` computes; that one traces the layer for one frame
    and maps it over time, where a convolution then runs on one small batch after the other.

    Args:
        layer: of (batch, …), such as a convolution or a whole model.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        frames: (batch, time, …); all but the first two extents static.
        training: handed on to a layer that takes it.

    Returns:
        (batch, time, …).
    """

    def __init__(self, layer: keras.Layer, **options: Any) -> None:
        super().__init__(layer, **options)
        self.supports_masking = True

    def build(self, shape: tuple[Any, ...]) -> None:
        if not self.layer.built:
            self.layer.build((None, *shape[2:]))
        self.built = True

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        one = self.layer.compute_output_shape((None, *shape[2:]))
        return (shape[0], shape[1], *one[1:])

    def call(self, frames: Any, training: bool | None = None) -> Any:
        batch, time = ops.shape(frames)[:2]
        together = ops.reshape(frames, (batch * time, *frames.shape[2:]))
        options = {"training": training} if self.layer._call_has_training_arg else {}
        found = self.layer(together, **options)
        return ops.reshape(found, (batch, time, *found.shape[1:]))


CHANNELS = "channels"
MEMORY = "convolutional_lstm"


def encode(config: configs.Config, frames: Any) -> Any:
    """Features (batch, time, features) of frames uint8 (batch, time, height, width, 3).

        small_cnn            grey or colour and the difference to the frame before; blocks of a
                             convolution of 3x3 and relu that halve height and width each
        keras_applications   a network of `keras.applications` on the frames in colour
        convolutional_lstm   the first block of small_cnn, a convolutional LSTM (Shi et al. 2015),
                             which carries a picture of what has moved, and the other blocks
        motion_statistics    how much moves, how fast and in what order, without a weight; for
                             a few hundred videos, whose scenes a network would learn by heart

    Of a network, positions are kept up to the end: where something is now and where it was is what
    motion is.
    """
    sizes = config.model
    if sizes.backbone == "keras_applications":
        values = _application(config, frames)
    elif sizes.backbone == "motion_statistics":
        # Flow divides small differences of brightness, which bfloat16 rounds away
        layer = MotionStatistics(sizes.motion_scales, dtype="float32", name=CHANNELS)
        values = layer(frames)
    else:
        values = MotionChannels(sizes.colour, sizes.frame_differences, name=CHANNELS)(frames)
        for depth, filters in enumerate(sizes.cnn_filters):
            values = _block(sizes, depth, filters, values)
            if depth == 0 and sizes.backbone == "convolutional_lstm":
                values = _memory(sizes, values)
        values = FrameByFrame(keras.layers.Flatten(), name="flat")(values)
    return values


def _block(sizes: configs.ModelConfig, depth: int, filters: int, values: Any) -> Any:
    batch_norm = sizes.cnn_normalisation == "batch"
    convolution = keras.layers.Conv2D(
        filters,
        3,
        strides=2,
        padding="same",
        activation=None if batch_norm else "relu",
        use_bias=not batch_norm,
        kernel_initializer="he_normal",
    )
    values = FrameByFrame(convolution, name=f"convolution_{depth}")(values)
    if batch_norm:
        # Over the whole batch where replicas share it
        shared = tf.distribute.has_strategy()
        layer = keras.layers.BatchNormalization(momentum=0.9, synchronized=shared)
        values = FrameByFrame(layer, name=f"normalisation_{depth}")(values)
        values = keras.layers.ReLU(name=f"relu_{depth}")(values)
    if sizes.spatial_dropout:
        shape = (None, 1, 1, 1, filters)  # one draw for all frames of a clip
        drop = keras.layers.Dropout(sizes.spatial_dropout, shape, name=f"spatial_dropout_{depth}")
        values = drop(values)
    return values


def _memory(sizes: configs.ModelConfig, values: Any) -> Any:
    layer = keras.layers.ConvLSTM2D(
        sizes.convolutional_lstm_filters,
        3,
        padding="same",
        return_sequences=True,
        return_state=True,
        name=MEMORY,
    )
    return layer(values)[0]


def _application(config: configs.Config, frames: Any) -> Any:
    sizes, clips = config.model, config.clips
    network = applications.build(
        sizes.application, sizes.application_weights, clips.height, clips.width
    )
    # Frozen layers keep their statistics of the batch normalisation, too
    network.trainable = sizes.fine_tune
    values = FrameByFrame(network, name="application")(frames)
    if sizes.application_weights == applications.RANDOM:
        values = applications.scaled(values)
    return values
