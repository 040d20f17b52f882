"""Gives the boxes of one object the same number from frame to frame."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import optimize

from apps.object_detection import measures

_LEAST_OVERLAP = 0.2
_MOST_LOST = 5  # frames after which an object that is not found is forgotten


@dataclasses.dataclass
class _Followed:
    number: int
    box: np.ndarray
    expected: np.ndarray
    speed: np.ndarray
    lost: int = 0  # frames since it was found


class Tracker:
    """Follows objects by the overlap of their boxes, along a straight line where they are lost.

    Objects and boxes are paired so that the overlaps' sum is highest (Bewley et al. 2016, "Simple
    online and realtime tracking", without its filter).
    """

    def __init__(self) -> None:
        self._next = 1
        self._objects: list[_Followed] = []

    def lost(self) -> dict[int, np.ndarray]:
        """Returns number and expected box [4] of the objects that the last frame did not show."""
        return {each.number: each.box for each in self._objects if each.lost}

    def follow(self, boxes: np.ndarray) -> list[int]:
        """Returns the number of each box [n, 4] of the next frame, whatever its label."""
        boxes = np.asarray(boxes, float).reshape(-1, 4)
        for each in self._objects:
            each.expected, each.lost = each.box + each.speed, each.lost + 1
        expected = np.array([each.expected for each in self._objects]).reshape(-1, 4)
        lie = measures.overlap(expected, boxes)
        own, other = optimize.linear_sum_assignment(-lie)
        paired = {at: self._objects[mine] for mine, at in zip(own, other, strict=True)
                  if lie[mine, at] >= _LEAST_OVERLAP}  # fmt: skip
        numbers = []
        for at, box in enumerate(boxes):
            if at in paired:
                mine = paired[at]
                mine.speed = 0.5 * mine.speed + 0.5 * (box - mine.box)
                mine.expected, mine.lost = box, 0
            else:
                mine = _Followed(self._next, box, box, np.zeros(4))
                self._objects.append(mine)
                self._next += 1
            numbers.append(mine.number)
        self._objects = [each for each in self._objects if each.lost <= _MOST_LOST]
        for each in self._objects:
            each.box = each.expected
        return numbers
