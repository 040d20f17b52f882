"""Measures simple baselines on the same sequences and parts as the model.

    most_frequent          the shares of the labels in the train part, whatever is asked
    logistic_regression    linear in statistics of each channel (`sequence_statistics`); of texts,
                           in TF-IDF of words, pairs of words and pieces of two to four letters
    random_convolutions    ridge regression on random kernels (`random_convolutions`)
    gradient_boosting      trees on the same statistics; with labels by step, on windows around them

The validation part chooses the strength of regularisation; nothing is chosen on test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import ensemble, feature_extraction, linear_model, pipeline, preprocessing

from apps.sequence_classification import config as configs
from apps.sequence_classification import data
from apps.suite.evaluation import class_baselines
from apps.suite.sequences import random_convolutions, sequence_statistics

_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)  # scikit-learn's C
_SHRINKAGES = np.logspace(-2, 4, 7)
_KERNELS = 1_000
_MOST_ITERATIONS = 1_000
_WINDOWS = 20_000  # that the trees learn from, at most
_STRIDE_SHARE = 8  # windows of a step's length for each window


def evaluate(corpus: data.Corpus, config: configs.Config) -> dict[str, np.ndarray]:
    """Returns probabilities of the test part, float32 (sequences or steps, labels), by baseline.

    Args:
        corpus: the test part is only answered.
        config: of the run; its seed counts.
    """
    found = {"most_frequent": _most_frequent(corpus)}
    if corpus.is_text:
        return {**found, "logistic_regression": _words(corpus)}
    if config.per_step:
        return {**found, **_windows(corpus, config)}
    parts = [sequence_statistics.of_sequences(part.sequences) for part in corpus.parts.values()]
    return {
        **found,
        "logistic_regression": _linear(corpus, parts),
        "gradient_boosting": _boosted(corpus, parts[0], corpus.train.labels, parts[2], config.seed),
        "random_convolutions": _ridge(corpus, config),
    }


def _most_frequent(corpus: data.Corpus) -> np.ndarray:
    labels = corpus.train.labels
    counts = np.bincount(labels[labels >= 0], minlength=len(corpus.label_names))
    return np.tile((counts / counts.sum()).astype(np.float32), (len(corpus.test.labels), 1))


def _linear(
    corpus: data.Corpus,
    parts: Sequence[Any],
    strengths: Sequence[float] = _STRENGTHS,
    scaled: bool = True,
) -> np.ndarray:
    """Answers by the best logistic regression on numbers of each sequence, of the three parts."""
    learned, held_out, asked = parts
    models = class_baselines.logistic_regressions(
        learned,
        corpus.train.labels,
        len(corpus.label_names),
        strengths,
        most_iterations=_MOST_ITERATIONS,
        scaled=scaled,
    )
    return class_baselines.best(models, corpus.validation.labels, held_out)(asked)


def _words(corpus: data.Corpus) -> np.ndarray:
    vectors = pipeline.make_union(
        feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        feature_extraction.text.TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True
        ),
    )
    learned = vectors.fit_transform(corpus.train.sequences.texts)
    others = (vectors.transform(each.sequences.texts) for each in (corpus.validation, corpus.test))
    return _linear(corpus, [learned, *others], _STRENGTHS[2:], scaled=False)


def _ridge(corpus: data.Corpus, config: configs.Config) -> np.ndarray:
    """Answers by a ridge regression of the labels; validation says how sure it may be."""
    kernels = random_convolutions.drawn(corpus.train.sequences, _KERNELS, config.seed)
    learned, held_out, asked = (
        random_convolutions.features(kernels, part.sequences) for part in corpus.parts.values()
    )
    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.RidgeClassifierCV(_SHRINKAGES)
    ).fit(learned, corpus.train.labels)

    def sure(sharpness: float) -> class_baselines.Probabilities:
        def probabilities(given: np.ndarray) -> np.ndarray:
            scores = model.decision_function(given)
            scores = np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores
            odds = np.exp(sharpness * (scores - scores.max(axis=1, keepdims=True)))
            shares = odds / odds.sum(axis=1, keepdims=True)
            return class_baselines.spread(shares, model.classes_, len(corpus.label_names))

        return probabilities

    models = map(sure, (1, 2, 4, 8, 16))
    return class_baselines.best(models, corpus.validation.labels, held_out)(asked)


def _boosted(
    corpus: data.Corpus, learned: np.ndarray, labels: np.ndarray, asked: np.ndarray, seed: int
) -> np.ndarray:
    trees = ensemble.HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.15, max_leaf_nodes=15, min_samples_leaf=5, random_state=seed
    )
    fitted = trees.fit(learned, labels)
    return class_baselines.of_model(fitted, len(corpus.label_names))(asked)


def _windows(corpus: data.Corpus, config: configs.Config) -> Mapping[str, np.ndarray]:
    """Answers every step as the nearest window's middle."""
    seconds = 2.0
    window = max(3, round(seconds * corpus.steps_per_second)) if corpus.steps_per_second else 50
    window = min(window, max(3, int(np.median(corpus.train.sequences.lengths))))
    stride = max(1, window // _STRIDE_SHARE)
    train, test = corpus.train, corpus.test
    learned, middles = sequence_statistics.of_windows(train.sequences, window, stride)
    asked, rows = sequence_statistics.of_windows(test.sequences, window, stride)
    labels = train.labels[middles]
    known = np.flatnonzero(labels >= 0)
    chosen = np.random.default_rng(config.seed).permutation(known)[:_WINDOWS]
    windowed = _boosted(corpus, learned[chosen], labels[chosen], asked, config.seed)
    (linear,) = class_baselines.logistic_regressions(
        learned[chosen], labels[chosen], len(corpus.label_names), [1.0], most_iterations=200
    )
    nearest = sequence_statistics.nearest_window(corpus.test.sequences, rows)
    return {
        "logistic_regression": linear(asked)[nearest],
        "gradient_boosting": windowed[nearest],
    }
