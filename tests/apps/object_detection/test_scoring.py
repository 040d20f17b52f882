"""Gaps and delays are those of single objects."""

import numpy as np
import pytest

from apps.object_detection import data, scoring

BOX = np.array([0.1, 0.1, 0.5, 0.5], np.float32)


def video(tracks=0):
    frames = np.zeros((8, 4, 4, 3), np.uint8)
    boxes, labels = np.tile(BOX, (8, 1, 1)), np.zeros((8, 1), np.int32)
    everywhere = np.ones(8, bool)
    return data.Video("v", frames, boxes, labels, labels + tracks, everywhere, ~everywhere, (4, 4))


def found(scores, classes=0, shift=0.0):
    scores = np.float32(scores)[:, None]
    return scoring.Found(np.tile(BOX + shift, (8, 1, 1)), scores, np.full((8, 1), classes))


@pytest.mark.parametrize(
    ("scores", "gaps", "delay"),
    [
        ([0.9] * 8, 0, 0),
        ([0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9], 1, 2),
        ([0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.1], 2, 1),
    ],
)
def test_gaps_lie_between_frames_in_which_an_object_is_found(scores, gaps, delay):
    told = scoring.steadiness([video()], [found(scores)], 0.5)
    assert told["gaps_in_100_frames"] == pytest.approx(100 * gaps / 8)
    assert told["frames_until_found"] == delay


def test_boxes_elsewhere_or_of_another_class_find_nothing():
    assert not scoring.steadiness([video()], [found([0.9] * 8, shift=0.3)], 0.5)
    assert not scoring.steadiness([video()], [found([0.9] * 8, classes=1)], 0.5)


def test_objects_without_numbers_have_no_gaps():
    assert not scoring.steadiness([video(tracks=-1)], [found([0.9] * 8)], 0.5)
