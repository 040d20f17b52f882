"""From frames to features frame by frame: the kinds of `model.backbone`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from apps.video_classification import applications
from apps.video_classification import config as configs
from apps.video_classification.frame_by_frame import FrameByFrame
from apps.video_classification.motion_channels import MotionChannels
from apps.video_classification.motion_statistics import MotionStatistics

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
        # Layer by layer, weights that have learned nothing let their input shrink to 1e-12
        options = {"epsilon": 1e-30, "center": False, "scale": False}
        values = keras.layers.LayerNormalization(**options, name="application_scale")(values)
    return values
