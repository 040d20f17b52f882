"""Builds the recogniser: a causal network scores each frame; a clip's score pools its frames.

    x_t                                     features, less the training data's mean, over their
                                            deviation
    h_t = recurrent(front end(x))_t         each frame from itself and what came before
    u_t = W_u h_t + b_u                     evidence for each class
    a_t = w · tanh(W_a h_t + b_a)           weight of this frame (attention pooling)
    logits = Σ_t softmax(a)_t u_t           over the frames of a clip

A stream pools the same u and a over its last clip_seconds, anew at every frame
(`streams`): one head for clips and for streams. A BiLSTM reads clips alone.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from apps.speech_commands import config as configs
from apps.suite.networks import streaming
from apps.suite.networks.pooling import EvidencePooling, FrameMask
from apps.suite.sounds import front_end
from apps.suite.sounds.front_end import ConvolutionalFrontEnd


def frame_stride(config: configs.Config) -> int:
    """Returns the number of feature frames per frame of evidence."""
    convolves = config.model.front_end == "convolutional"
    return front_end.FRAME_STRIDE if convolves else 1


def build(
    config: configs.Config,
    classes: int,
    channels: int,
    mean: np.ndarray | None = None,
    variance: np.ndarray | None = None,
) -> keras.Model:
    """Builds the model for whole clips, uncompiled.

    Args:
        config: front end, kind and size of the layers, pooling.
        classes: number of labels.
        channels: of the features.
        mean, variance: of each channel over the training data, float (channels,); 0 and 1 if not
            given. They are kept in the model.

    Returns:
        A model of a dictionary: `features` float32 (batch, time, channels), `context_frames` and
        `frames` int32 (batch,); to logits, float32 (batch, classes). A row begins with
        `context_frames` frames of another sound, which are read and not pooled; `frames` of the
        clip follow, and padding, which changes nothing. A BiLSTM pools as if there were a context,
        but reads it in both directions: give it none.
    """
    sizes, stride = config.model, frame_stride(config)
    features = keras.Input((None, channels), name="features")
    context_frames = keras.Input((), dtype="int32", name="context_frames")
    frames = keras.Input((), dtype="int32", name="frames")
    statistics = [
        np.full(channels, value) if given is None else np.asarray(given, float)
        for given, value in ((mean, 0.0), (variance, 1.0))
    ]
    values = keras.layers.Normalization(
        mean=statistics[0], variance=statistics[1], name="normalisation"
    )(features)
    if sizes.front_end == "convolutional":
        over_bands = config.features.kind != "mfcc"
        values = ConvolutionalFrontEnd(sizes.convolution_filters, over_bands, name="front_end")(
            values
        )
        values = keras.layers.Dropout(sizes.dropout, name="front_end_dropout")(values)
    mask, end = None, context_frames + frames
    if sizes.layer == "bilstm":  # its backward half would begin in the padding
        mask = FrameMask(stride, name="real")(values, end)
    for depth in range(sizes.layer_count):
        values, *_ = streaming.recurrent(sizes.layer, sizes.units, depth)(values, mask=mask)
        values = keras.layers.Dropout(sizes.dropout, name=f"dropout_{depth}")(values)
    evidence, attention = tell(_heads(config, classes), values)
    pooled = FrameMask(stride, name="pooled")(values, end, context_frames)
    logits = EvidencePooling(sizes.pooling == "last", name="pooling")(evidence, pooled, attention)
    inputs = {"features": features, "context_frames": context_frames, "frames": frames}
    return keras.Model(inputs, logits, name="speech_commands")


def tell(heads: dict[str, keras.Layer], values: Any) -> tuple[Any, Any]:
    """Computes evidence (batch, frames, classes) and attention (batch, frames) from outputs.

    `heads` are the model's layers by name. Without layers of attention every frame counts alike.
    """
    evidence = heads["evidence"](values)
    if "attention" not in heads:
        return evidence, keras.ops.zeros_like(evidence[..., 0])
    return evidence, heads["attention"](heads["attention_hidden"](values))[..., 0]


def _heads(config: configs.Config, classes: int) -> dict[str, keras.Layer]:
    made = [keras.layers.Dense(classes, name="evidence")]
    if config.model.pooling == "attention":
        made += [
            keras.layers.Dense(max(1, config.model.units // 2), "tanh", name="attention_hidden"),
            keras.layers.Dense(1, use_bias=False, name="attention"),
        ]
    return {layer.name: layer for layer in made}


# Models saved before the tasks shared these layers use these names and orders of arguments.


@keras.saving.register_keras_serializable("speech_commands", "EvidencePooling")
class _OldEvidencePooling(EvidencePooling):
    def call(self, evidence: Any, attention: Any, pooled: Any) -> Any:  # type: ignore[override]
        return super().call(evidence, pooled, attention)


@keras.saving.register_keras_serializable("speech_commands", "FrameMask")
class _OldFrameMask(FrameMask):
    def call(self, values: Any, first: Any, end: Any) -> Any:  # type: ignore[override]
        return super().call(values, end, first)
