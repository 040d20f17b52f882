"""One clip of digits that drift over still clutter, with frames that fail, and its boxes.

A box is that of the pixels that can be seen of a digit in the frame as it was before it failed.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

FRAMES = 16
SIZE = 64  # pixels, height and width
MOST_DIGITS = 4
FAILURES = ("none", "noise", "blackout", "blur", "bar")

_TEMPLATE = 24  # pixels of a smoothly enlarged digit
_WINDOW = 28  # pixels of the square in which a digit is drawn
_SEEN = 0.35  # cover from which a pixel belongs to a digit
_VISIBLE = 0.3  # share of its pixels below which a digit counts as hidden
_FIRST_FAILURE = 2  # frames at the start that never fail, so that there is something to remember


class Rendered(NamedTuple):
    """A clip and all that is in it."""

    frames: np.ndarray  # uint8 [FRAMES, SIZE, SIZE, 1]
    boxes: np.ndarray  # float32 [digits, FRAMES, 4]: left, top, right, bottom, in pixels
    hidden: np.ndarray  # bool [digits, FRAMES]: behind other digits, but for a small part
    failed: np.ndarray  # int64 [FRAMES], places in FAILURES


def render(digits: np.ndarray, halves: np.ndarray, random: np.random.Generator) -> Rendered:
    """Draws a clip.

    Args:
        digits: float [count, 8, 8], 0 to 16, that drift; a later one is in front of an earlier one.
        halves: float [count, 8, 8], of which half of each stands still, as clutter.
        random: all else is drawn from it.
    """
    ground, lighter = _ground(random)
    scene = np.repeat(ground[None], FRAMES, axis=0)
    for half in halves:
        side = slice(0, 4) if random.random() < 0.5 else slice(4, 8)
        cut = half.copy()
        cut[side] = 0
        place = np.repeat(random.uniform(8, SIZE - 8, (1, 2)), FRAMES, axis=0)
        _draw(scene, cut, place, random.uniform(10, 22), _shade(lighter, random))
    covers = []
    for digit in digits:
        size = random.uniform(10, 22)
        covers.append(_draw(scene, digit, _path(size, random), size, _shade(lighter, random)))
    boxes = np.zeros((len(digits), FRAMES, 4), np.float32)
    hidden = np.zeros((len(digits), FRAMES), bool)
    in_front = np.zeros((FRAMES, SIZE, SIZE), bool)
    for number in reversed(range(len(digits))):
        whole = covers[number] >= _SEEN
        visible = whole & ~in_front
        in_front |= whole
        for frame in range(FRAMES):
            share = visible[frame].sum() / whole[frame].sum()
            hidden[number, frame] = share < _VISIBLE
            boxes[number, frame] = _box(whole[frame] if share < _VISIBLE else visible[frame])
    scene += random.normal(0, random.uniform(0.01, 0.04), scene.shape)
    failed = _fail(scene, random)
    frames = np.rint(np.clip(scene, 0, 1) * 255).astype(np.uint8)
    return Rendered(frames[..., None], boxes, hidden, failed)


def _path(size: float, random: np.random.Generator) -> np.ndarray:
    """Returns middles, down and across, float [FRAMES, 2]: straight on, and back at an edge."""
    margin = size / 2 + 1
    room = SIZE - 2 * margin
    speed, angle = random.uniform(0.5, 2.5), random.uniform(0, 2 * np.pi)
    step = speed * np.array([np.sin(angle), np.cos(angle)])
    way = (random.uniform(0, room, 2) + np.arange(FRAMES)[:, None] * step) % (2 * room)
    return margin + np.where(way > room, 2 * room - way, way)


def _draw(
    scene: np.ndarray, digit: np.ndarray, path: np.ndarray, size: float, shade: float
) -> np.ndarray:
    """Draws a digit into a scene [FRAMES, SIZE, SIZE]; returns how much it covers each pixel."""
    template = np.pad(ndimage.zoom(digit / 16, _TEMPLATE / 8, order=3, mode="nearest"), 2)
    corner = np.floor(path).astype(int) - _WINDOW // 2
    grid = np.arange(_WINDOW) + 0.5
    scale, middle = _TEMPLATE / size, (len(template) - 1) / 2
    down, across = (
        (grid + corner[:, axis, None] - path[:, axis, None]) * scale + middle for axis in (0, 1)
    )
    shape = (FRAMES, _WINDOW, _WINDOW)
    places = [np.broadcast_to(down[:, :, None], shape), np.broadcast_to(across[:, None], shape)]
    window = np.clip(ndimage.map_coordinates(template, places, order=1), 0, 1)
    around = np.zeros((FRAMES, SIZE + 2 * _WINDOW, SIZE + 2 * _WINDOW))
    for frame, (top, left) in enumerate(corner + _WINDOW):
        around[frame, top : top + _WINDOW, left : left + _WINDOW] = window[frame]
    cover = around[:, _WINDOW:-_WINDOW, _WINDOW:-_WINDOW]
    scene += cover * (shade - scene)
    return cover


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Returns the smallest box around a mask: left, top, right, bottom, the ends one after."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _ground(random: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Returns a smooth random texture, and whether what stands on it is lighter."""
    coarse = ndimage.gaussian_filter(random.normal(0, 1, (SIZE, SIZE)), random.uniform(2, 6))
    lighter = bool(random.random() < 0.5)
    grey = random.uniform(0.1, 0.45) if lighter else random.uniform(0.55, 0.9)
    return np.clip(grey + coarse * random.uniform(0.02, 0.06) / coarse.std(), 0, 1), lighter


def _shade(lighter: bool, random: np.random.Generator) -> float:
    return random.uniform(0.8, 1.0) if lighter else random.uniform(0.0, 0.2)


def _fail(scene: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Spoils two to five frames of a scene in place, each in its own way; returns which and how."""
    failed = np.zeros(FRAMES, np.int64)
    count = random.integers(2, 6)
    places = random.choice(np.arange(_FIRST_FAILURE, FRAMES), count, replace=False)
    for frame in np.sort(places):
        kind = int(random.integers(1, len(FAILURES)))
        failed[frame] = kind
        picture = scene[frame]
        match FAILURES[kind]:
            case "noise":
                picture[:] = 0.15 * picture + random.uniform(0, 0.85, picture.shape)
            case "blackout":
                picture *= random.uniform(0, 0.05)
            case "blur":
                picture[:] = ndimage.gaussian_filter(picture, random.uniform(4, 7))
            case "bar":
                width = int(random.integers(24, 41))
                first = int(random.integers(0, SIZE - width))
                turned = picture if random.random() < 0.5 else picture.T
                turned[first : first + width] = random.uniform(0, 1)
    return failed
