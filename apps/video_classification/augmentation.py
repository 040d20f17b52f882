"""One random change for all frames of a clip: nothing moves that did not move before."""

from typing import NamedTuple

import numpy as np

from apps.opencv import cv2
from apps.video_classification.config import AugmentationConfig

_HOW = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP  # a transform says where a new pixel comes from
_MIRRORED = cv2.BORDER_REFLECT


class Changes(NamedTuple):
    """What is done to each clip of a batch; float64."""

    transforms: np.ndarray  # [clips, 2, 3]: (x, y, 1) of a new pixel to where it comes from
    gain: np.ndarray  # [clips], of the distance from the clip's mean
    offset: np.ndarray  # [clips], added, of the range from 0 to 255
    erased: np.ndarray  # [clips, 4]: top, left, bottom, right as shares; equal = nothing


def draw(
    random: np.random.Generator, clips: int, height: int, width: int, config: AugmentationConfig
) -> Changes:
    """Changes for so many clips; all that `random` gives is drawn whatever the config says."""
    flipped = (random.random(clips) < 0.5) & config.flip
    zoom = np.exp(
        random.uniform(-1, 1, clips) * np.log1p(config.highest_zoom_share)
    )  # above 1: the clip looks smaller
    shift = random.uniform(-1, 1, (2, clips)) * config.highest_shift_share
    gain = np.exp(random.uniform(-1, 1, clips) * np.log1p(config.highest_contrast))
    offset = random.uniform(-1, 1, clips) * config.highest_brightness * 255
    erased = _erased(random, clips, config.erase_probability)
    # x_old = a·x + c, about the frame's middle; pixel i has its middle at i
    across = np.where(flipped, -zoom, zoom)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    zero = np.zeros(clips)
    shift_x = middle_x - across * middle_x + shift[0] * width
    shift_y = middle_y - zoom * middle_y + shift[1] * height
    transforms = np.array([[across, zero, shift_x], [zero, zoom, shift_y]]).transpose(2, 0, 1)
    return Changes(transforms, gain, offset, erased)


def apply(frames: np.ndarray, changes: Changes) -> np.ndarray:
    """The changed clips: uint8 [clips, time, height, width, 3], as `frames`.

    What comes from beyond an edge is mirrored at it. Brightness and contrast change about the
    clip's own mean; what is erased has that mean. A change of nothing gives back the same bits.
    """
    found = np.empty_like(frames)
    height, width = frames.shape[2:4]
    levels = np.arange(256)
    for clip, altered, transform, gain, offset, erased in zip(frames, found, *changes, strict=True):
        mean = clip.mean()
        table = np.clip(np.rint((levels - mean) * gain + mean + offset), 0, 255).astype(np.uint8)
        for frame, new in zip(clip, altered, strict=True):
            cv2.warpAffine(
                frame, transform, (width, height), dst=new, flags=_HOW, borderMode=_MIRRORED
            )
        cv2.LUT(altered.reshape(-1, width, 3), table, dst=altered.reshape(-1, width, 3))
        top, left, bottom, right = np.rint(erased * ([height, width] * 2)).astype(int)
        altered[:, top:bottom, left:right] = np.uint8(mean)
    return found


def _erased(random: np.random.Generator, clips: int, probability: float) -> np.ndarray:
    """Rectangles of a fifth to a half of each side (random erasing, Zhong et al. 2020)."""
    size = random.uniform(0.2, 0.5, (clips, 2))
    corner = random.uniform(0, 1, (clips, 2)) * (1 - size)
    size *= (random.random(clips) < probability)[:, None]
    return np.concatenate([corner, corner + size], axis=1)
