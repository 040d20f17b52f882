"""One clip of a digit in motion over a textured background.

The plane is a torus: what leaves at one edge comes in at the other. In every single frame the
digit's place is uniform over the plane, its angle uniform over the circle and its size of one and
the same distribution, whatever the motion: a frame by itself tells nothing of the label.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

MOTIONS = ("right", "left", "up", "down", "circle", "bounce", "zoom", "rotate", "still")
FRAMES = 16
SIZE = 32  # pixels, height and width

_DISTRACTOR_SHARE = 0.4  # of the clips have a second digit, that stands still or trembles
_OCCLUDED_SHARE = 0.4  # have a bar before everything
_ZOOM = 0.32  # a size is its middle times exp(±this)
_TEMPLATE = 24  # pixels of a smoothly enlarged digit
_DIRECTIONS = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}


class Rendered(NamedTuple):
    """A clip, and what is in it beside the digit that moves."""

    frames: np.ndarray  # uint8 [FRAMES, SIZE, SIZE, 3]
    distractor: bool
    occluded: bool


class _Pose(NamedTuple):
    """Where a digit is in each frame; float64 [FRAMES] each."""

    across: np.ndarray  # of its middle, pixels from the left edge, modulo SIZE
    down: np.ndarray  # from the upper edge
    angle: np.ndarray  # radians
    size: np.ndarray  # pixels, height and width


def render(
    motion: str, digit: np.ndarray, other: np.ndarray, random: np.random.Generator
) -> Rendered:
    """Draws a clip.

    Args:
        motion: one of MOTIONS.
        digit: float [8, 8], 0 to 16, that moves.
        other: float [8, 8], the second digit, where there is one.
        random: all that is not said by the others is drawn from it, the same for every motion.
    """
    distractor = bool(random.random() < _DISTRACTOR_SHARE)
    occluded = bool(random.random() < _OCCLUDED_SHARE)
    frames = np.repeat(_background(random)[None], FRAMES, axis=0)
    if distractor:
        trembling = random.choice([0.0, 0.0, 0.7])
        frames = _drawn(frames, other, _standing(random, trembling), random)
    frames = _drawn(frames, digit, _moving(motion, random), random)
    if occluded:
        frames = _behind_a_bar(frames, random)
    flicker = 1 + random.normal(0, 0.02, (FRAMES, 1, 1, 1))
    noise = random.normal(0, random.uniform(0.01, 0.05), frames.shape)
    content = np.clip(frames * flicker + noise, 0, 1)
    return Rendered(np.rint(content * 255).astype(np.uint8), distractor, occluded)


def _standing(random: np.random.Generator, trembling: float = 0.0) -> _Pose:
    """A digit that stays where it is, or trembles by so many pixels."""
    still = np.ones(FRAMES)
    across, down = random.uniform(0, SIZE, 2)
    angle, phase = random.uniform(0, 2 * np.pi, 2)
    middle = random.uniform(12, 16)
    shaken = random.normal(0, 1, (2, FRAMES)) * trembling
    return _Pose(
        across * still + shaken[0],
        down * still + shaken[1],
        angle * still,
        middle * np.exp(_ZOOM * np.sin(phase)) * still,
    )


def _moving(motion: str, random: np.random.Generator) -> _Pose:
    """The pose of `_standing`, to which the motion is added."""
    time = np.arange(FRAMES)
    pose = _standing(random)
    share = time / FRAMES
    way = random.choice([-1, 1])
    phase = random.uniform(0, 2 * np.pi)
    if motion in _DIRECTIONS:
        # A wrong heading of up to 15 degrees, and a speed that swells and falls
        speed, heading = random.uniform(1.0, 2.4), random.uniform(-1, 1) * np.pi / 12
        path = speed * (time + random.uniform(0, 1.5) * np.sin(share * 2 * np.pi + phase))
        along = np.array(_DIRECTIONS[motion])
        beside = np.array([-along[1], along[0]])
        step = along * np.cos(heading) + beside * np.sin(heading)
        return pose._replace(across=pose.across + step[0] * path, down=pose.down + step[1] * path)
    if motion == "circle":
        turns, radius = random.uniform(0.9, 1.8), random.uniform(4, 8)
        angle = phase + way * 2 * np.pi * turns * share
        return pose._replace(
            across=pose.across + radius * np.cos(angle), down=pose.down + radius * np.sin(angle)
        )
    if motion == "bounce":
        hops, height = random.uniform(1.5, 3.0), random.uniform(6, 12)
        place = (phase / (2 * np.pi) + hops * share) % 1  # within a hop
        return pose._replace(down=pose.down - height * 4 * place * (1 - place))
    if motion == "zoom":
        cycles = random.uniform(1.0, 2.0)
        middle = random.uniform(12, 16)
        swing = np.sin(phase + 2 * np.pi * cycles * share)
        return pose._replace(size=middle * np.exp(_ZOOM * swing))
    if motion == "rotate":
        turns = random.uniform(0.7, 1.8)
        return pose._replace(angle=pose.angle + way * 2 * np.pi * turns * share)
    assert motion == "still", motion
    return pose


def _drawn(
    frames: np.ndarray, digit: np.ndarray, pose: _Pose, random: np.random.Generator
) -> np.ndarray:
    """The frames, float [FRAMES, SIZE, SIZE, 3], with the digit in one colour over them."""
    template = np.pad(ndimage.zoom(digit / 16, _TEMPLATE / 8, order=3, mode="nearest"), 2)
    grid = np.arange(SIZE) + 0.5
    # From the digit's middle to each pixel, the short way round
    across = (grid - pose.across[:, None] + SIZE / 2) % SIZE - SIZE / 2
    down = (grid - pose.down[:, None] + SIZE / 2) % SIZE - SIZE / 2
    across, down = across[:, None, :], down[:, :, None]
    cosine, sine = (turn(pose.angle)[:, None, None] for turn in (np.cos, np.sin))
    scale = (_TEMPLATE / pose.size)[:, None, None]
    middle = (len(template) - 1) / 2
    places = np.stack(
        [
            (down * cosine - across * sine) * scale + middle,
            (down * sine + across * cosine) * scale + middle,
        ]
    )
    cover = np.clip(ndimage.map_coordinates(template, places, order=1), 0, 1)[..., None]
    return frames * (1 - cover) + _colour(frames[0].mean(axis=(0, 1)), random) * cover


def _colour(background: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Lighter or darker than the background: float [3]."""
    grey = background.mean()
    lighter = grey < random.uniform(0.4, 0.6)  # where there is more room
    away = random.uniform(0.3, 0.5)
    return np.clip(grey + (away if lighter else -away) + random.uniform(-0.12, 0.12, 3), 0, 1)


def _background(random: np.random.Generator) -> np.ndarray:
    """Smooth random texture over a slope of light: float [SIZE, SIZE, 3]."""
    coarse = ndimage.gaussian_filter(
        random.normal(0, 1, (SIZE, SIZE, 3)), (random.uniform(1, 4),) * 2 + (0,), mode="wrap"
    )
    coarse *= random.uniform(0.02, 0.09) / coarse.std()
    slope = np.linspace(-0.5, 0.5, SIZE)
    light = random.uniform(-0.2, 0.2, 2)
    plane = light[0] * slope[:, None] + light[1] * slope
    tint = random.uniform(0.25, 0.75) + random.uniform(-0.08, 0.08, 3)
    return np.clip(tint + coarse + plane[..., None], 0, 1)


def _behind_a_bar(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The frames with a bar of 2 to 5 pixels across them, upright or lying."""
    width = int(random.integers(2, 6))
    first = int(random.integers(0, SIZE - width))
    colour = random.uniform(0.1, 0.9) + random.uniform(-0.1, 0.1, 3)
    held = frames.copy()
    if random.random() < 0.5:
        held[:, :, first : first + width] = np.clip(colour, 0, 1)
    else:
        held[:, first : first + width] = np.clip(colour, 0, 1)
    return held
