"""Config group for choosing and resizing the frames of a clip."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ClipConfig:
    frames: int = 16  # of a clip that the model sees, spread over it
    height: int = 32  # pixels of every frame
    width: int = 32
    # Frames of another shape: squeezed, cut to the middle, or filled up with black edges
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    # segment: the video in `frames` equal parts, one frame drawn from each; uniform: at equal
    # distances; window: clips of clip_seconds, spread over the video
    sampling: Literal["segment", "uniform", "window"] = "segment"
    clips_per_video: int = 3  # kept of each training video; segment draws from their frames
    clip_seconds: float = 2.0  # of window
    validation_fraction: float = 0.15  # of the groups, if the data have no split of their own
    test_fraction: float = 0.15
