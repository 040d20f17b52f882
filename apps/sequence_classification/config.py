"""Declares the config of a sequence classification run; `PRESETS` holds its sizes."""

import dataclasses
from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.data.config import OwnConfig
from apps.suite.networks.config import EncoderConfig
from apps.suite.runs import config as fields
from apps.suite.sequences.alteration import AlterationConfig
from apps.suite.sequences.config import SequenceFormatConfig
from apps.suite.texts.config import BagTextConfig


@dataclass(frozen=True)
class TargetConfig:
    per: Literal["sequence", "step"] = "sequence"  # what has a label of its own
    column: str = "label"  # holds the labels, in tables, JSON lines and sets by name
    # Smooth labels of steps over time as the validation part likes it best; needs whole sequences
    smoothed: bool = False

    def __post_init__(self) -> None:
        if self.smoothed and self.per != "step":
            raise ValueError('target.smoothed needs target.per "step"')


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    steps: fields.Count = 1_000
    steps_per_checkpoint: fields.Count = 50
    label_smoothing: fields.Share = 0.0  # share of each label spread over all labels
    sort_by_length: bool = True  # batches of about equal length, which are padded less
    # Most steps of a training example, cut at random; 0 = whole sequences
    longest_steps: fields.CountOrZero = 0
    # Networks that learn side by side, each without another fold of train and validation part;
    # the model answers with their mean
    members: fields.Count = 1
    balanced: bool = False  # rare labels weigh as much in the loss as frequent ones


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = japanese_vowels; a TFDS name; a .ts, csv, parquet or JSON lines; a folder
    seed: int = 0
    data_format: SequenceFormatConfig = SequenceFormatConfig()
    own: OwnConfig = OwnConfig()
    target: TargetConfig = TargetConfig()
    text: BagTextConfig = BagTextConfig()
    alteration: AlterationConfig = AlterationConfig()
    model: EncoderConfig = EncoderConfig()
    training: TrainingConfig = TrainingConfig()

    def __post_init__(self) -> None:
        self.model.refuse_steps(self.per_step)

    @property
    def per_step(self) -> bool:
        """Returns whether each step has a label of its own."""
        return self.target.per == "step"


# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="japanese_vowels/small",
    data_format=SequenceFormatConfig(validation_fraction=0.08),
    model=EncoderConfig(units=16),
    training=TrainingConfig(batch_size=16, steps=60, steps_per_checkpoint=20),
)
# Learns to tell nine voices apart, in about a minute on two cores.
_DEFAULT = Config(
    data_format=SequenceFormatConfig(validation_fraction=0.08),
    alteration=AlterationConfig(noise_deviations=0.3, level_deviations=0.2, shortest_share=0.7),
    model=EncoderConfig(
        layer="bilstm", units=64, convolution_count=2, convolution_filters=96, dropout=0.5
    ),
    training=TrainingConfig(steps=500, label_smoothing=0.1),
)
# Has not been measured yet.
_LARGE = dataclasses.replace(
    _DEFAULT,
    preset="large",
    model=EncoderConfig(layer="bilstm", units=256, layer_count=2, dropout=0.5),
    training=TrainingConfig(steps=5_000, steps_per_checkpoint=100, label_smoothing=0.1),
)
# The exercise of each step of a smartwatch's measurements, 50 a second. The signs say which arm
# wore the watch: mirrored copies let the one arm learn from the other.
_EXERCISES = Config(
    preset="exercises",
    data="watch_exercises/sessions",
    target=TargetConfig(per="step", smoothed=True),
    alteration=AlterationConfig(
        noise_deviations=0.05,
        scale_deviation=0.1,
        speed_deviation=0.15,
        rotation_degrees=10.0,
        mirrored_channels=("ax", "wy", "wz"),
    ),
    model=EncoderConfig(
        layer="bilstm",
        units=64,
        convolution_count=2,
        convolution_filters=48,
        convolution_steps=9,
        pool_steps=4,
        dropout=0.4,
    ),
    training=TrainingConfig(
        batch_size=32,
        steps=200,
        steps_per_checkpoint=40,
        longest_steps=400,
        label_smoothing=0.05,
        members=3,
    ),
)
# The intent of a sentence, from some ten thousand labelled ones.
_INTENTS = Config(
    preset="intents",
    text=BagTextConfig(word_dropout=0.2, bag_units=16),
    model=EncoderConfig(layer="bilstm", units=64, dropout=0.6, input_dropout=0.3),
    training=TrainingConfig(
        batch_size=64, steps=600, steps_per_checkpoint=200, learning_rate=2e-3, members=3
    ),
)

PRESETS = {
    "tiny": _TINY,
    "default": _DEFAULT,
    "large": _LARGE,
    "exercises": _EXERCISES,
    "intents": _INTENTS,
}
