"""Objects are told apart by size and by place in the video, and boxes of other sizes left out."""

import numpy as np

from apps.object_detection import data, scoring


def video(sides=(2, 4, 8), frames=4):
    """Objects of some sides in 16 x 16 pixels, all of one class."""
    boxes = np.float32(
        [[0, at / 4, side / 16, at / 4 + side / 16] for at, side in enumerate(sides)]
    )
    boxes = np.tile(boxes, (frames, 1, 1))
    labels = np.zeros((frames, len(sides)), np.int32)
    everywhere = np.ones(frames, bool)
    pixels = np.zeros((frames, 4, 4, 3), np.uint8)
    return data.Video("v", pixels, boxes, labels, labels, everywhere, ~everywhere, (16, 16))


def found(of, scores):
    scores = np.broadcast_to(np.float32(scores), of.labels.shape)
    return scoring.Found(of.boxes, scores, of.labels)


def test_sizes_are_measured_apart():
    given = video()
    parts = scoring.by_size([given], [found(given, [0.9, 0, 0.8])], 1)
    assert [(part.objects, part.ap50) for part in parts] == [(4, 1), (4, 0), (4, 1)]


def test_objects_of_one_size_are_one_part():
    given = video(sides=(4, 4, 4))
    parts = scoring.by_size([given], [found(given, 0.9)], 1)
    assert [(part.objects, part.ap50) for part in parts] == [(12, 1)]


def test_a_false_box_counts_among_those_of_its_size_alone():
    given = video()
    its = found(given, [0.5, 0.5, 0.5])
    boxes = its.boxes.copy()
    boxes[:, 0] += 0.5  # the smallest one finds nothing
    parts = scoring.by_size([given], [its._replace(boxes=boxes)], 1)
    assert [part.ap50 for part in parts] == [0, 1, 1]


def test_quarters_of_the_video_are_measured_apart():
    given = video(frames=8)
    scores = np.where(np.arange(8) < 6, 0.9, 0.0)[:, None]
    parts = scoring.by_place([given], [found(given, scores)], 1)
    assert [(part.objects, part.ap50) for part in parts] == [(6, 1), (6, 1), (6, 1), (6, 0)]


def test_the_threshold_is_the_one_with_the_best_balance_of_false_and_missed_boxes():
    given = video()
    its = found(given, [0.9, 0.7, 0.4])
    boxes = its.boxes.copy()
    boxes[:, 2] += 0.5
    told = scoring.of_validation([given], [its._replace(boxes=boxes)], 1)
    assert told["threshold"] == 0.45
