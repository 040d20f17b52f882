"""The detector: convolutions of each frame, a memory over the frames, and maps of the boxes.

f_t = convolutions of frame t, at 1 / stride of its size
g_t = coarser convolutions of f_t, which see further; f_t itself where there are none
m_t = ConvLSTM(g_t, m_t-1), or ConvLSTM(g_t, 0) for each frame by itself
y_t = convolutions of m_t, brought back to f_t's places and added to it: at each place a score of
      each class, size and middle of a box

A box is told at the place of its middle (Zhou, Wang and Krähenbühl, "Objects as points", 2019).
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf
from keras import ops

import lstm_layers
from apps.object_detection import config as configs
from apps.suite import process
from apps.suite.distribution import replicas
from apps.suite.training import learning
from apps.suite.videos import applications

MEMORY = "memory"  # names of layers that others look for
FEATURES = "features"
MAPS = "maps"
_FIRST_BIAS = -4.6  # the logit of 0.01: at the start nothing is an object


@keras.saving.register_keras_serializable(package="object_detection")
class FrameInput(keras.layers.Layer):
    """Brings frames uint8 (n, height, width, 3) to -1 … 1, in grey or in colour."""

    def __init__(self, colour: bool, **options: Any) -> None:
        super().__init__(**options)
        self.colour = colour

    def call(self, frames: Any) -> Any:
        values = ops.cast(frames, self.compute_dtype) / 127.5 - 1.0
        if self.colour:
            return values
        return ops.sum(values * ops.array([0.299, 0.587, 0.114], values.dtype), -1, keepdims=True)

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (*shape[:-1], 3 if self.colour else 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "colour": self.colour}


@keras.saving.register_keras_serializable(package="object_detection")
class Unfolded(keras.layers.Layer):
    """Gives what was made of frames the rows and steps of a reference: (b · t, …) to (b, t, …)."""

    def __init__(self, each_by_itself: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.each_by_itself = each_by_itself

    def call(self, values: Any, frames: Any) -> Any:
        batch, time = ops.shape(frames)[:2]
        if self.each_by_itself:  # every frame is a sequence
            batch, time = batch * time, 1
        return ops.reshape(values, (batch, time, *values.shape[-3:]))

    def compute_output_shape(self, values_shape: tuple, frames_shape: tuple) -> tuple:
        leading = (None, 1) if self.each_by_itself else frames_shape[:2]
        return (*leading, *values_shape[-3:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "each_by_itself": self.each_by_itself}


@keras.saving.register_keras_serializable(package="object_detection")
class Folded(keras.layers.Layer):
    """Makes one row of each frame: (b, t, …) to (b · t, …)."""

    def call(self, values: Any) -> Any:
        return ops.reshape(values, (-1, *values.shape[2:]))

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (None, *shape[2:])


def build(config: configs.Config, classes: int, *, trains: bool = False) -> keras.Model:
    """Builds the network.

    Args:
        config: sizes of the network and of its frames.
        classes: number of them.
        trains: whether in the precision of `training.precision`; else in float32, which every
            machine computes. The weights are the same in number, shape and order.

    Returns:
        A model of "frames" uint8 (batch, time, height, width, 3) to maps float32 (batch, time,
        height / stride, width / stride, classes + 4): logits of the classes, then of a box the
        logarithms of width and height and the middle, across and down from the middle of its
        place; all in places.

    Raises:
        UserError: an application or weights that cannot be had (`applications.build`).
    """
    before = keras.config.dtype_policy()
    policy = process.resolve_precision(config.training.precision) if trains else "float32"
    keras.config.set_dtype_policy(policy)
    try:
        frames = keras.Input(
            (None, config.frames.height, config.frames.width, 3), dtype="uint8", name="frames"
        )
        network = encoder(config)
        features, *finer = keras.tree.flatten(network(Folded(name="folded")(frames)))
        alone = config.model.memory == "none"
        sequences = Unfolded(alone, name="unfolded")(features, frames)
        remembered, *_ = lstm_layers.ConvLSTM(
            config.model.units,
            bottleneck=config.model.bottleneck,
            return_sequences=True,
            return_state=True,
            name=MEMORY,
        )(sequences)
        shapes = [each.shape[1:] for each in network.outputs]
        remembered = Folded(name="folded_again")(remembered)
        maps = head(config, classes, shapes)(_one_or_all(remembered, finer))
        maps = Unfolded(dtype="float32", name="maps_of_frames")(maps, frames)
    finally:
        keras.config.set_dtype_policy(before)
    return keras.Model({"frames": frames}, maps, name="detector")


def encoder(config: configs.Config) -> keras.Model:
    """Builds the convolutions of a frame, from uint8 (n, height, width, 3).

    Returns:
        A model to the features for the memory; with `model.coarser_filters`, to a list of these
        and of the finer ones, the coarsest first.
    """
    sizes = config.model
    frames = keras.Input((config.frames.height, config.frames.width, 3), dtype="uint8")
    if sizes.backbone == "keras_applications":
        values = _application(config, frames)
    else:
        values = FrameInput(sizes.colour, name="frame_input")(frames)
        for depth, filters in enumerate(sizes.filters):
            halves = 2**depth < sizes.stride
            values = _convolved(sizes, values, filters, f"convolution_{depth}", 2 if halves else 1)
    found = [values]
    for depth, filters in enumerate(sizes.coarser_filters):
        values = _convolved(sizes, values, filters, f"halved_{depth}", 2)
        values = _convolved(sizes, values, filters, f"coarser_{depth}")
        found.insert(0, values)
    return keras.Model(frames, _one_or_all(found[0], found[1:]), name=FEATURES)


def _one_or_all(first: Any, others: list) -> Any:
    """Returns a model's inputs or outputs, in a list only where they are several."""
    return [first, *others] if others else first


def _convolved(
    sizes: configs.ModelConfig, values: Any, filters: int, name: str, strides: int = 1
) -> Any:
    """Returns a convolution of 3 x 3, normalised where `model.normalisation` says so, and ReLU."""
    normalised = sizes.normalisation == "batch"
    values = keras.layers.Conv2D(
        filters,
        3,
        strides=strides,
        padding="same",
        activation=None if normalised else "relu",
        use_bias=not normalised,
        kernel_initializer="he_normal",
        name=name,
    )(values)
    if not normalised:
        return values
    # Over the whole batch where replicas share it
    shared = tf.distribute.has_strategy()
    layer = keras.layers.BatchNormalization(
        momentum=0.95, synchronized=shared, name=f"{name}_normalised"
    )
    return keras.layers.ReLU()(layer(values))


def _application(config: configs.Config, frames: Any) -> Any:
    """Returns the features of a network of `keras.applications`, and a convolution of them."""
    sizes, size = config.model, config.frames
    network = applications.build(
        sizes.application, sizes.application_weights, size.height, size.width, sizes.stride
    )
    network.trainable = sizes.fine_tune
    values = network(frames)
    if sizes.application_weights == applications.RANDOM:
        values = applications.scaled(values)
    return keras.layers.Conv2D(
        sizes.units, 1, activation="relu", kernel_initializer="he_normal", name="convolution"
    )(values)


def head(config: configs.Config, classes: int, shapes: list[tuple[int, ...]]) -> keras.Model:
    """Builds the convolutions from the memory, and features finer than it, to the maps.

    Args:
        config: sizes of the network.
        classes: number of them.
        shapes: height, width and channels of what `encoder` returns.
    """
    sizes = config.model
    remembered, *finer = [
        keras.Input(shape) for shape in ((*shapes[0][:2], sizes.units), *shapes[1:])
    ]
    values = remembered
    for depth, fine in enumerate(finer):
        if depth:
            values = _convolved(sizes, values, values.shape[-1], f"added_{depth}")
        values = _brought_back(values, fine, f"brought_back_{depth}")
    hidden = _convolved(sizes, values, sizes.head_filters, "hidden")
    scores = keras.layers.Conv2D(
        classes, 1, bias_initializer=keras.initializers.Constant(_FIRST_BIAS), name="scores"
    )(hidden)
    boxes = keras.layers.Conv2D(4, 1, name="boxes")(hidden)
    maps = keras.layers.Concatenate(dtype="float32", name="maps")([scores, boxes])
    return keras.Model(_one_or_all(remembered, finer), maps, name=MAPS)


def _brought_back(values: Any, fine: Any, name: str) -> Any:
    """Returns finer features with coarse ones added: each of these for four places."""
    height, width, channels = fine.shape[1:]
    values = keras.layers.Conv2D(channels, 1, name=name)(values)
    values = keras.layers.UpSampling2D()(values)
    beyond = ((0, values.shape[1] - height), (0, values.shape[2] - width))
    return keras.layers.Add()([keras.layers.Cropping2D(beyond)(values), fine])


def stepped(
    network: keras.Model, frames: tf.Tensor, states: list[tf.Tensor], training: bool = False
) -> tuple:
    """Computes the next frames of a stream.

    Args:
        network: what `build` returned.
        frames: uint8 (batch, time, height, width, 3), at least one row and one frame.
        states: of the memory, h and c.
        training: whether the network learns from these frames.

    Returns:
        The maps of these frames, and the new states. Chunk by chunk they are those of the whole; a
        network without memory leaves the states as they are.
    """
    leading = tf.shape(frames)[:2]
    flat = tf.reshape(frames, [-1, *frames.shape[2:]])
    features, *finer = keras.tree.flatten(network.get_layer(FEATURES)(flat, training=training))
    memory = network.get_layer(MEMORY)
    if network.get_layer("unfolded").each_by_itself:
        remembered, *_ = memory(features[:, None], training=training)
    else:
        sequences = tf.reshape(features, tf.concat([leading, features.shape[1:]], axis=0))
        remembered, *states = memory(sequences, initial_state=states, training=training)
    flat = tf.reshape(remembered, [-1, *remembered.shape[2:]])
    maps = network.get_layer(MAPS)(_one_or_all(flat, finer), training=training)
    maps = tf.cast(maps, tf.float32)
    return tf.reshape(maps, tf.concat([leading, maps.shape[1:]], axis=0)), list(states)


class CarriedDetector(keras.Model):
    """Learns from clip after clip of long videos: each row goes on from where it ended.

    That is truncated back-propagation through time (Werbos 1990): gradients stop where a clip
    begins.

    Args:
        network: what `build` returned; this model trains its weights.
        batch_size: rows, of all replicas together where training is distributed.

    Call arguments:
        inputs: "frames" as of `build`, and "begins" bool (batch,), the rows in which a video
            begins: their memory is emptied first.
    """

    def __init__(self, network: keras.Model, batch_size: int) -> None:
        super().__init__(name="carried_detector")
        self.network = network
        self.inner = state_shape(network)
        self.states = [
            replicas.state(batch_size, math.prod(self.inner), f"memory_{kind}") for kind in "hc"
        ]
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        kept = 1.0 - tf.cast(inputs["begins"], tf.float32)[:, None]
        before = [tf.reshape(state * kept, [-1, *self.inner]) for state in self.states]
        maps, after = stepped(self.network, inputs["frames"], before, training)
        for state, new in zip(self.states, after, strict=True):
            state.assign(tf.reshape(tf.cast(new, tf.float32), state.shape))
        return maps


def build_training(config: configs.Config, classes: int) -> keras.Model:
    """Builds and compiles the network for training; `copy_weights` takes its weights out."""
    settings = config.training
    network = build(config, classes, trains=True)
    if settings.carry_states:
        network = CarriedDetector(network, settings.batch_size)
    lost = loss(
        settings.size_weight, settings.offset_weight, settings.class_weight, settings.spread_boxes
    )
    return learning.compiled(network, settings, lost)


def copy_weights(learner: keras.Model, network: keras.Model) -> None:
    """Gives a network of `build` the weights of one in training."""
    network.set_weights(getattr(learner, "network", learner).get_weights())


def state_shape(network: keras.Model) -> tuple[int, int, int]:
    """Returns height, width and channels of a state of the memory."""
    return tuple(network.get_layer(MEMORY).output[1].shape[1:])


def loss(
    size_weight: float, offset_weight: float, class_weight: float = 0.0, relative: bool = False
) -> Any:
    """Returns the loss of clips, (batch,), with y the scores' logits and k a box's class.

        L = focal(σ(y)) + Σ_boxes class · -ln softmax(y)_k + size · |Δ sides| + offset · |Δ middle|

    The focal loss alone hardly tells the classes apart: at a box's middle the other classes are a
    few places among thousands. Each clip's sum is divided by its boxes, so that a clip counts
    alike in any batch.

    Source: Law and Deng, "CornerNet", 2018, equation 1, with its exponents 2 and 4.
    """

    def of_clips(wanted: Any, maps: Any) -> Any:
        classes = maps.shape[-1] - 4
        heat, told = wanted[..., :classes], wanted[..., classes : classes + 4]
        middle, counts = wanted[..., -2], wanted[..., -1]
        logits = maps[..., :classes]
        likely, unlikely = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        score = ops.sigmoid(logits)
        hit = heat >= 1.0
        focal = ops.where(
            hit,
            ops.square(1.0 - score) * likely,
            (1.0 - heat) ** 4 * ops.square(score) * unlikely,
        )
        every = (1, 2, 3)
        number = ops.maximum(ops.sum(middle, axis=every), 1.0)
        total = -ops.sum(ops.sum(focal, axis=-1) * counts, axis=every)
        away = ops.abs(maps[..., classes:] - told) * middle[..., None]
        if class_weight:
            highest = heat >= ops.max(heat, axis=-1, keepdims=True)
            kind = ops.where(highest, 1.0, 0.0) * middle[..., None]
            total -= class_weight * ops.sum(kind * ops.log_softmax(logits), axis=(*every, 4))
        total += size_weight * ops.sum(away[..., :2], axis=(*every, 4))
        if relative:
            away = ops.concatenate([away[..., :2], away[..., 2:] / ops.exp(told[..., :2])], axis=-1)
        total += offset_weight * ops.sum(away[..., 2:], axis=(*every, 4))
        return total / number

    return of_clips
