"""Clips are a function of seed, step and row, and those in turn follow each other."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from apps.object_detection import baselines, clips, data, model, scoring
from apps.suite.runs import files
from apps.suite.training import fit
from tests.apps.object_detection import small_run

LENGTHS = [3, 12, 26]
COLOURS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250]], np.uint8)  # of the classes


def spot(kind, length=12):
    """A video of one object, in the colour of its class on black."""
    frames = np.zeros((length, small_run.HEIGHT, small_run.WIDTH, 3), np.uint8)
    frames[:, 4:12, 6:16] = COLOURS[kind]
    box = np.float32([6 / 24, 4 / 16, 16 / 24, 12 / 16])
    labels, everywhere = np.full((length, 1), kind, np.int32), np.ones(length, bool)
    return data.Video("v", frames, np.tile(box, (length, 1, 1)), labels, np.zeros_like(labels),
                      everywhere, ~everywhere, (16, 24))  # fmt: skip


def in_turn(row, steps=40):
    drawn = clips.Clips(LENGTHS, small_run.config())
    return [drawn.in_turn(step, row) for step in range(steps)]


def test_a_clip_in_turn_follows_that_of_the_step_before_until_its_video_ends():
    seen = in_turn(0)
    for before, after in itertools.pairwise(seen):
        if after.begins:
            assert after.start + 5 <= max(5, LENGTHS[after.video])
        else:
            assert (after.video, after.start) == (before.video, before.start + 5)
    assert [each.video for each in seen].count(2) == 5 * [each.video for each in seen].count(0)


def test_rows_read_videos_in_orders_of_their_own():
    own, again, other = ([each[:3] for each in in_turn(row)] for row in (0, 0, 1))
    assert own == again
    assert own != other


@pytest.mark.parametrize("memory", ["conv_lstm", "none"])
def test_a_row_goes_on_from_where_it_ended_and_begins_with_an_empty_memory(memory):
    config = small_run.config(memory=memory)
    network = small_run.trained(config).model
    frames = np.stack([small_run.video(8), small_run.video(8, seed=3)])
    whole = network({"frames": frames})
    carried = model.CarriedDetector(network, 2)
    for first, begins in ((0, True), (4, False), (0, True)):
        inputs = {"frames": tf.constant(frames[:, first : first + 4])}
        told = carried({**inputs, "begins": tf.constant([begins, begins])})
        np.testing.assert_allclose(told, whole[:, first : first + 4], atol=1e-5)


def test_weights_leave_the_training_as_they_are_in_whatever_precision():
    config = small_run.config()
    for settings in ({"precision": "mixed_bfloat16"}, {"carry_states": True}):
        training = dataclasses.replace(config.training, **settings)
        learner = model.build_training(dataclasses.replace(config, training=training), 3)
        kept = model.build(config, 3)
        model.copy_weights(learner, kept)
        assert kept.dtype_policy.name == "float32"
        learned = learner.trainable_weights
        for mine, its in zip(kept.trainable_weights, learned, strict=True):
            np.testing.assert_array_equal(mine, its)


@pytest.mark.slow
def test_an_interrupted_training_that_carries_its_memory_ends_with_the_same_weights(tmp_path):
    config = small_run.config()
    training = dataclasses.replace(config.training, carry_states=True, batch_size=2)
    config = dataclasses.replace(config, training=training)
    draw = np.random.default_rng(0)
    videos = []
    for number in range(3):
        boxes = np.sort(draw.uniform(0, 1, (17, 1, 2, 2)), axis=2).reshape(17, 1, 4)
        frames, everywhere = small_run.video(17, seed=number), np.ones(17, bool)
        labels = np.zeros((17, 1), np.int32)
        videos.append(data.Video("v", frames, np.float32(boxes), labels, labels, everywhere,
                                 ~everywhere, (16, 24)))  # fmt: skip

    def learned(folder, *stops):
        for steps in stops:
            kept = baselines.TwinFolder(folder)
            files.make_folder(kept.checkpoints)
            fit.seed_everything(0)
            learner = model.build_training(config, 3)
            fit.fit(
                learner, lambda first: data.batches(videos, 3, config, first), steps=steps,
                steps_per_checkpoint=2, folder=kept, save_best=lambda _: None, monitor="loss",
            )  # fmt: skip
        return learner.get_weights()

    once, twice = learned(tmp_path / "once", 4), learned(tmp_path / "twice", 2, 4)
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_array_equal(one, other)
    memory = [weight for weight in once if weight.shape == (2, 4 * 6 * 5)]
    assert len(memory) == 2
    assert all(np.abs(each).max() > 0 for each in memory)


def test_the_twin_keeps_the_weights_that_validation_likes_best(tmp_path, monkeypatch):
    config = small_run.config()
    config = dataclasses.replace(
        config, training=dataclasses.replace(config.training, steps_per_checkpoint=2)
    )
    videos = [spot(kind) for kind in range(3)]
    facts = dict.fromkeys(("name", "licence", "source", "fingerprint", "split"), "")
    corpus = data.Corpus(
        **facts, label_names=small_run.NAMES, train=videos, validation=videos, test=videos
    )

    def twin(name, *found):
        told = iter(found)
        monkeypatch.setattr(
            scoring, "of_validation", lambda *_: {"ap50": next(told), "threshold": 0.3}
        )
        return baselines.twin(corpus, config, tmp_path / f"{name}.keras").get_weights()

    early, late = twin("early", 0.9, 0.1), twin("late", 0.1, 0.9)
    assert any((one != other).any() for one, other in zip(early, late, strict=True))
