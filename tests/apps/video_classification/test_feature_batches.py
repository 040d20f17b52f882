import dataclasses

import numpy as np
import pytest

from apps.video_classification import batches, clips, model
from tests.apps.video_classification import small_run


@pytest.fixture(scope="module")
def made():
    config = small_run.config()
    trained = small_run.built(config)
    store = np.stack([small_run.video(seed=at) for at in range(10)])
    part = clips.Clips(
        store=store,
        rows=np.arange(10)[::-1],
        lengths=np.array([6, 6, 6, 6, 3, 3, 6, 6, 6, 6], np.int32),
        labels=np.array([0, 0, 1, 1, 1, 1, 1, 1, 2, 2], np.int32),
        video=np.repeat(np.arange(5), 2).astype(np.int32),
        names=("a", "b", "c", "d", "e"),
    )
    return config, trained, part, batches.encoded(trained, part)


def some(stream, count=3):
    return list(stream.take(count).as_numpy_iterator())


def test_features_are_those_of_the_encoder(made):
    _, trained, part, features = made
    expected = model.encoder(trained)(part.read(slice(None)))
    np.testing.assert_allclose(features.read(slice(None)), expected, atol=1e-5)


def test_every_row_is_of_the_clips_of_one_video_with_its_label_and_length(made):
    config, _, part, features = made
    for inputs, labels in some(batches.endless_features(features, 3, config)):
        for row, length, label in zip(inputs["features"], inputs["length"], labels, strict=True):
            near = np.abs(features.store - row).sum(axis=2) == 0  # [clips, time]
            video = next(v for v in range(5) if near[part.video == v].any(axis=0).all())
            assert label.argmax() == part.video_labels[video]
            assert length == part.lengths[part.first_clips[video]]


def test_a_stream_that_begins_later_goes_on_where_an_earlier_one_was(made):
    config, _, _, features = made
    whole = some(batches.endless_features(features, 3, config))
    later = some(batches.endless_features(features, 3, config, 2), 1)
    np.testing.assert_array_equal(later[0][0]["features"], whole[2][0]["features"])


def test_labels_come_alike_if_they_are_to(made):
    config, _, _, features = made
    even = dataclasses.replace(
        config, training=dataclasses.replace(config.training, balance_labels=True)
    )
    counts = {}
    for name, each in (("even", even), ("as they are", config)):
        labels = [labels for _, labels in some(batches.endless_features(features, 3, each), 60)]
        counts[name] = np.concatenate(labels).mean(axis=0)
    np.testing.assert_allclose(counts["even"], 1 / 3, atol=0.08)
    np.testing.assert_allclose(counts["as they are"], [0.2, 0.6, 0.2], atol=0.08)


def test_at_every_frame_there_is_a_label_and_no_weight_in_the_padding(made):
    _, _, _, features = made
    config = small_run.config(per_frame=True, layer="gru")
    inputs, labels, weights = some(batches.endless_features(features, 3, config), 1)[0]
    assert labels.shape == (8, 6, 3)
    np.testing.assert_array_equal(weights.sum(axis=1), inputs["length"])
