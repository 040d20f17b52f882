"""A stream in chunks of any size is the whole, and at a clip's end it is the clip's answer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.speech_commands import streams
from apps.speech_commands.streams import StreamingClassifier
from tests.apps.speech_commands import small_model
from tests.apps.speech_commands.small_model import CHANNELS, built, config, inputs, some_features

causal = pytest.mark.parametrize("sizes", small_model.CAUSAL, ids=str)
FRAMES = 61


def chunks(features, seed):
    borders = np.sort(np.random.default_rng(seed).integers(0, FRAMES + 1, 15))
    return np.split(features, borders, axis=1)


def answers(classifier, parts):
    states, found = classifier.initial_states(len(parts[0])), []
    for part in parts:
        new, states = classifier(part, states)
        found.append(new)
    return tf.concat(found, axis=1), states


@causal
@pytest.mark.parametrize("seed", range(3))
def test_chunks_of_any_size_give_the_whole(sizes, seed):
    classifier = StreamingClassifier(built(**sizes), config(**sizes))
    features = some_features(2, FRAMES)
    whole, last = answers(classifier, [features])
    in_chunks, states = answers(classifier, chunks(features, seed))
    np.testing.assert_allclose(in_chunks, whole, atol=1e-5)
    assert states.keys() == last.keys()
    for name, state in states.items():
        np.testing.assert_allclose(state, last[name], atol=1e-5, err_msg=name)
    assert np.ptp(whole, axis=1).max() > 0.03


@causal
def test_evidence_and_attention_in_chunks_are_those_of_the_whole(sizes):
    made, features = built(**sizes), some_features(2, FRAMES)
    told, states = [], streams.initial_states(made, 2)
    for part in chunks(features, 7):
        *new, states = streams.chunk(made, part, states)
        told.append(new)
    names = [name for name in ("evidence", "attention") if name in {x.name for x in made.layers}]
    for place, name in enumerate(names):
        whole = keras.Model(made.inputs, made.get_layer(name).output)(inputs(features))
        in_chunks = tf.concat([part[place] for part in told], axis=1)
        np.testing.assert_allclose(tf.reshape(in_chunks, whole.shape), whole, atol=1e-5)


@causal
@pytest.mark.parametrize("frames", [1, 2, 7, 24])
def test_a_stream_that_begins_with_a_clip_gives_the_clip_s_answer_at_its_end(sizes, frames):
    """24 frames are the 0.4 seconds that the stream pools; what is shorter is pooled whole."""
    made, features = built(**sizes), some_features(2, frames)
    classifier = StreamingClassifier(made, config(**sizes))
    stream, _ = answers(classifier, [features[:, :5], features[:, 5:]])
    np.testing.assert_allclose(stream[:, -1], tf.nn.softmax(made(inputs(features))), atol=1e-5)


def test_a_stream_forgets_evidence_that_is_older_than_a_clip():
    made = built(pooling="mean")
    classifier = StreamingClassifier(made, config(pooling="mean"))
    features = some_features(1, FRAMES)
    evidence, _, _ = streams.chunk(made, features, streams.initial_states(made, 1))
    stream, _ = answers(classifier, [features])
    assert classifier.window_frames == 12
    for end in (3, 12, 20, 31):
        window = evidence[:, max(0, end - 12) : end]
        expected = tf.nn.softmax(tf.reduce_mean(window, axis=1))
        np.testing.assert_allclose(stream[:, end - 1], expected, atol=1e-5)


def test_frames_of_the_stream_are_as_far_apart_as_told():
    assert StreamingClassifier(built(), config()).frame_seconds == pytest.approx(0.032)
    plain = StreamingClassifier(built(front_end="none"), config(front_end="none"))
    assert plain.frame_seconds == pytest.approx(0.016)


@causal
def test_one_graph_takes_any_rows_and_frames(sizes):
    classifier = StreamingClassifier(built(**sizes), config(**sizes))
    specs = {}
    for name, state in classifier.initial_states(2).items():
        length = None if name.startswith("convolution") else state.shape[1]
        specs[name] = tf.TensorSpec([None, length, *state.shape[2:]])

    @tf.function(input_signature=[tf.TensorSpec([None, None, CHANNELS]), specs])
    def graph(features, states):
        return classifier(features, states)

    for rows in (1, 3):
        features, states, found = some_features(rows, 9), classifier.initial_states(rows), []
        for part in np.split(features, [0, 1, 2, 2, 6], axis=1):
            new, states = graph(part, states)
            found.append(new)
        whole, _ = answers(classifier, [features])
        np.testing.assert_allclose(tf.concat(found, axis=1), whole, atol=1e-5)
    assert graph.experimental_get_tracing_count() == 1


def test_what_needs_the_future_is_refused():
    with pytest.raises(ValueError, match="need what comes later"):
        StreamingClassifier(built(layer="bilstm"), config(layer="bilstm"))
    with pytest.raises(ValueError, match="it needs what comes later"):
        streams.initial_states(built(layer="bilstm"), 1)
