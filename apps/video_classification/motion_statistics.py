"""`MotionStatistics`: a frame in about a hundred numbers that say how things move in it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from apps.video_classification import optical_flow
from apps.video_classification.motion_channels import MotionChannels

FLOW_LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # pixels a frame
CHANGE_LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4)  # of brightness from 0 to 1
CELLS = 8  # along each side of a frame
LARGEST = (2, 4, 8, 16, 32)  # places of cells by how much moves in them
FLOOR = 1e-3  # that is added before the logarithm, so that nothing at all stays finite


@keras.saving.register_keras_serializable(package="video_classification")
class MotionStatistics(MotionChannels):
    """Describes motion from the frame before by its amount, speed and order, wherever it is.

    Of the frame's brightness, of its half, of its quarter and so on, with optical flow of length
    m = √(u² + v²) (`optical_flow.one_step`) and change d = |x_t - x_{t-1}|, these numbers:

        m, d          means of power 1, 2 and 4; the share of pixels above each of `FLOW_LEVELS`
                      and `CHANGE_LEVELS`, a pixel near a level counting in part
        in 8 x 8 cells, the means of m and of d: the largest, the spread, and those at some
                      places of their order (`LARGEST`): whether it is in one place or in all
        disorder      how much longer flow is than its mean over a window, ⟨m⟩ - |⟨(u, v)⟩|: means
                      of power 1 and 2, the largest cell; people who fight move against each other
        direction     the length of the frame's mean flow, and the means of |u| and |v|

    and of each of them the logarithm. A mirrored frame has the same ones. Of the first frame they
    are those of a frame in which nothing moves. No weights; histograms of the flow, and how it
    changes, tell crowds that fight from others (Hassner et al. 2012, violent flows).

    Args:
        scales: how many sizes of the frame.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        frames: uint8 (batch, time, height, width, 3).

    Returns:
        (batch, time, 37 · scales).
    """

    def __init__(self, scales: int = 3, **options: Any) -> None:
        super().__init__(**options)
        self.scales = scales

    def _joined(self, seen: Any, before: Any) -> Any:
        leading, (height, width) = ops.shape(seen)[:2], seen.shape[2:4]
        now, before = (ops.reshape(each, (-1, height, width)) for each in (seen, before))
        found = []
        for scale in range(self.scales):
            if scale:
                before, now = optical_flow.halved(before), optical_flow.halved(now)
            found += _describe(before, now)
        numbers = ops.concatenate(found, axis=-1)
        return ops.log(ops.reshape(numbers, (*leading, numbers.shape[-1])) + FLOOR)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        direction, disorder, cells = 3, 3, 2 + len(LARGEST)
        levels = len(FLOW_LEVELS) + len(CHANGE_LEVELS)
        return (*shape[:2], self.scales * (2 * (3 + cells) + levels + disorder + direction))

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "scales": self.scales}
        return {key: config[key] for key in config.keys() - {"colour", "differences"}}


def _describe(before: Any, now: Any) -> list[Any]:
    """Numbers (n, some) of brightness (n, height, width), all at least 0."""
    u, v = optical_flow.one_step(before, now)
    length, change = _length(u, v), ops.abs(now - before)
    windows = [optical_flow.window_means(each) for each in (length, u, v)]
    disorder = ops.relu(windows[0] - _length(*windows[1:]))
    to_cells = [_averaging(extent, CELLS) for extent in now.shape[1:]]
    return [
        *_amounts(length, FLOW_LEVELS, to_cells),
        *_amounts(change, CHANGE_LEVELS, to_cells),
        *_powers(disorder)[:2],
        ops.max(_cells(disorder, to_cells), axis=-1, keepdims=True),
        _length(_mean(u), _mean(v)),
        _mean(ops.abs(u)),
        _mean(ops.abs(v)),
    ]


def _amounts(values: Any, levels: tuple[float, ...], to_cells: list[np.ndarray]) -> list[Any]:
    # Half of a level counts nothing, half as much again counts whole: no step, so that what
    # rounding does to a pixel changes next to nothing
    above = [_mean(ops.clip(values / level - 0.5, 0.0, 1.0)) for level in levels]
    ordered = ops.flip(ops.sort(_cells(values, to_cells), axis=-1), axis=-1)
    chosen = [ordered[:, place - 1 : place] for place in (1, *LARGEST)]
    return [*_powers(values), *above, *chosen, ops.std(ordered, axis=-1, keepdims=True)]


def _powers(values: Any) -> list[Any]:
    """Means of power 1, 2 and 4; by products, since a CPU takes long over powers."""
    squares = values * values
    return [_mean(values), ops.sqrt(_mean(squares)), ops.sqrt(ops.sqrt(_mean(squares * squares)))]


def _mean(values: Any) -> Any:
    return ops.mean(values, axis=(1, 2))[:, None]


def _length(u: Any, v: Any) -> Any:
    return ops.sqrt(u * u + v * v)


def _cells(values: Any, to_cells: list[np.ndarray]) -> Any:
    """The means in cells of (n, height, width): (n, cells)."""
    rows, columns = (ops.convert_to_tensor(each, values.dtype) for each in to_cells)
    found = ops.matmul(ops.matmul(rows, values), ops.transpose(columns))
    return ops.reshape(found, (-1, CELLS * CELLS))


def _averaging(extent: int, cells: int) -> np.ndarray:
    """Float [cells, extent]: how much each pixel of a line counts in the mean of each cell."""
    edges = np.arange(cells + 1) * extent / cells
    pixels = np.arange(extent)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(overlap, 0) * cells / extent
