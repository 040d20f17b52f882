"""Frames are spread over a video by one formula, by count and by the clock."""

import functools

import numpy as np
import pytest

from apps.suite.videos import sampling
from apps.video_classification.config import ClipConfig


def test_one_clip_takes_the_middle_of_each_part():
    for count in range(1, 200):
        for frames in (1, 2, 7, 16):
            found = sampling.frame_indices(count, frames)
            if count <= frames:
                wanted = [min(place, count - 1) for place in range(frames)]
            else:
                wanted = [int((place + 0.5) * count / frames + 1e-9) for place in range(frames)]
            assert found.indices[0].tolist() == wanted
            assert found.length == min(count, frames)


@pytest.mark.parametrize("count", [17, 40, 1000])
def test_several_clips_stay_within_their_parts_and_are_all_frames_together(count):
    found = sampling.frame_indices(count, 8, 5).indices
    assert found.shape == (5, 8)
    parts = np.floor(found * 8 / count)
    assert (np.abs(parts - np.arange(8)) <= 1).all()
    assert (np.diff(found, axis=1) >= 0).all()
    assert (np.diff(found, axis=0) >= 0).all()
    if count == 40:
        assert sorted(found.ravel().tolist()) == list(range(40))


def test_an_odd_number_of_clips_holds_the_one_of_the_served_model():
    one = sampling.frame_indices(123, 16).indices[0]
    np.testing.assert_array_equal(sampling.frame_indices(123, 16, 3).indices[1], one)


def test_windows_never_leave_the_video():
    for count in (1, 3, 24, 25, 26, 300):
        found = sampling.window_indices(count, 25.0, 1.0, 10, 4)
        assert found.indices.min() >= 0
        assert found.indices.max() < count
        assert (np.ptp(found.indices, axis=1) < 25).all()


def plan(config, clips):
    return functools.partial(sampling.sample, config=config, clips=clips)


def test_even_times_give_what_counting_gives():
    config = ClipConfig(frames=16)
    for count in (3, 16, 17, 50, 301):
        times = 1.5 + np.arange(count) / 29.97
        found, seconds = sampling.by_clock(times, 1.0, plan(config, 3))
        expected = sampling.sample(count, 29.97, config, 3)
        np.testing.assert_array_equal(found.indices, expected.indices)
        assert seconds == pytest.approx(count / 29.97)


def test_a_frame_that_stays_long_is_taken_as_often_as_it_is_seen():
    times = np.concatenate([np.arange(10) * 0.1, [3.0, *(3 + np.arange(1, 10) * 0.1)]])
    found, _ = sampling.by_clock(times, 1.0, plan(ClipConfig(frames=13), 1))
    assert (found.indices[0] == 9).sum() >= 6  # on the screen for half of the time
    few, _ = sampling.by_clock(times, 1.0, plan(ClipConfig(frames=30), 1))
    assert few.indices[0, :20].tolist() == list(range(20))


@pytest.mark.parametrize("times", [[0.0] * 30, [0.0], list(range(30, 0, -1))])
def test_without_useful_times_the_rate_counts(times):
    config = ClipConfig(frames=2, sampling="window", clip_seconds=1.0)
    found, seconds = sampling.by_clock(np.array(times), 10.0, plan(config, 1))
    expected = sampling.sample(len(times), 10.0, config, 1)
    np.testing.assert_array_equal(found.indices, expected.indices)
    assert seconds == len(times) / 10


def test_stretches_follow_one_another_and_a_rest_is_left_out():
    assert sampling.consecutive(50, 25.0, 2, 0.8).indices.tolist() == [[5, 15], [25, 35]]
    assert sampling.consecutive(50, 25.0, 2, 9.0).indices.tolist() == [[12, 37]]
    assert sampling.consecutive(4, 25.0, None, None).indices.tolist() == [[0, 1, 2, 3]]
    assert sampling.consecutive(4, 25.0, 9, None).indices.tolist() == [[0, 1, 2, 3]]
    assert sampling.consecutive(5, 1.0, None, 2.0).indices.tolist() == [[0, 1], [2, 3]]
