"""A small convolutional network, as a practised hand writes one in an afternoon.

    x_0        features, less the training clips' mean, over their deviation; one filter
    x_i        pool(relu(batch normalisation(convolution 3 x 3(x_(i-1))))), i = 1 … 4; pooling takes
               the greatest of 2 frames x 2 bands, and is left out in the last
    logits     linear in the greatest values over time of each band and filter, behind dropout

It keeps no order of what lies further apart than its kernels reach: a clip is what occurs in it.
Number of filters, learning rate, steps and dropout were chosen on the validation part of
spoken_commands; they do not follow those of the run, so that tuning the model leaves it as it is.
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from apps import optimization
from apps.speech_commands import config as configs
from apps.speech_commands import example_batches, measures, scoring
from apps.speech_commands.feature_cache import FeatureSet
from apps.speech_commands.frame_mask import FrameMask

_FILTERS = (16, 32, 64, 64)
_POOLED = 3  # of the convolutions, the first ones
_DROPOUT = 0.3
_STEPS, _STEPS_PER_CHECKPOINT = 1_000, 100
_TRAINING = configs.TrainingConfig(
    batch_size=64,
    context_probability=0.0,
    learning_rate=1e-2,
    schedule="cosine",
    warmup_fraction=0.05,
    weight_decay=0.01,
    label_smoothing=0.0,
    gradient_clip_norm=1.0,
    average_fraction=0.0,
)


def answer(
    train: FeatureSet,
    validation: FeatureSet,
    test: FeatureSet,
    classes: int,
    config: configs.Config,
) -> np.ndarray:
    """Trains, and answers test with the weights that had the lowest loss on validation.

    Args:
        train: with its copies; no masks are drawn (SpecAugment).
        validation, test: clips as they are.
        classes: number of labels.
        config: its seed counts, and its steps and its batch size where they are smaller.

    Returns:
        Probabilities, float32 (examples, classes).
    """
    steps = min(_STEPS, config.training.steps)
    settings = dataclasses.replace(
        _TRAINING,
        batch_size=min(_TRAINING.batch_size, config.training.batch_size),
        steps=steps,
        steps_per_checkpoint=steps,
    )
    without_masks = dataclasses.replace(config.augmentation, time_masks=0, band_masks=0)
    config = dataclasses.replace(config, training=settings, augmentation=without_masks)
    mean, variance = example_batches.statistics(train)
    keras.utils.set_random_seed(config.seed)
    network = build(classes, mean, variance)
    network.compile(
        optimization.optimizer(settings), keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    score = scoring.Scorer(network)
    lowest, best = np.inf, network.get_weights()
    stream = iter(example_batches.endless(train, classes, config, mean))
    for step in range(1, steps + 1):
        network.train_on_batch(*next(stream))
        if step % _STEPS_PER_CHECKPOINT and step < steps:
            continue
        loss = measures.cross_entropy(validation.labels, score(validation))
        if loss < lowest:
            lowest, best = loss, network.get_weights()
    network.set_weights(best)
    return score(test)


def build(classes: int, mean: np.ndarray, variance: np.ndarray) -> keras.Model:
    """The network, uncompiled; with 40 bands and 14 labels 65,000 parameters.

    Args:
        classes: number of labels.
        mean, variance: of each channel over the training clips, float (channels,).

    Returns:
        A model of the inputs of `model.build`, with no contexts, to logits (batch, classes).
        Behind a clip's last frame every convolution sees zeros, however much padding there is:
        padding changes nothing in an answer. In training it takes part in the statistics of the
        batch normalisation.
    """
    features = keras.Input((None, len(mean)), name="features")
    context_frames = keras.Input((), dtype="int32", name="context_frames")
    frames = keras.Input((), dtype="int32", name="frames")
    values = keras.layers.Normalization(mean=mean, variance=variance)(features)[..., None]

    def clip_alone(values: keras.KerasTensor, stride: int) -> keras.KerasTensor:
        is_clip = FrameMask(stride)(values, context_frames, context_frames + frames)
        return keras.ops.where(is_clip[:, :, None, None], values, 0.0)

    values = clip_alone(values, 1)
    for depth, filters in enumerate(_FILTERS):
        values = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(values)
        # Nearer than Keras's 0.99: there are few steps for the averages to follow.
        values = keras.layers.BatchNormalization(momentum=0.95)(values)
        values = clip_alone(keras.ops.relu(values), 2 ** min(depth, _POOLED))
        if depth < _POOLED:
            values = keras.layers.MaxPooling2D(2, padding="same")(values)
    values = keras.layers.Flatten()(keras.ops.max(values, axis=1))
    logits = keras.layers.Dense(classes)(keras.layers.Dropout(_DROPOUT)(values))
    inputs = {"features": features, "context_frames": context_frames, "frames": frames}
    return keras.Model(inputs, logits, name="small_convolution")
