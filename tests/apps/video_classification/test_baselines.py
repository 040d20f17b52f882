"""The baselines see what they are said to see, and no more."""

import dataclasses

import numpy as np
import pytest

from apps.video_classification import baselines, clips, data
from apps.video_classification import config as configs
from tests.apps.video_classification import moving_spots, small_run

FRAMES, SIDE = 8, 24


def part(count, seed, make):
    """`count` videos of two clips, labels in turn; `make(label, seed)` gives frames."""
    labels = np.arange(count) % 2
    frames = [make(int(labels[at]), seed + 7 * at + clip) for at in range(count) for clip in (0, 1)]
    return clips.Clips(
        store=np.stack(frames),
        rows=np.arange(2 * count),
        lengths=np.full(2 * count, FRAMES, np.int32),
        labels=np.repeat(labels, 2).astype(np.int32),
        video=np.repeat(np.arange(count), 2).astype(np.int32),
        names=tuple(map(str, range(count))),
    )


def motion(label, seed):
    return moving_spots.spot(moving_spots.LABELS[label], seed, FRAMES, SIDE)


def brightness(label, seed):
    draw = np.random.default_rng(seed)
    return draw.integers(100 * label, 100 * label + 80, (FRAMES, SIDE, SIDE, 3), np.uint8)


def restless(label, seed):
    """The same picture, which trembles or stands still."""
    clip = np.repeat(moving_spots.spot("down", seed, 1, SIDE), FRAMES, axis=0)
    noise = np.random.default_rng(seed).integers(0, 30, clip.shape, np.uint8)
    return clip + noise if label else clip + noise[:1]


@pytest.fixture(scope="module")
def config():
    return small_run.config(clips={"frames": FRAMES, "height": SIDE, "width": SIDE})


def accuracies(make, config):
    parts = [part(count, 1_000 * count, make) for count in (60, 20, 41)]
    found = baselines.evaluate(*parts, 2, config)
    for probabilities in found.values():
        assert probabilities.shape == (41, 2)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-4)
    labels = parts[2].video_labels
    return {name: (each.argmax(axis=1) == labels).mean() for name, each in found.items()}


def test_what_a_picture_tells_is_told_by_those_that_see_pictures(config):
    assert accuracies(brightness, config)["mean_of_frames"] == 1


def test_a_direction_is_told_by_none_of_them(config):
    found = accuracies(motion, config)
    assert found["single_frame"] < 0.75
    assert found["mean_of_frames"] < 0.75


def test_how_much_changes_is_told_by_differences_alone(config):
    found = accuracies(restless, config)
    assert found["frame_differences"] == 1


def test_the_single_frame_learns_what_pictures_tell(config):
    longer = dataclasses.replace(
        config, training=dataclasses.replace(config.training, steps=60, steps_per_checkpoint=60)
    )
    parts = [part(count, 1_000 * count, brightness) for count in (40, 10, 20)]
    found = baselines.single_frame_answer(*parts, 2, longer)
    assert (found.argmax(axis=1) == parts[2].video_labels).all()
    np.testing.assert_array_equal(found, baselines.single_frame_answer(*parts, 2, longer))


def test_the_order_of_frames_is_nothing_to_the_mean_of_frames():
    frames = np.stack([motion(0, 3)])
    lengths = np.array([FRAMES])
    expected = baselines.mean_of_frames(frames, lengths)
    np.testing.assert_allclose(
        baselines.mean_of_frames(frames[:, ::-1], lengths), expected, rtol=1e-4
    )


@pytest.mark.parametrize("describe", [baselines.mean_of_frames, baselines.frame_differences])
@pytest.mark.parametrize("length", [1, 3])
def test_frames_behind_the_end_change_nothing(describe, length):
    frames = np.stack([motion(1, 3)])
    padded = frames.copy()
    padded[:, length:] = 0
    lengths = np.array([length])
    found = describe(frames, lengths)
    assert np.all(np.isfinite(found))
    np.testing.assert_array_equal(found, describe(padded, lengths))


@pytest.mark.slow
def test_no_single_frame_of_moving_digits_tells_the_motion():
    """Nine motions: chance is 11 %. Differences of frames do tell something."""
    preset = dataclasses.replace(configs.PRESETS["default"], data="moving_digits/small")
    corpus = data.load(preset)
    parts = corpus.train, corpus.validation, corpus.test
    found = baselines.evaluate(*parts, len(corpus.label_names), preset)
    labels = corpus.test.video_labels
    right = {name: (each.argmax(axis=1) == labels).mean() for name, each in found.items()}
    assert right["single_frame"] < 0.25
    assert right["mean_of_frames"] < 0.25
    assert right["frame_differences"] > 0.25
