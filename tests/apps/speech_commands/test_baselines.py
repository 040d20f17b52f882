import dataclasses

import librosa
import numpy as np
import pytest

from apps.speech_commands import baselines
from apps.speech_commands import config as configs
from tests.apps.speech_commands import small_set

CONFIG = dataclasses.replace(
    configs.PRESETS["tiny"],
    audio=small_set.AUDIO,
    training=configs.TrainingConfig(batch_size=16, steps=40, steps_per_checkpoint=20),
)
NAMES = ["nearest_class_mean", "logistic_regression", "small_convolution"]


@pytest.fixture(scope="module")
def parts():
    return [small_set.features(count, seed) for seed, count in enumerate((90, 30, 30))]


@pytest.fixture(scope="module")
def answers(parts):
    return baselines.evaluate(*parts, 3, CONFIG)


def test_each_baseline_gives_probabilities_and_learns_what_is_easy(parts, answers):
    assert list(answers) == NAMES
    for name, probabilities in answers.items():
        assert probabilities.shape == (30, 3)
        assert probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5, err_msg=name)
        assert np.mean(probabilities.argmax(axis=1) == parts[2].labels) > 0.8, name


def test_they_give_the_same_again(parts, answers):
    again = baselines.evaluate(*parts, 3, CONFIG)
    for name in NAMES:
        np.testing.assert_array_equal(again[name], answers[name], err_msg=name)


def test_the_test_part_s_labels_are_never_read(parts, answers):
    train, validation, test = parts
    blind = test._replace(labels=np.full_like(test.labels, 2))
    for name, probabilities in baselines.evaluate(train, validation, blind, 3, CONFIG).items():
        np.testing.assert_array_equal(probabilities, answers[name], err_msg=name)


def test_a_label_without_a_training_clip_is_never_answered(parts):
    found = baselines.evaluate(*parts, 4, CONFIG)
    assert found["logistic_regression"].shape == (30, 4)
    assert not found["logistic_regression"][:, 3].any()
    assert not found["nearest_class_mean"][:, 3].any()


def test_cepstra_of_bands_are_librosa_s_mfcc():
    kinds = [configs.FeatureConfig(kind=kind, deltas=True) for kind in ("log_mel", "mfcc")]
    of_bands, of_cepstra = (
        baselines.pooled_cepstra(small_set.features(6, 3, kind), kind) for kind in kinds
    )
    assert of_bands.shape == (6, 120)
    np.testing.assert_allclose(of_bands, of_cepstra, atol=1e-3)
    frames = small_set.features(1, 3).frames
    expected = librosa.feature.mfcc(S=frames.T, n_mfcc=20)
    np.testing.assert_allclose(of_bands[0, :20], expected.mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(of_bands[0, 60:80], expected.std(axis=1), atol=1e-3)


def test_features_of_a_few_bands_are_enough():
    few = configs.FeatureConfig(mel_bands=5)
    assert baselines.pooled_cepstra(small_set.features(3, 0, few), few).shape == (3, 30)
