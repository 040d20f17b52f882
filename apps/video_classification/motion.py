"""Describes motion: frame differences as channels, and optical flow in about a hundred numbers.

The optical flow from one frame to the next takes one least-squares step (Lucas and Kanade 1981).
All pixels of a small window about a pixel are taken to move alike, by (u, v) pixels. To first
order a moving pixel keeps its brightness, I_x u + I_y v + I_t = 0; over a window, with means ⟨⟩,

    [⟨I_x I_x⟩ + r    ⟨I_x I_y⟩    ] [u]     [⟨I_x I_t⟩]
    [⟨I_x I_y⟩        ⟨I_y I_y⟩ + r] [v] = - [⟨I_y I_t⟩]

The regularisation r leaves the flow at 0 in places without texture. One step sees
motion of about a pixel; in a frame of half the size it may be twice as fast.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey (ITU-R BT.601)
DIFFERENCE_GAIN = 4.0
"""Differences are small beside the pixels themselves; so they learn at the same pace."""


@keras.saving.register_keras_serializable(package="video_classification")
class MotionChannels(keras.layers.Layer):
    """Grey or colour, from -0.5 to 0.5, and 4 (x_t - x_{t-1}); the first difference is zero.

    Args:
        colour: three channels; else one, of the frame's brightness.
        differences: those to the frame before as further channels.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        frames: uint8 (batch, time, height, width, 3).

    Returns:
        (batch, time, height, width, channels).
    """

    def __init__(self, colour: bool = False, differences: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.colour = colour
        self.differences = differences

    def build(self, _: Any) -> None:
        self.built = True

    def call(self, frames: Any) -> Any:
        seen = self.seen(frames)
        before = ops.concatenate([seen[:, :1], seen[:, :-1]], axis=1)
        return self._joined(seen, before)

    def seen(self, frames: Any) -> Any:
        """Returns the frames without differences, (batch, time, height, width, 1 or 3)."""
        frames = ops.cast(frames, self.compute_dtype) / 255.0
        if not self.colour:
            frames = ops.sum(frames * ops.cast(_LUMA, frames.dtype), axis=-1, keepdims=True)
        return frames - 0.5

    def chunk(self, frames: Any, previous: Any, started: Any) -> tuple[Any, Any]:
        """Computes a call's result for the next frames of a stream.

        Args:
            frames: uint8 (batch, time, height, width, 3), any number of frames.
            previous: (batch, height, width, channels seen), the frame before them as seen.
            started: (batch,), 0 where there is none before.

        Returns:
            (batch, time, height, width, channels), and the last frame as seen.
        """
        seen = self.seen(frames)
        is_first = ops.reshape(started, (-1, 1, 1, 1, 1)) == 0
        first = ops.where(is_first, seen[:, :1], previous[:, None])
        behind = ops.concatenate([first, seen], axis=1)
        # Without a frame `first` is empty where previous should stay, so it comes once more
        kept = ops.concatenate([previous[:, None], seen], axis=1)[:, -1]
        return self._joined(seen, behind[:, : ops.shape(seen)[1]]), kept

    def _joined(self, seen: Any, before: Any) -> Any:
        if not self.differences:
            return seen
        return ops.concatenate([seen, DIFFERENCE_GAIN * (seen - before)], axis=-1)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        channels = (3 if self.colour else 1) * (2 if self.differences else 1)
        return (*shape[:-1], channels)

    def get_config(self) -> dict[str, Any]:
        own = {"colour": self.colour, "differences": self.differences}
        return {**super().get_config(), **own}


_REACH = 2  # pixels that a window goes to each side
_REGULARISATION = 1e-3  # of squared brightness, which goes from 0 to 1, a squared pixel
_HIGHEST_PIXELS = 4.0  # of u and v: further a first order does not see


def one_step(before: Any, now: Any) -> tuple[Any, Any]:
    """Computes the flow at every pixel.

    Args:
        before, now: brightness, float32 (n, height, width), the extents static.

    Returns:
        u to the right and v down, each (n, height, width), in pixels.
    """
    right, down = gradients((before + now) / 2)
    later = now - before
    xx = window_means(right * right) + _REGULARISATION
    yy = window_means(down * down) + _REGULARISATION
    xy = window_means(right * down)
    xt, yt = window_means(right * later), window_means(down * later)
    determinant = xx * yy - xy * xy  # at least the regularisation squared
    u, v = (xy * yt - yy * xt) / determinant, (xy * xt - xx * yt) / determinant
    return ops.clip(u, -_HIGHEST_PIXELS, _HIGHEST_PIXELS), ops.clip(
        v, -_HIGHEST_PIXELS, _HIGHEST_PIXELS
    )


def gradients(seen: Any) -> tuple[Any, Any]:
    """Computes gradients to the right and down, by Sobel's operator, in brightness per pixel."""
    edged = ops.pad(seen, [[0, 0], [1, 1], [1, 1]], "symmetric")
    smooth_down = (edged[:, :-2] + 2 * edged[:, 1:-1] + edged[:, 2:]) / 4
    smooth_right = (edged[:, :, :-2] + 2 * edged[:, :, 1:-1] + edged[:, :, 2:]) / 4
    right = (smooth_down[:, :, 2:] - smooth_down[:, :, :-2]) / 2
    down = (smooth_right[:, 2:] - smooth_right[:, :-2]) / 2
    return right, down


def window_means(values: Any) -> Any:
    """Computes the mean over the window about each pixel of (n, height, width), 0 beyond the edge.

    Sums of slices: on a CPU ten times as fast as pooling.
    """
    height, width = values.shape[1:]
    size = 2 * _REACH + 1
    edged = ops.pad(values, [[0, 0], [_REACH, _REACH], [0, 0]])
    rows = sum(edged[:, each : each + height] for each in range(size))
    edged = ops.pad(rows, [[0, 0], [0, 0], [_REACH, _REACH]])
    return sum(edged[:, :, each : each + width] for each in range(size)) / size**2


def halved(seen: Any) -> Any:
    """Means of 2 x 2 pixels of (n, height, width); an odd last row or column counts twice."""
    odd = [[0, 0], *([0, extent % 2] for extent in seen.shape[1:])]
    seen = ops.pad(seen, odd, "symmetric")
    across = (seen[:, :, ::2] + seen[:, :, 1::2]) / 2
    return (across[:, ::2] + across[:, 1::2]) / 2


FLOW_LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # pixels a frame
CHANGE_LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4)  # of brightness from 0 to 1
CELLS = 8  # along each side of a frame
LARGEST = (2, 4, 8, 16, 32)  # places of cells by how much moves in them
FLOOR = 1e-3  # that is added before the logarithm, so that nothing at all stays finite


@keras.saving.register_keras_serializable(package="video_classification")
class MotionStatistics(MotionChannels):
    """Describes motion from the frame before by its amount, speed and order, wherever it is.

    Of the frame's brightness, of its half, of its quarter and so on, with optical flow of length
    m = √(u² + v²) (`motion.one_step`) and change d = |x_t - x_{t-1}|, these numbers:

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
                before, now = halved(before), halved(now)
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
    u, v = one_step(before, now)
    length, change = _length(u, v), ops.abs(now - before)
    windows = [window_means(each) for each in (length, u, v)]
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
    """Computes the means in cells of (n, height, width): (n, cells)."""
    rows, columns = (ops.convert_to_tensor(each, values.dtype) for each in to_cells)
    found = ops.matmul(ops.matmul(rows, values), ops.transpose(columns))
    return ops.reshape(found, (-1, CELLS * CELLS))


def _averaging(extent: int, cells: int) -> np.ndarray:
    """Returns float [cells, extent], the weight of each pixel of a line in each cell's mean."""
    edges = np.arange(cells + 1) * extent / cells
    pixels = np.arange(extent)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(overlap, 0) * cells / extent
