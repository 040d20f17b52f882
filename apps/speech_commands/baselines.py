"""What an honest engineer would try first, on the same clips, copies and split.

    nearest_class_mean    the label whose mean over the training clips is nearest
    logistic_regression   one linear layer; how strongly it is held back, validation decides
    small_convolution     four small convolutions, their greatest values over time: no memory

The first two see a clip as 120 numbers: the mean and the deviation over time of 20 cepstral
coefficients and of their first and second differences, each of the 120 brought to mean 0 and
deviation 1 over the training clips.
"""

from __future__ import annotations

import librosa
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from apps.speech_commands import config as configs
from apps.speech_commands import small_convolution
from apps.speech_commands.feature_cache import FeatureSet

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
        "small_convolution": small_convolution.answer(train, validation, test, classes, config),
    }


def pooled_cepstra(examples: FeatureSet, features: configs.FeatureConfig) -> np.ndarray:
    """Means over time, then deviations, of cepstra and differences, float32 (examples, 120).

    The cepstra come from bands (log_mel, pcen) by the cosine transform that mfcc are made with;
    from mfcc as they are. Fewer than 20 channels give as many coefficients. Their slopes and
    curvatures are fitted to nine frames, beyond a clip's ends those at its ends, whether or not
    the features hold differences of their own.
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
    tried = [
        LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS).fit(*learned)
        for strength in _STRENGTHS
    ]
    best = max(tried, key=lambda fitted: fitted.score(*held_out))
    found = np.zeros((len(asked), classes), np.float32)
    found[:, best.classes_] = best.predict_proba(asked)
    return found
