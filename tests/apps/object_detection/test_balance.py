"""Rare classes and objects that are seldom in sight are drawn as often as others."""

import collections

import numpy as np

from apps.object_detection import balance, data


def video(labels, tracks):
    labels, tracks = np.int32(labels), np.int32(tracks)
    count = len(labels)
    boxes = np.float32(np.arange(labels.size * 4).reshape(*labels.shape, 4))
    frames, seen = np.zeros((count, 4, 4, 3), np.uint8), np.ones(count, bool)
    return data.Video("v", frames, boxes, labels, tracks, seen, ~seen, (4, 4))


LONG = video([[0, 0]] * 50, [[1, 2]] * 50)
SHORT = video([[-1, 2], [0, -2], [-1, -1]], [[1, 1], [3, 1], [1, 1]])


def test_classes_and_their_objects_are_drawn_alike_often_and_hidden_ones_never():
    objects = balance.Objects([LONG, SHORT])
    random = np.random.default_rng(0)
    drawn = [objects.draw(random) for _ in range(1200)]
    videos = [LONG, SHORT]
    kinds, single = collections.Counter(), collections.Counter()
    for video, frame, box in drawn:
        (at,) = np.flatnonzero((videos[video].boxes[frame] == box).all(axis=-1))
        kind, track = videos[video].labels[frame, at], videos[video].tracks[frame, at]
        kinds[kind] += 1
        single[video, kind, track] += 1
    assert set(kinds) == {0, 2}
    assert abs(kinds[2] - 600) < 80
    for each in ((0, 0, 1), (0, 0, 2), (1, 0, 3)):
        assert abs(single[each] - 200) < 60
