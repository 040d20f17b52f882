"""Optical flow from one frame to the next, by one least-squares step (Lucas and Kanade 1981).

About every pixel all others of a small window are taken to move alike, by (u, v) pixels. To first
order a moving pixel keeps its brightness, I_x u + I_y v + I_t = 0; over a window, with means ⟨⟩,

    [⟨I_x I_x⟩ + r    ⟨I_x I_y⟩    ] [u]     [⟨I_x I_t⟩]
    [⟨I_x I_y⟩        ⟨I_y I_y⟩ + r] [v] = - [⟨I_y I_t⟩]

The regularisation r leaves the flow at 0 where there is no texture to see it by. One step sees
motion of about a pixel; in a frame of half the size it may be twice as fast.
"""

from __future__ import annotations

from typing import Any

from keras import ops

_REACH = 2  # pixels that a window goes to each side
_REGULARISATION = 1e-3  # of squared brightness, which goes from 0 to 1, a squared pixel
_HIGHEST_PIXELS = 4.0  # of u and v: further a first order does not see


def one_step(before: Any, now: Any) -> tuple[Any, Any]:
    """The flow at every pixel.

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
    """To the right and down, by Sobel's operator; 1 where brightness grows by 1 a pixel."""
    edged = ops.pad(seen, [[0, 0], [1, 1], [1, 1]], "symmetric")
    smooth_down = (edged[:, :-2] + 2 * edged[:, 1:-1] + edged[:, 2:]) / 4
    smooth_right = (edged[:, :, :-2] + 2 * edged[:, :, 1:-1] + edged[:, :, 2:]) / 4
    right = (smooth_down[:, :, 2:] - smooth_down[:, :, :-2]) / 2
    down = (smooth_right[:, 2:] - smooth_right[:, :-2]) / 2
    return right, down


def window_means(values: Any) -> Any:
    """The mean over the window about each pixel of (n, height, width), beyond the edge 0.

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
