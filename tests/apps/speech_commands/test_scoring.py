import numpy as np
import tensorflow as tf

from apps.speech_commands import scoring
from apps.suite.sounds.feature_cache import FeatureSet
from tests.apps.speech_commands import small_model


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
