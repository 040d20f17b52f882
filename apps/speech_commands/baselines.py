"""Measures simple baselines on the same clips, copies and split as the model.

    nearest_class_mean    the label whose mean over the training clips is nearest
    logistic_regression   one linear layer; the validation part decides its regularisation
    small_convolution     four small convolutions, their greatest values over time: no memory

The first two see a clip as 120 numbers: the mean and the deviation over time of 20 cepstral
coefficients and of their first and second differences, each of the 120 brought to mean 0 and
deviation 1 over the training clips.

The small convolution is the network of an afternoon's work:

    x_0        features, less the training clips' mean, over their deviation; one filter
    x_i        pool(relu(batch normalisation(convolution 3 x 3(x_(i-1))))), i = 1 … 4; pooling takes
               the greatest of 2 frames x 2 bands, and is left out in the last
    logits     linear in the greatest values over time of each band and filter, after dropout

It keeps no order of what lies further apart than its kernels reach: a clip is what occurs in it.
Number of filters, learning rate, steps and dropout were chosen on the validation part of
spoken_commands; they do not follow those of the run, so that tuning the model does not change it.
"""

from __future__ import annotations

import dataclasses

import keras
import librosa
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from apps.speech_commands import batches, scoring
from apps.speech_commands import config as configs
from apps.suite.commands import progress
from apps.suite.evaluation import class_baselines, classification
from apps.suite.networks.pooling import FrameMask
from apps.suite.sounds import feature_cache
from apps.suite.sounds.feature_cache import FeatureSet
from apps.suite.training import learning, optimizer

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


def small_convolution_answer(
    train: FeatureSet,
    validation: FeatureSet,
    test: FeatureSet,
    classes: int,
    config: configs.Config,
) -> np.ndarray:
    """Trains the network, and answers test with the weights of the lowest validation loss.

    Args:
        train: with its copies; no masks are drawn (SpecAugment).
        validation, test: unaltered clips.
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
    mean, variance = feature_cache.statistics(train)
    keras.utils.set_random_seed(config.seed)
    network = build_small_convolution(classes, mean, variance)
    network.compile(
        optimizer.optimizer(settings), keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    score = scoring.Scorer(network)
    learning.in_memory(
        network,
        iter(batches.endless(train, classes, config, mean)),
        progress.watched(range(1, steps + 1), "baselines: small convolution", steps),
        _STEPS_PER_CHECKPOINT,
        lambda: classification.cross_entropy(validation.labels, score(validation)),
    )
    return score(test)


def build_small_convolution(classes: int, mean: np.ndarray, variance: np.ndarray) -> keras.Model:
    """Builds the network, uncompiled; with 40 bands and 14 labels 65,000 parameters.

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
        is_clip = FrameMask(stride)(values, context_frames + frames, context_frames)
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


COEFFICIENTS = 20
_DELTA_FRAMES = 9  # that a difference is fitted to
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C
_MOST_ITERATIONS = 1_000  # far more than standardised clips need


def evaluate(
    train: FeatureSet,
    validation: FeatureSet,
    test: FeatureSet,
    classes: int,
    config: configs.Config,
) -> dict[str, np.ndarray]:
    """Returns probabilities of the test clips, float32 (examples, classes), by the baseline's name.

    Args:
        train: with its copies.
        validation, test: unaltered clips; the test part is only answered.
        classes: number of labels.
        config: that of the run, whose features the sets hold.
    """
    with progress.working("baselines: means and deviations of the clips"):
        seen = [pooled_cepstra(part, config.features) for part in (train, validation, test)]
    scaler = StandardScaler().fit(seen[0])
    learned, held_out, asked = (scaler.transform(part) for part in seen)
    found = {"nearest_class_mean": _nearest_class_mean(learned, train.labels, asked, classes)}
    with progress.working("baselines: logistic regression"):
        found["logistic_regression"] = _logistic_regression(
            (learned, train.labels), (held_out, validation.labels), asked, classes
        )
    answer = small_convolution_answer(train, validation, test, classes, config)
    return {**found, "small_convolution": answer}


def pooled_cepstra(examples: FeatureSet, features: configs.FeatureConfig) -> np.ndarray:
    """Means over time, then deviations, of cepstra and differences, float32 (examples, 120).

    The cepstra come from bands (log_mel, pcen) by the cosine transform that mfcc are made with;
    features of kind mfcc are used unchanged. Fewer than 20 channels give as many coefficients.
    Their slopes and curvatures are fitted to nine frames, even if the features hold differences of
    their own. The frames at a clip's ends are repeated beyond them.
    """
    channels = examples.frames.shape[1] // (3 if features.deltas else 1)
    found = []
    for start, end in zip(examples.starts[:-1], examples.starts[1:], strict=True):
        cepstra = examples.frames[start:end, :channels].T
        if features.kind != "mfcc":
            cepstra = librosa.feature.mfcc(S=cepstra, n_mfcc=min(COEFFICIENTS, channels))
        cepstra = cepstra[:COEFFICIENTS]
        slopes, curvatures = (
            librosa.feature.delta(cepstra, width=_DELTA_FRAMES, order=order, mode="nearest")
            for order in (1, 2)
        )
        all_three = np.concatenate([cepstra, slopes, curvatures])
        found.append(np.concatenate([all_three.mean(axis=1), all_three.std(axis=1)]))
    return np.array(found, np.float32)


def _nearest_class_mean(
    learned: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int
) -> np.ndarray:
    """Computes the softmax of minus half the squared distances: Gaussians of deviation 1."""
    known = np.unique(labels)
    means = np.stack([learned[labels == label].mean(axis=0) for label in known])
    distances = np.square(asked[:, None] - means).sum(axis=2)
    odds = np.exp(-0.5 * (distances - distances.min(axis=1, keepdims=True)))
    return class_baselines.spread(odds / odds.sum(axis=1, keepdims=True), known, classes)


def _logistic_regression(
    learned: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray],
    asked: np.ndarray,
    classes: int,
) -> np.ndarray:
    tried = [
        LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS).fit(*learned)
        for strength in _STRENGTHS
    ]
    best = max(tried, key=lambda fitted: fitted.score(*held_out))
    return class_baselines.of_model(best, classes)(asked)
