"""Changes clips at random for a training, all frames of a clip alike, and boxes in them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apps.suite.videos.config import ChangeConfig
from apps.suite.videos.opencv import cv2

_HOW = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP  # a transform says where a new pixel comes from


class Changes(NamedTuple):
    """Changes to each clip of a batch; float64."""

    transforms: np.ndarray  # [clips, 2, 3]: (x, y, 1) of a new pixel to where it comes from
    gain: np.ndarray  # [clips], of the distance from the clip's mean
    offset: np.ndarray  # [clips], added, of the range from 0 to 255
    erased: np.ndarray  # [clips, 4]: top, left, bottom, right as shares; equal = nothing


def draw_changes(
    random: np.random.Generator,
    clips: int,
    height: int,
    width: int,
    config: ChangeConfig,
    *,
    flip: bool = False,
    erase_probability: float = 0.0,
) -> Changes:
    """Draws the changes of `clips` clips, equally many random numbers under every config."""
    flipped = (random.random(clips) < 0.5) & flip
    zoom = np.exp(
        random.uniform(-1, 1, clips) * np.log1p(config.highest_zoom_share)
    )  # above 1: the clip looks smaller
    shift = random.uniform(-1, 1, (2, clips)) * config.highest_shift_share
    gain = np.exp(random.uniform(-1, 1, clips) * np.log1p(config.highest_contrast))
    offset = random.uniform(-1, 1, clips) * config.highest_brightness * 255
    erased = _erased(random, clips, erase_probability)
    # x_old = a·x + c, about the frame's middle; pixel i has its middle at i
    across = np.where(flipped, -zoom, zoom)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    zero = np.zeros(clips)
    shift_x = middle_x - across * middle_x + shift[0] * width
    shift_y = middle_y - zoom * middle_y + shift[1] * height
    transforms = np.array([[across, zero, shift_x], [zero, zoom, shift_y]]).transpose(2, 0, 1)
    return Changes(transforms, gain, offset, erased)


def apply_changes(
    frames: np.ndarray, changes: Changes, border: int = cv2.BORDER_REFLECT
) -> np.ndarray:
    """Returns the changed clips: uint8 [clips, time, height, width, 3], as `frames`.

    What comes from beyond an edge is mirrored at it, or what another `border` of OpenCV says.
    Brightness and contrast change about the clip's own mean; an erased rectangle has that mean. An
    empty change returns the same bits.
    """
    found = np.empty_like(frames)
    height, width = frames.shape[2:4]
    levels = np.arange(256)
    for clip, altered, transform, gain, offset, erased in zip(frames, found, *changes, strict=True):
        mean = clip.mean()
        table = np.clip(np.rint((levels - mean) * gain + mean + offset), 0, 255).astype(np.uint8)
        for frame, new in zip(clip, altered, strict=True):
            cv2.warpAffine(
                frame, transform, (width, height), dst=new, flags=_HOW, borderMode=border
            )
        cv2.LUT(altered.reshape(-1, width, 3), table, dst=altered.reshape(-1, width, 3))
        top, left, bottom, right = np.rint(erased * ([height, width] * 2)).astype(int)
        altered[:, top:bottom, left:right] = np.uint8(mean)
    return found


def apply_to_boxes(boxes: np.ndarray, changes: Changes, height: int, width: int) -> np.ndarray:
    """Returns where boxes lie in the first changed clip, and may lie beyond its edges.

    Args:
        boxes: [..., 4]: left, top, right, bottom, as shares of width and height.
        changes: of the clip.
        height, width: of its frames.
    """
    (across, _, shift_x), (_, down, shift_y) = changes.transforms[0]
    size = np.array([width, height] * 2, float)
    factor, shift = np.array([across, down] * 2), np.array([shift_x, shift_y] * 2)
    # Pixel i has its middle at i, and reaches from i - 0.5 to i + 0.5
    moved = ((boxes * size - 0.5 - shift) / factor + 0.5) / size
    return moved[..., [2, 1, 0, 3]] if across < 0 else moved


def _erased(random: np.random.Generator, clips: int, probability: float) -> np.ndarray:
    """Rectangles of a fifth to a half of each side (random erasing, Zhong et al. 2020)."""
    size = random.uniform(0.2, 0.5, (clips, 2))
    corner = random.uniform(0, 1, (clips, 2)) * (1 - size)
    size *= (random.random(clips) < probability)[:, None]
    return np.concatenate([corner, corner + size], axis=1)
