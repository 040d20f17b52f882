"""From samples a clip gets the answer that its librosa features get."""

import numpy as np
import pytest
import tensorflow as tf

from apps.speech_commands.scoring import ClipProbabilities
from apps.suite.sounds import features as reference_features
from tests.apps.speech_commands import small_run

KINDS = [*small_run.ANY_KIND, {"layer": "bilstm"}]


@pytest.mark.parametrize("sizes", KINDS)
def test_the_answer_is_that_of_the_features_that_were_learned_from(sizes):
    config = small_run.config(**sizes)
    trained = small_run.built(config)
    clips = [small_run.sound(seconds, seed) for seed, seconds in enumerate([0.4, 0.4, 0.77])]
    found = ClipProbabilities(trained, config)(clips)
    for clip, probabilities in zip(clips, found, strict=True):
        features = reference_features.extract(clip, config.audio, config.features)
        frames = np.array([len(features)], np.int32)
        inputs = {"features": features[None], "context_frames": 0 * frames, "frames": frames}
        expected = tf.nn.softmax(trained(inputs)).numpy()[0]
        np.testing.assert_allclose(probabilities, expected, atol=1e-3)


@pytest.mark.parametrize("sizes", KINDS)
def test_a_clip_s_answer_does_not_depend_on_its_neighbours(sizes):
    config = small_run.config(**sizes)
    ask = ClipProbabilities(small_run.built(config), config)
    lengths = [0.4] * 70 + [0.3, 0.4, 0.01, 0.4]
    clips = [small_run.sound(seconds, seed) for seed, seconds in enumerate(lengths)]
    together = ask(iter(clips))
    assert together.shape == (len(clips), len(small_run.NAMES))
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    for at in (0, 65, 70, 71, 72, 73):
        np.testing.assert_allclose(together[at], ask([clips[at]])[0], atol=1e-5)
