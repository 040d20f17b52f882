"""Gives the boxes of one object the same number from frame to frame."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from apps.object_detection import measures

_LEAST_OVERLAP = 0.2
_MOST_LOST = 5  # frames after which an object that is not found is forgotten


class Tracker:
    """Follows objects by the overlap of their boxes, along a straight line where they are lost.

    Objects and boxes are paired so that the overlaps' sum is highest (Bewley et al. 2016, "Simple
    online and realtime tracking", without its filter).
    """

    def __init__(self) -> None:
        self._next = 1
        self._numbers: list[int] = []
        self._boxes = np.zeros((0, 4))
        self._speeds = np.zeros((0, 4))
        self._lost = np.zeros(0, int)

    def lost(self) -> dict[int, np.ndarray]:
        """Returns number and expected box [4] of the objects that the last frame did not show."""
        return {
            number: box
            for number, box, lost in zip(self._numbers, self._boxes, self._lost, strict=True)
            if lost
        }

    def follow(self, boxes: np.ndarray) -> list[int]:
        """Returns the number of each box [n, 4] of the next frame, whatever its label."""
        expected = self._boxes + self._speeds
        lie = measures.overlap(expected, np.asarray(boxes, float).reshape(-1, 4))
        own, other = optimize.linear_sum_assignment(-lie)
        paired = {int(at): int(mine) for mine, at in zip(own, other, strict=True)
                  if lie[mine, at] >= _LEAST_OVERLAP}  # fmt: skip
        moved, lost = expected.copy(), self._lost + 1
        numbers: list[int] = []
        more_numbers, more_boxes = list[int](), list[np.ndarray]()
        for at, box in enumerate(boxes):
            if at in paired:
                mine = paired[at]
                step = box - self._boxes[mine]
                self._speeds[mine] = 0.5 * self._speeds[mine] + 0.5 * step
                moved[mine], lost[mine] = box, 0
                numbers.append(self._numbers[mine])
            else:
                numbers.append(self._next)
                more_numbers.append(self._next)
                more_boxes.append(np.asarray(box, float))
                self._next += 1
        kept = lost <= _MOST_LOST
        fresh = np.array(more_boxes).reshape(-1, 4)
        self._numbers = [n for n, keep in zip(self._numbers, kept, strict=True) if keep]
        self._numbers += more_numbers
        self._boxes = np.concatenate([moved[kept], fresh])
        self._speeds = np.concatenate([self._speeds[kept], np.zeros_like(fresh)])
        self._lost = np.concatenate([lost[kept], np.zeros(len(fresh), int)])
        return numbers
