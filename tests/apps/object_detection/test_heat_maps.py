"""Boxes go into maps and come out of them as they were; what is not known is not learned."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.object_detection import config as configs
from apps.object_detection import data, heat_maps, model
from tests.apps.object_detection import small_run

BOXES = np.array([[[0.2, 0.3, 0.45, 0.6], [0.6, 0.1, 0.9, 0.5]]], np.float32)
LABELS = np.array([[1, 0]], np.int32)
PLACES, CLASSES = (12, 16), 3


def wanted(boxes=BOXES, labels=LABELS, seen=True, spread=False):
    found = heat_maps.targets(
        tf.constant(boxes), tf.constant(labels), tf.constant([seen]), PLACES, CLASSES, spread
    )
    return found.numpy()


def maps_of(targets):
    scores = np.where(targets[..., :CLASSES] >= 1, 4.0, -4.0)
    return np.concatenate([scores, targets[..., CLASSES : CLASSES + 4]], axis=-1).astype("f4")


def test_boxes_come_back_from_the_maps_to_a_hundredth_of_a_pixel():
    boxes, scores, classes = heat_maps.decode(tf.constant(maps_of(wanted())), 5)
    told = scores[0].numpy() > 0.5
    assert told.sum() == 2
    for box, label in zip(BOXES[0], LABELS[0], strict=True):
        at = np.flatnonzero(told & (classes[0].numpy() == label))
        np.testing.assert_allclose(boxes[0, int(at[0])], box, atol=1e-4)


def test_every_place_near_a_middle_tells_its_whole_box():
    targets = wanted(spread=True)
    shares = targets[0, ..., -2]
    assert shares.sum() == pytest.approx(2)
    assert (shares > 0).sum() > 4
    for row, column in np.argwhere(shares > 0):
        maps = np.full((1, *PLACES, CLASSES + 4), -9, np.float32)
        maps[0, row, column] = [9, -9, -9, *targets[0, row, column, CLASSES : CLASSES + 4]]
        (box, *_), *_ = heat_maps.decode(tf.constant(maps), 1)
        assert np.abs(box - BOXES[0]).max(axis=1).min() < 1e-4


def test_a_displaced_middle_costs_the_share_of_the_box_that_it_is_displaced_by():
    targets = wanted(boxes=np.float32([[[0.2, 0.2, 0.6, 0.6]]]), labels=np.int32([[1]]))
    away = maps_of(targets)
    away[..., -2] += 1.0
    lost = [
        model.loss(1.0, 1.0, relative=relative)(targets[None], tf.constant(maps[None])).numpy()[0]
        for relative in (False, True)
        for maps in (maps_of(targets), away)
    ]
    assert lost[1] - lost[0] == pytest.approx(1.0, abs=1e-4)
    assert lost[3] - lost[2] == pytest.approx(1.0 / (0.4 * PLACES[1]), abs=1e-4)


def test_only_the_highest_of_nine_places_is_a_box():
    maps = maps_of(wanted())
    row, column = np.argwhere(maps[0, ..., 1] > 0)[0]
    maps[0, row, column + 1, 1] = 3.9
    _, scores, classes = heat_maps.decode(tf.constant(maps), 5)
    assert ((scores[0] > 0.5) & (classes[0] == 1)).numpy().sum() == 1


def loss(targets, maps):
    of_clips = model.loss(1.0, 1.0)
    return of_clips(tf.constant(targets[None]), tf.constant(maps[None])).numpy()[0]


def test_the_loss_is_lowest_where_the_boxes_are():
    targets = wanted()
    right = loss(targets, maps_of(targets))
    assert right < loss(targets, np.roll(maps_of(targets), 1, axis=2))
    worse = maps_of(targets)
    worse[..., CLASSES:] += 0.5
    assert loss(targets, worse) == pytest.approx(right + 2.0, abs=1e-4)  # four numbers, two boxes


def test_frames_that_nobody_looked_at_teach_nothing():
    maps = np.random.default_rng(0).normal(size=(1, *PLACES, CLASSES + 4)).astype("f4")
    assert loss(wanted(seen=False), maps) == 0


def test_hidden_objects_teach_neither_to_find_nor_to_leave_them():
    hidden = wanted(labels=np.int32([[-2, 0]]))
    assert hidden[..., -2].sum() == 1
    sure = maps_of(hidden)
    before = loss(hidden, sure)
    row, column = np.argwhere(maps_of(wanted())[0, ..., 1] > 0)[0]
    sure[0, row, column, 1] = 4.0
    assert loss(hidden, sure) == pytest.approx(before)


def test_a_clip_counts_alike_in_any_batch():
    one, other = wanted(), wanted(labels=np.int32([[-1, 2]]))
    maps = np.random.default_rng(0).normal(size=(2, 1, *PLACES, CLASSES + 4)).astype("f4")
    both = model.loss(1.0, 1.0)(tf.stack([one, other]), tf.constant(maps)).numpy()
    np.testing.assert_allclose(both, [loss(one, maps[0]), loss(other, maps[1])], rtol=1e-5)


@pytest.mark.parametrize("memory", ["conv_lstm", "none"])
@pytest.mark.parametrize("coarser", [(), (6, 7)])
def test_chunks_of_a_stream_equal_the_whole(memory, coarser):
    trained = small_run.trained(small_run.config(memory=memory, coarser_filters=coarser))
    assert trained.model.output_shape[2:4] == (4, 6)
    assert model.state_shape(trained.model)[:2] == ((1, 2) if coarser else (4, 6))
    frames = np.stack([small_run.video(6, seed=seed) for seed in range(2)])
    whole = trained.model({"frames": frames}, training=False)
    states = [tf.zeros([2, *model.state_shape(trained.model)])] * 2
    found = []
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        maps, states = model.stepped(trained.model, tf.constant(frames[:, part]), states)
        found.append(maps)
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, atol=1e-5)


def test_a_network_with_coarser_convolutions_is_saved_whole(tmp_path):
    network = small_run.trained(small_run.config(coarser_filters=(6, 7))).model
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    frames = tf.constant(small_run.video(3)[None])
    states = [tf.zeros([1, *model.state_shape(loaded)])] * 2
    found, _ = model.stepped(loaded, frames, states)
    np.testing.assert_allclose(found, network({"frames": frames}), atol=1e-5)


def test_the_twin_has_the_same_weights_and_remembers_nothing():
    trained = small_run.trained()
    twin = model.build(small_run.config(memory="none"), len(small_run.NAMES))
    twin.set_weights(trained.model.get_weights())
    frames = small_run.video(6)[None]
    first = trained.model({"frames": frames[:, 3:4]})
    np.testing.assert_allclose(twin({"frames": frames})[:, 3:4], first, atol=1e-5)
    assert np.abs(trained.model({"frames": frames})[:, 3:4] - first).max() > 1e-3


@pytest.mark.slow
def test_a_network_of_keras_applications_may_read_the_frames(tmp_path):
    config = dataclasses.replace(
        small_run.config(backbone="keras_applications", stride=8, filters=(4, 6, 6)),
        frames=configs.FramesConfig(height=32, width=48, clip_frames=2),
    )
    network = model.build(config, 3)
    frozen = network.get_layer(model.FEATURES)
    assert len(frozen.trainable_weights) == 2 < len(frozen.weights)
    frames = small_run.video(2, 32, 48)[None]
    maps = network({"frames": frames})
    assert maps.shape == (1, 2, 4, 6, 3 + 4)
    assert np.ptp(maps) > 0
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded({"frames": frames}), maps)


def video(frames):
    made = np.zeros((frames, small_run.HEIGHT, small_run.WIDTH, 3), np.uint8)
    made[:] = np.arange(frames)[:, None, None, None]
    boxes = np.tile(np.float32([0.1, 0.2, 0.5, 0.6]), (frames, 1, 1))
    zeros = np.zeros((frames, 1), np.int32)
    return data.Video("v", made, boxes, zeros, zeros, np.ones(frames, bool),
                      np.zeros(frames, bool), (16, 24))  # fmt: skip


def test_batches_are_a_function_of_the_step_and_short_videos_teach_nothing_at_their_end():
    config = small_run.config()
    videos = [video(3), video(40)]
    first = [next(iter(data.batches(videos, 3, config, 2))) for _ in range(2)]
    np.testing.assert_array_equal(first[0][0]["frames"], first[1][0]["frames"])
    np.testing.assert_array_equal(first[0][1], first[1][1])
    after = next(iter(data.batches(videos, 3, config).skip(2)))
    np.testing.assert_array_equal(first[0][0]["frames"], after[0]["frames"])
    for step in range(6):
        inputs, targets = next(iter(data.batches(videos, 3, config, step)))
        for frames, wanted in zip(inputs["frames"].numpy(), targets.numpy(), strict=True):
            numbers = frames[:, 0, 0, 0].tolist()
            if numbers[-1] == numbers[-2]:
                assert numbers == [0, 1, 2, 2, 2]
                assert wanted[..., -1].any(axis=(1, 2)).tolist() == [True] * 3 + [False] * 2
            else:
                assert numbers == list(range(numbers[0], numbers[0] + 5))
