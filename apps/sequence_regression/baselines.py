"""Predicts targets without a network: the mean, and ridge and boosting on windows or words."""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.sequence_regression import config as configs
from apps.sequence_regression import data, targets
from apps.suite.sequences import sequence_statistics

MEAN, RIDGE, BOOSTING, WORDS = "mean", "ridge", "gradient boosting", "TF-IDF with ridge"

_WINDOW_STEPS = 32  # around a step, or at the end of a sequence whose life remains
_MOST_WINDOWS = 40_000  # that boosting and ridge learn from
_ALPHAS = np.logspace(-1, 4, 11)


def predictions(
    corpus: data.Corpus, config: configs.Config, part: targets.Part
) -> dict[str, np.ndarray]:
    """Returns the answers of each baseline to the cases of a part, float64 [cases, targets].

    Ridge and boosting read the statistics of channels over a sequence, over a window around a
    step, or over the last steps of a life that remains; for texts, ridge reads weighted words and
    letters. They learn from what the model learns from.
    """
    if corpus.is_text:
        return {MEAN: _mean(corpus, len(part.targets)), WORDS: _of_words(corpus, part)}
    learned, wanted = _learned(corpus, config)
    asked = _asked(config, part)
    found = {MEAN: _mean(corpus, len(part.targets))}
    found |= {
        name: np.stack(
            [
                _fitted(name, learned, wanted[:, at], config.seed).predict(asked)
                for at in range(wanted.shape[1])
            ],
            axis=1,
        )
        for name in (RIDGE, BOOSTING)
    }
    if config.target.cap:
        found = {name: np.clip(each, 0, config.target.cap) for name, each in found.items()}
    return found


def _mean(corpus: data.Corpus, count: int) -> np.ndarray:
    return np.tile(np.nanmean(corpus.learning.learned.targets, axis=0), (count, 1))


def _learned(corpus: data.Corpus, config: configs.Config) -> tuple[np.ndarray, np.ndarray]:
    """Returns the statistics and the targets that are learned from."""
    train = corpus.learning.learned
    if not config.per_step:
        return sequence_statistics.of_sequences(train.sequences), train.targets
    stride = 1 + len(train.targets) // _MOST_WINDOWS
    if config.target.remaining:
        rows = np.arange(0, len(train.targets), stride)
        return sequence_statistics.of_ends(train.sequences, rows, _WINDOW_STEPS), train.targets[
            rows
        ]
    numbers, rows = sequence_statistics.of_windows(train.sequences, _WINDOW_STEPS, stride)
    known = np.isfinite(train.targets[rows]).all(axis=1)
    return numbers[known], train.targets[rows][known]


def _asked(config: configs.Config, part: targets.Part) -> np.ndarray:
    """Returns the statistics of the cases of a part."""
    if config.target.remaining:
        return sequence_statistics.of_sequences(part.sequences, _WINDOW_STEPS)
    if not config.per_step:
        return sequence_statistics.of_sequences(part.sequences)
    return sequence_statistics.of_windows(part.sequences, _WINDOW_STEPS, 1)[0]


def _fitted(name: str, learned: np.ndarray, wanted: np.ndarray, seed: int) -> Any:
    from sklearn import ensemble, linear_model, pipeline, preprocessing

    known = np.isfinite(wanted)
    if name == RIDGE:
        made = pipeline.make_pipeline(
            preprocessing.StandardScaler(), linear_model.RidgeCV(alphas=_ALPHAS)
        )
    else:
        made = ensemble.HistGradientBoostingRegressor(
            learning_rate=0.05,
            max_iter=200,
            max_leaf_nodes=15,
            min_samples_leaf=20,
            l2_regularization=1.0,
            random_state=seed,
        )
    return made.fit(learned[known], wanted[known])


def _of_words(corpus: data.Corpus, part: targets.Part) -> np.ndarray:
    """Returns the answers of ridge on TF-IDF of words, their pairs, and letters in words."""
    from sklearn import feature_extraction, linear_model, pipeline

    vectorizer = feature_extraction.text.TfidfVectorizer
    features = pipeline.make_union(
        vectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, token_pattern=r"\S+"),
        vectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5), min_df=2),
    )
    train = corpus.learning.learned
    model = pipeline.make_pipeline(features, linear_model.Ridge(alpha=1.0))
    model.fit(train.sequences.texts, train.targets)
    answers = model.predict(part.sequences.texts)
    return np.asarray(answers).reshape(len(part.sequences), -1)
