"""What an honest engineer would try first, on the same clips, copies and split.

    nearest_class_mean    the label whose mean over the training clips is nearest
    logistic_regression   one linear layer; how strongly it is held back, validation decides
    small_convolution     three small convolutions, their greatest values over time: no memory

The first two see a clip as 40 numbers: the mean and the deviation over time of 20 cepstral
coefficients, each brought to mean 0 and deviation 1 over the training clips.
"""

from __future__ import annotations

import dataclasses

import keras
import librosa
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from apps import optimization
from apps.speech_commands import config as configs
from apps.speech_commands import example_batches, measures, scoring
from apps.speech_commands.causal_convolution import CausalConvolution
from apps.speech_commands.feature_cache import FeatureSet
from apps.speech_commands.frame_mask import FrameMask

COEFFICIENTS = 20
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C
_FILTERS = (16, 32, 64)
_STEPS, _STEPS_PER_CHECKPOINT = 600, 100  # of the convolutional network, at most


def evaluate(
    train: FeatureSet,
    validation: FeatureSet,
    test: FeatureSet,
    classes: int,
    config: configs.Config,
) -> dict[str, np.ndarray]:
    """Probabilities of the test clips, float32 (examples, classes), by the baseline's name.

    Args:
        train: with its copies.
        validation, test: clips as they are; the test part is only answered.
        classes: number of labels.
        config: that of the run, whose features the sets hold.
    """
    seen = [pooled_cepstra(part, config.features) for part in (train, validation, test)]
    scaler = StandardScaler().fit(seen[0])
    learned, held_out, asked = (scaler.transform(part) for part in seen)
    return {
        "nearest_class_mean": _nearest_class_mean(learned, train.labels, asked, classes),
        "logistic_regression": _logistic_regression(
            (learned, train.labels), (held_out, validation.labels), asked, classes
        ),
        "small_convolution": _small_convolution(train, validation, test, classes, config),
    }


def pooled_cepstra(examples: FeatureSet, features: configs.FeatureConfig) -> np.ndarray:
    """Mean and deviation over time of cepstral coefficients, float32 (examples, 40).

    From bands (log_mel, pcen) by the cosine transform that mfcc are made with; from mfcc as they
    are. Fewer than 20 channels give as many coefficients; differences over time are left out.
    """
    channels = examples.frames.shape[1] // (3 if features.deltas else 1)
    found = []
    for start, end in zip(examples.starts[:-1], examples.starts[1:], strict=True):
        cepstra = examples.frames[start:end, :channels].T
        if features.kind != "mfcc":
            cepstra = librosa.feature.mfcc(S=cepstra, n_mfcc=min(COEFFICIENTS, channels))
        cepstra = cepstra[:COEFFICIENTS]
        found.append(np.concatenate([cepstra.mean(axis=1), cepstra.std(axis=1)]))
    return np.array(found, np.float32)


def _nearest_class_mean(
    learned: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int
) -> np.ndarray:
    """The softmax of minus half the squared distances: a Gaussian of deviation 1 around a mean."""
    known = np.unique(labels)
    means = np.stack([learned[labels == label].mean(axis=0) for label in known])
    distances = np.square(asked[:, None] - means).sum(axis=2)
    odds = np.exp(-0.5 * (distances - distances.min(axis=1, keepdims=True)))
    found = np.zeros((len(asked), classes), np.float32)
    found[:, known] = odds / odds.sum(axis=1, keepdims=True)
    return found


def _logistic_regression(
    learned: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray],
    asked: np.ndarray,
    classes: int,
) -> np.ndarray:
    tried = [LogisticRegression(C=strength, max_iter=300).fit(*learned) for strength in _STRENGTHS]
    best = max(tried, key=lambda fitted: fitted.score(*held_out))
    found = np.zeros((len(asked), classes), np.float32)
    found[:, best.classes_] = best.predict_proba(asked)
    return found


def _small_convolution(
    train: FeatureSet,
    validation: FeatureSet,
    test: FeatureSet,
    classes: int,
    config: configs.Config,
) -> np.ndarray:
    """Trains on the run's batches without contexts; the best checkpoint on validation answers."""
    steps = min(_STEPS, config.training.steps)
    settings = dataclasses.replace(
        config.training,
        steps=steps,
        steps_per_checkpoint=min(_STEPS_PER_CHECKPOINT, steps),
        context_probability=0.0,
        average_fraction=0.0,
    )
    mean, variance = example_batches.statistics(train)
    keras.utils.set_random_seed(config.seed)
    network = _convolutional_network(classes, mean, variance)
    network.compile(
        optimization.optimizer(settings),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
    )
    config = dataclasses.replace(config, training=settings)
    score = scoring.Scorer(network)
    stream = iter(example_batches.endless(train, classes, config, mean))
    best, answers = np.inf, np.zeros((len(test.labels), classes), np.float32)
    for _ in range(0, steps, settings.steps_per_checkpoint):
        for _ in range(settings.steps_per_checkpoint):
            network.train_on_batch(*next(stream))
        loss = measures.cross_entropy(validation.labels, score(validation))
        if loss < best:
            best, answers = loss, score(test)
    return answers


def _convolutional_network(classes: int, mean: np.ndarray, variance: np.ndarray) -> keras.Model:
    """Of the same inputs as `model.build`'s; about 70,000 parameters."""
    features = keras.Input((None, len(mean)), name="features")
    context_frames = keras.Input((), dtype="int32", name="context_frames")
    frames = keras.Input((), dtype="int32", name="frames")
    values = keras.layers.Normalization(mean=mean, variance=variance)(features)[..., None]
    for filters in _FILTERS:
        convolution = CausalConvolution(filters, 5, 5, frame_stride=2, band_stride=2)
        values = keras.ops.relu(convolution(values))
    values = keras.layers.Reshape((-1, values.shape[2] * values.shape[3]))(values)
    is_clip = FrameMask(2 ** len(_FILTERS))(values, context_frames, context_frames + frames)
    loudest = keras.ops.max(keras.ops.where(is_clip[..., None], values, 0.0), axis=1)
    hidden = keras.layers.Dense(64, "relu")(keras.layers.Dropout(0.3)(loudest))
    logits = keras.layers.Dense(classes)(keras.layers.Dropout(0.3)(hidden))
    inputs = {"features": features, "context_frames": context_frames, "frames": frames}
    return keras.Model(inputs, logits, name="small_convolution")
