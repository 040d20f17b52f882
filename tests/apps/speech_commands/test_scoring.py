"""Clips are answered alike alone and in batches, and metrics.json gets all measures as numbers."""

import numpy as np
import pytest
import tensorflow as tf

from apps.speech_commands import scoring, stream_evaluation
from apps.suite.evaluation import classification
from apps.suite.sounds.feature_cache import FeatureSet
from tests.apps.speech_commands import small_model

LABELS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = 0.1 + 0.7 * np.eye(3)[[0, 0, 1, 1, 1, 0]]
COUNTS = stream_evaluation.Counts(
    said=np.array([8, 2]),
    hits=np.array([6, 1]),
    wrong=np.array([1, 0]),
    false=np.array([2, 1]),
    no_command_seconds=1800.0,
    seconds=3600.0,
)


def examples(count=70):
    lengths = np.random.default_rng(0).integers(1, 40, count)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    frames = small_model.some_features(1, int(starts[-1]))[0]
    return FeatureSet(frames, starts, np.zeros(count, "int32"), np.arange(count, dtype="int32"))


def test_each_clip_gets_the_answer_it_gets_alone():
    made, clips = small_model.built(), examples()
    answers = scoring.probabilities(made, clips)
    assert answers.dtype == np.float32
    for number in (0, 1, 69):
        alone = clips.frames[None, clips.starts[number] : clips.starts[number + 1]]
        expected = tf.nn.softmax(made(small_model.inputs(alone)))[0]
        np.testing.assert_allclose(answers[number], expected, atol=1e-5)


def test_a_scorer_answers_with_the_weights_of_the_moment():
    made, clips = small_model.built(), examples(5)
    score = scoring.Scorer(made)
    before = score(clips)
    bias = made.get_layer("evidence").bias
    bias.assign(bias + np.arange(small_model.CLASSES, dtype="float32"))
    after = score(clips)
    assert np.abs(after - before).max() > 0.05
    np.testing.assert_allclose(after, scoring.probabilities(made, clips), atol=1e-6)


def whole(**changes):
    given = {
        "split": "by voice",
        "examples": {"train": 9, "validation": 3, "test": 6},
        "labels": LABELS,
        "probabilities": PROBABILITIES,
        "baselines": {"mean": np.eye(3)[[0, 0, 0, 0, 0, 0]], "other": np.eye(3)[LABELS]},
        "by_noise": {20: 0.5, 0: 0.25},
        "speakers": classification.by_group(list("abbbcd"), LABELS, PROBABILITIES),
        "streams": scoring.StreamScores(COUNTS, 0.75, 0.8, 4.0),
    }
    return scoring.metrics(**{**given, **changes})


def test_errors_on_streams_are_counted_as_a_user_feels_them():
    test = whole()["test"]
    assert test["miss_rate"] == pytest.approx(0.3)
    assert test["wrong_detections_per_command"] == pytest.approx(0.1)
    assert test["false_accepts_per_hour"] == pytest.approx(6)
    assert test["stream_hours"] == 1
    assert test["stream_hours_without_commands"] == 0.5
    assert all(isinstance(value, int | float) for value in test.values())


def test_without_streams_or_speakers_there_are_no_numbers_for_them():
    test = whole(streams=None, speakers=[], by_noise={})["test"]
    assert test.keys() == {"accuracy", "macro_f1", "cross_entropy"}
