"""Gaps, delays and jitter are those of single objects; a tracker fills gaps."""

import numpy as np
import pytest

from apps.object_detection import data, steadiness

BOX = np.array([0.1, 0.1, 0.5, 0.5], np.float32)


def video(tracks=0):
    frames = np.zeros((8, 4, 4, 3), np.uint8)
    boxes, labels = np.tile(BOX, (8, 1, 1)), np.zeros((8, 1), np.int32)
    everywhere = np.ones(8, bool)
    return data.Video("v", frames, boxes, labels, labels + tracks, everywhere, ~everywhere, (4, 4))


def found(scores, classes=0, shift=0.0):
    scores = np.float32(scores)[:, None]
    return steadiness.Found(np.tile(BOX + shift, (8, 1, 1)), scores, np.full((8, 1), classes))


@pytest.mark.parametrize(
    ("scores", "gaps", "delay"),
    [
        ([0.9] * 8, 0, 0),
        ([0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9], 1, 2),
        ([0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.1], 2, 1),
    ],
)
def test_gaps_lie_between_frames_in_which_an_object_is_found(scores, gaps, delay):
    told = steadiness.of([video()], [found(scores)], 0.5)
    assert told["gaps_in_100_frames"] == pytest.approx(100 * gaps / 8)
    assert told["frames_until_found"] == delay


def test_boxes_elsewhere_or_of_another_class_find_nothing():
    assert not steadiness.of([video()], [found([0.9] * 8, shift=0.3)], 0.5)
    assert not steadiness.of([video()], [found([0.9] * 8, classes=1)], 0.5)


def test_objects_without_numbers_have_no_gaps():
    assert not steadiness.of([video(tracks=-1)], [found([0.9] * 8)], 0.5)


def test_the_longest_gap_is_that_of_an_object():
    told = steadiness.of([video()], [found([0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9])], 0.5)
    assert told["longest_gap"] == 3
    assert told["found_share"] == 0.5


def test_jitter_is_the_change_of_the_error_and_not_the_error():
    off = found([0.9] * 8, shift=0.05)
    assert steadiness.of([video()], [off], 0.5)["jitter_in_pixels"] == pytest.approx(0, abs=1e-6)
    shaking = found([0.9] * 8)._replace(
        boxes=np.tile(BOX, (8, 1, 1)) + np.float32([0, 0.05] * 4)[:, None, None]
    )
    told = steadiness.of([video()], [shaking], 0.5)["jitter_in_pixels"]
    assert told == pytest.approx(0.05 * np.sqrt(2) * 4, rel=1e-4)  # of 4 pixels


def test_a_tracker_fills_gaps_of_up_to_five_frames_and_invents_nothing_before():
    lost = found([0.1, 0.9, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1])
    told = steadiness.of([video()], [steadiness.tracked(lost, 0.5)], 0.5)
    assert told["gaps_in_100_frames"] == 0
    assert told["frames_until_found"] == 1
    assert told["found_share"] == pytest.approx(7 / 8)
