"""Declares the config of a video classification run; `PRESETS` holds its sizes."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.data.config import OwnConfig
from apps.suite.runs import config as fields
from apps.suite.videos.config import ClipConfig


@dataclass(frozen=True)
class AugmentationConfig:
    """One draw for all frames of a clip, so that nothing moves that did not move."""

    flip: bool = False  # left and right change places; not where left and right are labels
    highest_shift_share: fields.Share = 0.1  # of height and width
    highest_zoom_share: fields.Share = 0.1  # by which a clip is larger or smaller
    # Added to or taken from all pixels, of the range from 0 to 1
    highest_brightness: fields.Amount = 0.1
    highest_contrast: fields.Amount = 0.2  # share by which distances from the mean grow or shrink
    erase_probability: fields.Probability = 0.0  # that a rectangle is grey in all frames
    # Of the shares in which two clips and their labels are mixed; 0 = off
    mixup_alpha: fields.Amount = 0.0
    # Of a clip's frames that are left out at its start or end
    highest_late_share: fields.Share = 0.0


@dataclass(frozen=True)
class ModelConfig:
    backbone: Literal[
        "small_cnn", "keras_applications", "convolutional_lstm", "motion_statistics"
    ] = "small_cnn"
    colour: bool = False  # of small_cnn and convolutional_lstm; else they see grey
    frame_differences: bool = True  # the difference to the frame before as further channels
    # Of the blocks of small_cnn, each of which halves the size
    cnn_filters: Annotated[tuple[fields.Count, ...], pydantic.Field(min_length=1)] = (16, 32, 64)
    cnn_normalisation: Literal["none", "batch"] = "none"
    # That the CNN hands to the recurrent layers, 0 = its own
    frame_features: fields.CountOrZero = 64
    application: str = "MobileNetV2"  # a name of keras.applications
    application_weights: str = "random"  # random, imagenet (downloaded), or a path
    fine_tune: bool = False  # train the application as well; else it is frozen
    # Compute a frozen application, or motion_statistics, once a frame; no augmentation then
    cache_features: bool = True
    # Sizes of a frame, each half of the one before, for motion_statistics
    motion_scales: fields.Count = 3
    convolutional_lstm_filters: fields.Count = 16
    layer: Literal["peephole_lstm", "lstm", "gru", "bilstm"] = "peephole_lstm"
    layer_count: fields.Count = 1
    units: fields.Count = 96  # of each recurrent layer (of each direction)
    pooling: Literal["last", "mean", "attention"] = "last"  # of a clip's frames
    beside_recurrent: bool = False  # the evidence also sees the features that go into the layers
    per_frame: bool = False  # the label at every frame, from what was seen so far
    dropout: fields.Share = 0.2
    # Share of the CNN's channels, the same over a clip's frames
    spatial_dropout: fields.Share = 0.0

    def __post_init__(self) -> None:
        if self.layer == "bilstm" and self.pooling == "last":
            raise ValueError(
                'pooling "last" needs a causal layer: at the last frame, half of a bilstm has seen '
                "that frame alone"
            )
        if self.per_frame and (self.layer == "bilstm" or self.pooling == "attention"):
            raise ValueError(
                "per_frame knows no frame to come: layer must not be bilstm, nor pooling attention"
            )


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    learning_rate: fields.Positive = 2e-3
    label_smoothing: fields.Share = 0.05
    learn_from_validation: bool = False  # from both parts, and keep the weights of the last step
    balance_labels: bool = False  # draw each label as often, however many videos it has
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learn_from_validation and self.patience_checkpoints is not None:
            raise ValueError(
                "patience_checkpoints needs a validation part, which learn_from_validation uses up"
            )


@dataclass(frozen=True)
class EvaluationConfig:
    clips_per_video: fields.Count = 3  # whose probabilities are averaged
    flip: bool = False  # average with the mirrored clip
    strips: fields.CountOrZero = 6  # of frames in the report, of successes and of failures


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = moving_digits; a TFDS name; a folder of folders of clips; a csv file
    seed: int = 0
    clips: ClipConfig = ClipConfig()
    own: OwnConfig = OwnConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @property
    def caches_features(self) -> bool:
        """Returns whether the features of a frame are computed once, before the training."""
        sizes = self.model
        frozen = sizes.backbone == "keras_applications" and not sizes.fine_tune
        return sizes.cache_features and (frozen or sizes.backbone == "motion_statistics")

    @property
    def streams(self) -> bool:
        """Returns whether no part of the model needs a later frame."""
        return self.model.layer != "bilstm"


# Proves the path in seconds, on a few hundred clips; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="moving_digits/small",
    model=ModelConfig(cnn_filters=(4, 8), frame_features=16, units=16),
    training=TrainingConfig(batch_size=8, steps=40, steps_per_checkpoint=10),
    evaluation=EvaluationConfig(strips=2),
)
# Three thousand clips of digits that move, in minutes on two cores.
_DEFAULT = Config()
# The size of published networks on frames of 224 pixels; nobody has measured it yet.
_LARGE = Config(
    preset="large",
    clips=ClipConfig(frames=32, height=224, width=224, clips_per_video=5),
    model=ModelConfig(
        backbone="keras_applications",
        application_weights="imagenet",
        colour=True,
        frame_differences=False,
        layer="bilstm",
        units=512,
        pooling="attention",
    ),
    training=TrainingConfig(steps=20_000, steps_per_checkpoint=500),
    evaluation=EvaluationConfig(clips_per_video=5),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
