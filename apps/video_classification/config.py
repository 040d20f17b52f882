"""Declares the config of a video classification run; `PRESETS` holds its sizes."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.data.config import OwnConfig
from apps.suite.runs import config as fields
from apps.suite.videos.config import ChangeConfig, ClipConfig


@dataclass(frozen=True)
class AugmentationConfig(ChangeConfig):
    flip: bool = False  # swap left and right; leave off where left and right are labels
    # Probability that a rectangle is grey in all frames
    erase_probability: fields.Probability = 0.0
    # Alpha of the shares in which two clips and their labels are mixed; 0 = off
    mixup_alpha: fields.Amount = 0.0
    # Highest share of a clip's frames left out at its start or end
    highest_late_share: fields.Share = 0.0


@dataclass(frozen=True)
class ModelConfig:
    backbone: Literal[
        "small_cnn", "keras_applications", "convolutional_lstm", "motion_statistics"
    ] = "small_cnn"
    colour: bool = False  # small_cnn and convolutional_lstm see colour; otherwise grey
    frame_differences: bool = True  # adds the difference from the frame before as further channels
    # Filters of the blocks of small_cnn, each of which halves the size
    cnn_filters: Annotated[tuple[fields.Count, ...], pydantic.Field(min_length=1)] = (16, 32, 64)
    cnn_normalisation: Literal["none", "batch"] = "none"  # normalisation in small_cnn
    # Features of a frame that the CNN passes to the recurrent layers; 0 = its own number
    frame_features: fields.CountOrZero = 64
    application: str = "MobileNetV2"  # name of a network in keras.applications
    application_weights: str = "random"  # random, imagenet (downloaded), or a path
    fine_tune: bool = False  # train the application as well; else it is frozen
    # Compute a frozen application or motion_statistics once a frame, without augmentation
    cache_features: bool = True
    # Number of frame sizes for motion_statistics, each half of the one before
    motion_scales: fields.Count = 3
    convolutional_lstm_filters: fields.Count = 16  # filters of convolutional_lstm
    layer: Literal["peephole_lstm", "lstm", "gru", "bilstm"] = "peephole_lstm"  # recurrent layer
    layer_count: fields.Count = 1  # number of recurrent layers
    units: fields.Count = 96  # units of each recurrent layer, in each direction
    # Rule that makes one answer of a clip's frames
    pooling: Literal["last", "mean", "attention"] = "last"
    # The answer also sees the features that enter the recurrent layers
    beside_recurrent: bool = False
    per_frame: bool = False  # learn the label at every frame from the frames seen so far
    dropout: fields.Share = 0.2  # share of the units dropped in training
    # Share of the CNN's channels dropped, the same over a clip's frames
    spatial_dropout: fields.Share = 0.0

    def __post_init__(self) -> None:
        if self.layer == "bilstm" and self.pooling == "last":
            raise ValueError(
                'pooling "last" needs a causal layer: at the last frame, half of a bilstm has seen '
                "that frame alone"
            )
        if self.per_frame and (self.layer == "bilstm" or self.pooling == "attention"):
            raise ValueError(
                "per_frame reads no later frames: layer must not be bilstm, nor pooling attention"
            )


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    learning_rate: fields.Positive = 2e-3
    label_smoothing: fields.Share = 0.05  # share of each label spread over all classes
    # Learn from both parts, and keep the weights of the last step
    learn_from_validation: bool = False
    balance_labels: bool = False  # draw each label equally often, however many videos it has
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learn_from_validation and self.patience_checkpoints is not None:
            raise ValueError(
                "patience_checkpoints needs a validation part, which learn_from_validation uses up"
            )


@dataclass(frozen=True)
class EvaluationConfig:
    clips_per_video: fields.Count = 3  # number of clips whose probabilities are averaged
    flip: bool = False  # average with the mirrored clip
    strips: fields.CountOrZero = 6  # film strips in the report, of successes and of failures each


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


# Runs every step in seconds, on a few hundred clips; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="moving_digits/small",
    model=ModelConfig(cnn_filters=(4, 8), frame_features=16, units=16),
    training=TrainingConfig(batch_size=8, steps=40, steps_per_checkpoint=10),
    evaluation=EvaluationConfig(strips=2),
)
# Learns three thousand clips of moving digits in minutes on two cores.
_DEFAULT = Config(
    model=ModelConfig(cnn_normalisation="batch"),
    training=TrainingConfig(steps=4_000),
)
# The size of published networks on frames of 224 pixels; has not been measured yet.
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
