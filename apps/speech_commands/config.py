"""Declares the config of a speech commands run; `PRESETS` holds its sizes."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields
from apps.suite.sounds.config import AudioConfig, AugmentationConfig, FeatureConfig


@dataclass(frozen=True)
class ModelConfig:
    front_end: Literal["none", "convolutional"] = "convolutional"
    # Filters of each of the two convolutions in the front end
    convolution_filters: fields.Count = 32
    layer: Literal["peephole_lstm", "lstm", "gru", "bilstm"] = "peephole_lstm"  # recurrent layer
    layer_count: fields.Count = 1  # number of recurrent layers
    units: fields.Count = 128  # units of each recurrent layer, in each direction
    # Rule that makes one answer of a clip's frames
    pooling: Literal["attention", "mean", "last"] = "attention"
    dropout: fields.Share = 0.3  # share of the units dropped in training

    def __post_init__(self) -> None:
        if self.layer == "bilstm" and self.pooling == "last":
            raise ValueError(
                'pooling "last" needs a causal layer: at the last frame, half of a bilstm has seen '
                "that frame alone"
            )


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 64
    steps: fields.Count = 3_000
    steps_per_checkpoint: fields.Count = 250
    # Share of the examples that follow another sound, as words do in a stream
    context_probability: fields.Probability = 0.5
    label_smoothing: fields.Share = 0.05  # share of each label spread over all classes


@dataclass(frozen=True)
class DetectionConfig:
    smoothing_seconds: fields.Amount = 0.2  # time over which a stream's probabilities are averaged
    cool_down_seconds: fields.Amount = 0.8  # time after a detection in which no other is made
    # Rate on the validation streams at which the thresholds are set
    false_accepts_per_hour: fields.Amount = 10.0


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = spoken_commands; a TFDS name; a folder of words; a csv file
    seed: int = 0
    audio: AudioConfig = AudioConfig()
    features: FeatureConfig = FeatureConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    detection: DetectionConfig = DetectionConfig()

    def __post_init__(self) -> None:
        if self.features.lowest_hz >= min(self.features.highest_hz, self.audio.sample_rate_hz / 2):
            raise ValueError("lowest_hz must be below highest_hz and half of sample_rate_hz")

    @property
    def streams(self) -> bool:
        """Returns whether the model answers a stream: no part of it needs later frames."""
        causal = not self.features.centre and not self.features.deltas
        return causal and self.model.layer != "bilstm"


# Runs every step in seconds, on a few hundred clips; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="spoken_commands/small",
    augmentation=AugmentationConfig(copies=1),
    model=ModelConfig(convolution_filters=8, units=32),
    training=TrainingConfig(batch_size=16, steps=60, steps_per_checkpoint=20),
)
# Learns nine and a half thousand clips in minutes on two cores.
_DEFAULT = Config()
# Has not been measured yet.
_LARGE = Config(
    preset="large",
    augmentation=AugmentationConfig(copies=9),
    model=ModelConfig(convolution_filters=64, layer_count=2, units=256),
    training=TrainingConfig(steps=20_000, steps_per_checkpoint=500),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
