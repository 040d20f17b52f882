"""Builds the classifier: a network encodes each frame, recurrent layers read, a clip is pooled.

    x_t = encode(frame_t, frame_t - frame_{t-1})    a convolutional network (`frame_encoder`), and
                                                    a dense layer of `frame_features` after it
    h_t = recurrent(x)_t                            from itself and what came before
    u_t = W_u h_t + b_u                             evidence for each class; with
                                                    `beside_recurrent` of (h_t, x_t), x before the
                                                    dense layer
    a_t = w · tanh(W_a h_t + b_a)                   weight of this frame (attention pooling)
    logits = Σ_t softmax(a)_t u_t                   over a clip's frames: all, or the last alone

`per_frame` shows u itself: what the model takes the action for at each frame, from the frames so
far. `streams` computes the same frame after frame. A BiLSTM reads whole clips alone.
"""

from __future__ import annotations

from typing import Any

import keras

from apps.suite import process
from apps.suite.networks import streaming
from apps.suite.networks.pooling import EvidencePooling, FrameMask
from apps.video_classification import config as configs
from apps.video_classification import frame_encoder
from apps.video_classification.frame_encoder import FeatureScale

# Models saved before the tasks shared these layers name them so.
for _layer in (EvidencePooling, FrameMask):
    keras.saving.get_custom_objects()[f"video_classification>{_layer.__name__}"] = _layer

FEATURES, EVIDENCE = "features", "evidence"
SCALE, BESIDE = "feature_scale", "beside"


def build(config: configs.Config, classes: int, *, trains: bool = False) -> keras.Model:
    """Builds the classifier of whole clips, uncompiled.

    Args:
        config: backbone, layers, pooling, size of the frames.
        classes: number of labels.
        trains: whether in the precision of `training.precision`; else in float32, which every
            machine computes. The weights are the same in number, shape and order, and float32 in
            both.

    Returns:
        A model of a dictionary: `frames` uint8 (batch, time, height, width, 3), as
        `data.preprocess` gives them, and `length` int32 (batch,), frames of each clip; to logits
        float32 (batch, classes). Frames after `length` change nothing.

    Raises:
        UserError: an application or weights that cannot be had (`applications.build`).
    """
    policy = process.resolve_precision(config.training.precision) if trains else "float32"
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        clips = config.clips
        frames = keras.Input((None, clips.height, clips.width, 3), dtype="uint8", name="frames")
        length = keras.Input((), dtype="int32", name="length")
        features = keras.layers.Identity(name=FEATURES)(frame_encoder.encode(config, frames))
        logits, _ = _judge(config, _layers(config, classes), features, length)
    finally:
        keras.config.set_dtype_policy(before)
    return keras.Model({"frames": frames, "length": length}, logits, name="video_classification")


def per_frame(trained: keras.Model) -> keras.Model:
    """Builds a model that answers at every frame: the evidence u, (batch, time, classes).

    The weights are shared. At a frame after `length` the answer means nothing.
    """
    evidence = trained.get_layer(EVIDENCE).output
    return keras.Model(trained.input, evidence, name="video_classification_per_frame")


def encoder(trained: keras.Model) -> keras.Model:
    """Returns the part that sees frames one by one: frames (batch, time, …) to features."""
    return keras.Model(trained.input["frames"], trained.get_layer(FEATURES).output, name="encoder")


def head(config: configs.Config, trained: keras.Model, every_frame: bool = False) -> keras.Model:
    """Builds the part after `encoder`, with shared weights: `features` and `length` to logits.

    With `every_frame` those of each frame, as `per_frame` gives them.
    """
    features = keras.Input(trained.get_layer(FEATURES).output.shape[1:], name="features")
    length = keras.Input((), dtype="int32", name="length")
    layers = {layer.name: layer for layer in trained.layers}
    logits, evidence = _judge(config, layers, features, length)
    told = evidence if every_frame else logits
    return keras.Model({"features": features, "length": length}, told, name="head")


def _judge(
    config: configs.Config, layers: dict[str, keras.Layer], values: Any, length: Any
) -> tuple[Any, Any]:
    """Returns logits and evidence of features: `layers`, by their names, in sequence."""
    real = layers["real"](values, length)
    # A forward layer is not affected by the padding after a row's frames; only the backward half
    # of a BiLSTM would begin in it.
    mask = real if config.model.layer == "bilstm" else None
    if SCALE in layers:
        values = layers[SCALE](values)
    features = values
    if config.model.frame_features:
        values = layers["frame_features"](values)
    for depth in range(config.model.layer_count):
        values = layers[f"dropout_{depth}"](values)
        values, *_ = layers[f"recurrent_{depth}"](values, mask=mask)
    if BESIDE in layers:
        values = layers[BESIDE]([values, features])
    values = layers["dropout"](values)
    evidence, attention = layers[EVIDENCE](values), None
    if "attention" in layers:
        attention = layers["attention"](layers["attention_hidden"](values))[..., 0]
    return layers["pooling"](evidence, real, attention), evidence


def _layers(config: configs.Config, classes: int) -> dict[str, keras.Layer]:
    """Builds the layers for `_judge`; evidence is float32 in any precision."""
    sizes = config.model
    made = [
        FrameMask(name="real"),
        keras.layers.Dense(max(1, sizes.frame_features), "relu", name="frame_features"),
        *(
            keras.layers.Dropout(sizes.dropout, name=f"dropout_{n}")
            for n in range(sizes.layer_count)
        ),
        *(
            streaming.recurrent(sizes.layer, sizes.units, depth)
            for depth in range(sizes.layer_count)
        ),
        keras.layers.Dropout(sizes.dropout, name="dropout"),
        keras.layers.Dense(classes, dtype="float32", name=EVIDENCE),
        EvidencePooling(sizes.pooling == "last", dtype="float32", name="pooling"),
    ]
    if sizes.backbone == "motion_statistics":
        made.append(FeatureScale(name=SCALE))
    if sizes.beside_recurrent:
        made.append(keras.layers.Concatenate(name=BESIDE))
    if sizes.pooling == "attention":
        hidden = max(1, sizes.units // 2)
        made += [
            keras.layers.Dense(hidden, "tanh", dtype="float32", name="attention_hidden"),
            keras.layers.Dense(1, use_bias=False, dtype="float32", name="attention"),
        ]
    return {layer.name: layer for layer in made}
