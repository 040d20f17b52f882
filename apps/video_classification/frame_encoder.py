"""Encodes frames as features, frame by frame: the kinds of `model.backbone`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from apps.suite import errors
from apps.video_classification import config as configs
from apps.video_classification.motion import MotionChannels, MotionStatistics

RANDOM, DOWNLOADED = "random", "imagenet"


def build_application(name: str, weights: str, height: int, width: int) -> keras.Model:
    """Builds the network without its head: frames uint8 (batch, height, width, 3) to (batch, n).

    Args:
        name: of a network in `keras.applications`, such as MobileNetV2.
        weights: "random", "imagenet", which Keras downloads, or a file in the format of
            `save_weights` or of Keras's own weights without the head.
        height, width: of the frames, in pixels.

    Raises:
        UserError: no such network, frames too small for it, weights that are missing, that don't
            fit or that cannot be downloaded.
    """
    made = getattr(keras.applications, name, None)
    if not inspect.isfunction(made):
        names = [n for n in dir(keras.applications) if n[:1].isupper()]
        raise errors.UserError(
            f"model.application: {name!r} is not one of keras.applications: {', '.join(names)}"
        )
    path = None if weights in (RANDOM, DOWNLOADED) else Path(weights).expanduser()
    if path is not None and not path.is_file():
        raise errors.UserError(
            f"model.application_weights: {weights}: no such file; give a file of weights, "
            f'"{DOWNLOADED}" or "{RANDOM}"'
        )
    try:
        network = made(
            include_top=False,
            weights=DOWNLOADED if weights == DOWNLOADED else None,
            input_shape=(height, width, 3),
            pooling="avg",
        )
    except Exception as error:  # what Keras's checks and its downloads raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise errors.UserError(
            f"model.application: {name} with weights {weights!r} for frames of {height} x {width} "
            f"pixels cannot be made: {reason}"
        ) from error
    if path is not None:
        try:
            network.load_weights(path)
        except Exception as error:
            raise errors.UserError(
                f"model.application_weights: {path} does not hold the weights of {name} without "
                "its head"
            ) from error
    frames = keras.Input((height, width, 3), dtype="uint8", name="frames")
    features = network(ApplicationPixels(name, name="pixels")(frames))
    return keras.Model(frames, features, name="application")


@keras.saving.register_keras_serializable(package="video_classification")
class ApplicationPixels(keras.layers.Layer):
    """Pixels from 0 to 255 as a network of `keras.applications` was trained with.

    Args:
        application: the network's name; the scaling is that of its module.
    """

    def __init__(self, application: str, **options: Any) -> None:
        super().__init__(**options)
        self.application = application

    def build(self, _: Any) -> None:
        self.built = True

    def call(self, frames: Any) -> Any:
        made = inspect.unwrap(getattr(keras.applications, self.application))
        scale = sys.modules[made.__module__].preprocess_input
        return scale(keras.ops.cast(frames, self.compute_dtype), data_format="channels_last")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "application": self.application}


def describe_application(weights: str, fine_tune: bool) -> str:
    """Returns a sentence about the origin of the network's features."""
    origin = {
        RANDOM: "random weights: it has learned nothing before",
        DOWNLOADED: "weights learned on ImageNet",
    }.get(weights, f"weights of {weights}")
    return f"{origin}, {'trained further' if fine_tune else 'frozen'}"


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
    network = build_application(
        sizes.application, sizes.application_weights, clips.height, clips.width
    )
    # Frozen layers keep their statistics of the batch normalisation, too
    network.trainable = sizes.fine_tune
    values = FrameByFrame(network, name="application")(frames)
    if sizes.application_weights == RANDOM:
        # Layer by layer, weights that have learned nothing let their input shrink to 1e-12
        options = {"epsilon": 1e-30, "center": False, "scale": False}
        values = keras.layers.LayerNormalization(**options, name="application_scale")(values)
    return values
