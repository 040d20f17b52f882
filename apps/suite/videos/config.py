"""Config group for choosing and resizing the frames of a clip."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields

SUFFIXES = (
    ".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".ogv", ".ts", ".webm", ".wmv",
)  # fmt: skip
"""Endings of the videos that a folder stands for; a file given by name may have any."""


@dataclass(frozen=True)
class ChangeConfig:
    """Draws one change for all frames of a clip, so that still things stay still."""

    highest_shift_share: fields.Share = 0.1  # highest shift, as a share of height and width
    highest_zoom_share: fields.Share = 0.1  # highest share by which a clip is enlarged or reduced
    # Highest share by which width to height grows or falls
    highest_aspect_share: fields.Amount = 0.0
    # Highest amount added to or taken from all pixels, which range from 0 to 1
    highest_brightness: fields.Amount = 0.1
    # Highest share by which distances from the mean grow or shrink
    highest_contrast: fields.Amount = 0.2


@dataclass(frozen=True)
class ClipConfig:
    frames: fields.Count = 16  # of a clip that the model sees, spread over it
    height: fields.Count = 32  # pixels of every frame
    width: fields.Count = 32
    # Frames of another shape: squeezed, cut to the middle, or filled up with black edges
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    # segment: the video in `frames` equal parts, one frame drawn from each; uniform: at equal
    # distances; window: clips of clip_seconds, spread over the video
    sampling: Literal["segment", "uniform", "window"] = "segment"
    # Kept of each training video; segment draws from their frames
    clips_per_video: fields.Count = 3
    clip_seconds: fields.Positive = 2.0  # of window
    # Of the groups, where the data have no split of their own
    validation_fraction: fields.Share = 0.15
    test_fraction: fields.Share = 0.15

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)
