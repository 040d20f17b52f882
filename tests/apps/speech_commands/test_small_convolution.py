import dataclasses

import keras
import numpy as np
import pytest

from apps.speech_commands import baselines
from apps.speech_commands import config as configs
from apps.suite.evaluation import classification
from tests.apps.speech_commands import small_set

CONFIG = dataclasses.replace(
    configs.PRESETS["tiny"],
    audio=small_set.AUDIO,
    training=configs.TrainingConfig(batch_size=16, steps=40, steps_per_checkpoint=20),
)


@pytest.fixture(scope="module")
def network():
    """With weights and averages of every size, and what it takes."""
    keras.utils.set_random_seed(0)
    made = baselines.build_small_convolution(5, np.full(40, -30.0), np.full(40, 90.0))
    draw = np.random.default_rng(0)
    for weight in made.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(draw.uniform(0.5, 2, weight.shape))
        elif "batch_normalization" in weight.path:
            weight.assign(draw.normal(0.5, 1, weight.shape))
    return made


def inputs(features, frames):
    none = np.zeros(len(frames), "int32")
    frames = np.array(frames, "int32")
    return {"features": features, "context_frames": none, "frames": frames}


def test_padding_of_any_length_and_content_changes_no_answer(network):
    draw = np.random.default_rng(1)
    for frames in (1, 2, 7, 15, 16, 17, 61):
        clip = draw.normal(-30, 10, (1, frames, 40)).astype("float32")
        alone = network(inputs(clip, [frames])).numpy()
        for more in (1, 2, 3, 8, 40):
            padding = draw.normal(0, 100, (1, more, 40)).astype("float32")
            padded = network(inputs(np.concatenate([clip, padding], axis=1), [frames]))
            np.testing.assert_allclose(padded, alone, atol=1e-5, err_msg=f"{frames} + {more}")


def test_the_last_frame_of_a_clip_counts(network):
    features = np.random.default_rng(2).normal(-30, 10, (1, 64, 40)).astype("float32")
    for frames in (1, 9, 33):
        shorter, longer = (network(inputs(features, [n])).numpy() for n in (frames, frames + 1))
        assert np.abs(shorter - longer).max() > 1e-3


def test_it_has_the_size_that_it_tells(network):
    made = baselines.build_small_convolution(14, np.zeros(40), np.ones(40))
    assert round(made.count_params(), -3) == 65_000


def test_tuning_the_model_leaves_it_as_it_is():
    parts = [small_set.features(count, seed) for seed, count in enumerate((30, 12, 12))]
    first = baselines.small_convolution_answer(*parts, 3, CONFIG)
    tuned = dataclasses.replace(
        CONFIG,
        model=configs.ModelConfig(layer="gru", dropout=0.0),
        training=dataclasses.replace(
            CONFIG.training, learning_rate=1e-5, label_smoothing=0.2, context_probability=0.0
        ),
    )
    np.testing.assert_array_equal(baselines.small_convolution_answer(*parts, 3, tuned), first)


def test_the_best_weights_on_validation_answer(monkeypatch):
    """Validated at every step on labels that are turned round, it gets worse as it learns."""
    monkeypatch.setattr(baselines, "_STEPS_PER_CHECKPOINT", 1)
    train, validation, test = (
        small_set.features(count, seed) for seed, count in enumerate((60, 30, 30))
    )
    answers = baselines.small_convolution_answer(train, validation, test, 3, CONFIG)
    turned = validation._replace(labels=(validation.labels + 1) % 3)
    early = baselines.small_convolution_answer(train, turned, test, 3, CONFIG)
    wrong = (test.labels + 1) % 3
    assert (
        classification.cross_entropy(wrong, early)
        < classification.cross_entropy(wrong, answers) / 2
    )
