"""A stream, cut wherever, is told what the whole is told."""

import numpy as np
import pytest
import tensorflow as tf

from apps.video_classification import model, streams
from tests.apps.video_classification import small_run

CAUSAL = [kind for kind in small_run.EVERY_KIND if kind.get("layer") != "bilstm"]


@pytest.fixture(scope="module", params=CAUSAL, ids=lambda kind: "-".join(map(str, kind.values())))
def trained(request):
    return small_run.built(small_run.config(**request.param))


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4, 5), (4,)])
def test_chunks_one_behind_the_other_are_the_whole(trained, cuts):
    videos = np.stack([small_run.video(seed=at) for at in range(2)])
    length = np.full(2, small_run.FRAMES, np.int32)
    whole = model.per_frame(trained)({"frames": videos, "length": length})
    states, found = streams.initial_states(trained, 2), []
    names = set(states)
    for chunk in np.split(videos, cuts, axis=1):
        evidence, states = streams.chunk(trained, tf.constant(chunk), states)
        assert set(states) == names
        found.append(evidence)
    found = np.concatenate(found, axis=1)
    np.testing.assert_allclose(tf.nn.softmax(found), tf.nn.softmax(whole), atol=1e-5)
    # Evidence of a random network may be a difference of numbers of its largest's size
    bound = max(1e-5, 2e-6 * float(np.abs(whole).max()))
    np.testing.assert_allclose(found, whole, rtol=0, atol=bound)


def test_the_first_frame_of_a_stream_differs_from_none():
    trained = small_run.built(small_run.config())
    videos = np.stack([small_run.video(seed=1)])
    states = streams.initial_states(trained, 1)
    assert not np.any(states[streams.STARTED])
    first, states = streams.chunk(trained, tf.constant(videos[:, :1]), states)
    stopped = np.repeat(videos[:, :1], 2, axis=1)
    same = model.per_frame(trained)({"frames": stopped, "length": np.array([2], np.int32)})
    again, _ = streams.chunk(trained, tf.constant(videos[:, :1]), states)
    np.testing.assert_allclose(np.concatenate([first, again], axis=1), same, atol=1e-5)


def test_a_bilstm_is_refused():
    trained = small_run.built(small_run.config(layer="bilstm", pooling="mean"))
    with pytest.raises(ValueError, match="needs what comes later"):
        streams.initial_states(trained, 1)
