"""Declares the config of an object detection run; `PRESETS` holds its sizes."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields
from apps.suite.videos.config import ChangeConfig


@dataclass(frozen=True)
class FramesConfig:
    height: fields.Count = 64  # pixels of every frame that the network sees
    width: fields.Count = 64
    clip_frames: fields.Count = 16  # consecutive frames that are learned from together
    # Of the videos, where the data have no such part
    validation_fraction: fields.Share = 0.15
    test_fraction: fields.Share = 0.15
    flip: bool = False  # learn mirrored clips as well; leave off where left and right differ

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)


# Nothing is changed
_AS_IT_IS = ChangeConfig(
    highest_shift_share=0, highest_zoom_share=0, highest_brightness=0, highest_contrast=0
)


@dataclass(frozen=True)
class ModelConfig:
    backbone: Literal["convolutions", "keras_applications"] = "convolutions"
    # Filters of the convolutions; the first ones halve the picture, up to `stride`
    filters: Annotated[tuple[fields.Count, ...], pydantic.Field(min_length=2)] = (16, 32, 48, 48)
    # Of convolutions that halve the picture further, before the memory; the maps stay at `stride`
    coarser_filters: tuple[fields.Count, ...] = ()
    normalisation: Literal["none", "batch"] = "none"  # after each convolution
    application: str = "MobileNetV2"  # name of a network in keras.applications
    application_weights: str = "random"  # random, imagenet (downloaded), or a path
    fine_tune: bool = False  # train the application as well; else it is frozen
    stride: Literal[4, 8] = 4  # pixels of a frame to one place of the heat map
    # Memory between frames; none: the same network sees each frame by itself
    memory: Literal["conv_lstm", "none"] = "conv_lstm"
    units: fields.Count = 48  # channels of the memory
    bottleneck: bool = True  # depthwise separable convolutions in the memory
    head_filters: fields.Count = 48
    colour: bool = False  # sees colour; otherwise grey
    boxes_per_frame: fields.Count = 20  # found at most

    def __post_init__(self) -> None:
        if 2 ** len(self.filters) < self.stride:
            raise ValueError(f"filters: a stride of {self.stride} needs more convolutions")


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 8  # clips
    size_weight: fields.Positive = 1.0  # of the loss of boxes' sizes, beside that of the heat map
    offset_weight: fields.Positive = 1.0  # likewise of their middles
    class_weight: fields.Amount = 1.0  # likewise of the class at a box's middle
    # Learn a box from all places near its middle, not from the one alone
    spread_boxes: bool = False
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    # Go through the clips of a video in turn, each with the memory of the one before
    carry_states: bool = False


@dataclass(frozen=True)
class EvaluationConfig:
    twin: bool = True  # train the frame-by-frame twin of the model, as a baseline
    strips: fields.CountOrZero = 6  # strips of frames in the report
    # Score from which a box is told, unless asked otherwise; None = as the validation part has it
    threshold: fields.InnerShare | None = None


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = drifting_digits; a TFDS name; a folder or file of annotated videos
    seed: int = 0
    frames: FramesConfig = FramesConfig()
    augmentation: ChangeConfig = _AS_IT_IS
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            if getattr(self.frames, name) % self.model.stride:
                raise ValueError(f"frames.{name} must be a multiple of {self.model.stride}")


# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="drifting_digits/small",
    model=ModelConfig(filters=(4, 8), units=8, head_filters=8),
    training=TrainingConfig(batch_size=8, steps=20, steps_per_checkpoint=10),
    evaluation=EvaluationConfig(strips=2),
)
# Learns three thousand clips of drifting digits in minutes on two cores; its twin takes as long.
# Half clips: the digits, not the frames, are what there is to tell apart.
_DEFAULT = Config(
    frames=FramesConfig(clip_frames=8),
    augmentation=ChangeConfig(
        highest_shift_share=0.1,
        highest_zoom_share=0.15,
        highest_brightness=0.1,
        highest_contrast=0.2,
    ),
    model=ModelConfig(normalisation="batch"),
    training=TrainingConfig(steps=4_500, steps_per_checkpoint=500, learning_rate=5e-3),
)
# Nobody has measured it yet.
_LARGE = Config(
    preset="large",
    frames=FramesConfig(height=288, width=512, flip=True),
    model=ModelConfig(
        filters=(32, 64, 128, 128, 256),
        stride=8,
        units=256,
        head_filters=256,
        colour=True,
        boxes_per_frame=50,
    ),
    training=TrainingConfig(steps=30_000, steps_per_checkpoint=1_000),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
