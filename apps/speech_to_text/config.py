"""Declares the config of a speech to text run; `PRESETS` holds its sizes."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields
from apps.suite.sounds.config import AugmentationConfig, FeatureConfig, RecordingConfig


@dataclass(frozen=True)
class TextConfig:
    # Letters that are learned; auto: all that the training transcripts have
    alphabet: str = "auto"
    # What becomes of a letter outside of the alphabet: an error, or the letter is left out
    outside: Literal["refuse", "drop"] = "refuse"
    # What becomes of a recording that is too short for its text: an error, or it is left out
    too_short: Literal["refuse", "drop"] = "refuse"
    lowercase: bool = True
    punctuation: bool = False  # whether punctuation is learned; apostrophes are in any case


@dataclass(frozen=True)
class ModelConfig:
    # Recurrent layer; "convolution": none, the twin that the others are compared with
    layer: Literal["peephole_lstm", "lstm", "gru", "bilstm", "convolution"] = "peephole_lstm"
    convolution_filters: fields.Count = 32  # of each convolution in the front end
    layer_count: fields.Count = 2  # number of recurrent layers
    units: fields.Count = 192  # units of each layer, in each direction
    dropout: fields.Share = 0.2  # share of the units dropped in training


@dataclass(frozen=True)
class LanguageConfig:
    corpus: str = ""  # text file the language model learns from; "" = the training transcripts
    units: fields.Count = 160  # of its recurrent layer
    steps: fields.CountOrZero = 500  # of its training
    batch_size: fields.Count = 64
    learning_rate: fields.Positive = 5e-3


@dataclass(frozen=True)
class DecodingConfig:
    beam_width: fields.Count = 32  # prefixes that are kept from frame to frame
    paths: fields.Count = 16  # best of them, that the language model judges

    def __post_init__(self) -> None:
        if self.paths > self.beam_width:
            raise ValueError("paths must not be above beam_width")


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 24
    steps: fields.Count = 5_000
    steps_per_checkpoint: fields.Count = 250
    # Seconds at the beginning of a recording in which nothing may be written, at first: a network
    # that is free to learns the likeliest first letters there, before it hears any
    opening_seconds: fields.Amount = 0.25
    opening_fraction: fields.Share = 0.25  # of the steps, as long as that holds


@dataclass(frozen=True)
class EvaluationConfig:
    # Whether the twin of convolutions is trained beside the model, which takes as long again
    convolutional_twin: bool = False
    # Training recordings that the nearest one is looked for among
    nearest_recordings: fields.Count = 200


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = spoken_sentences; a TFDS name; a folder; a table of recordings
    seed: int = 0
    audio: RecordingConfig = RecordingConfig()
    features: FeatureConfig = FeatureConfig()
    augmentation: AugmentationConfig = AugmentationConfig(
        copies=1, highest_speed_change=0.1, highest_shift_seconds=0.0, highest_drawn_warp=0.08
    )
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    language: LanguageConfig = LanguageConfig()
    decoding: DecodingConfig = DecodingConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    def __post_init__(self) -> None:
        if self.features.lowest_hz >= min(self.features.highest_hz, self.audio.sample_rate_hz / 2):
            raise ValueError("lowest_hz must be below highest_hz and half of sample_rate_hz")
        if self.features.deltas:
            raise ValueError(
                "features.deltas depend on what stands after a recording's end, and so on the "
                "padding of a batch; leave them out: the layers learn differences by themselves"
            )

    @property
    def streams(self) -> bool:
        """Returns whether the model answers a stream: no part of it needs later frames."""
        return not self.features.centre and self.model.layer not in ("bilstm", "convolution")


# Runs every step in seconds, on some hundred sentences; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="spoken_sentences/small",
    augmentation=AugmentationConfig(copies=0),
    model=ModelConfig(convolution_filters=4, layer_count=1, units=16),
    language=LanguageConfig(units=16, steps=20, batch_size=16),
    decoding=DecodingConfig(beam_width=8, paths=4),
    training=TrainingConfig(batch_size=8, steps=20, steps_per_checkpoint=10),
    evaluation=EvaluationConfig(nearest_recordings=20),
)
# Learns six thousand sentences in minutes on two cores.
_DEFAULT = Config()
# Has not been measured yet.
_LARGE = Config(
    preset="large",
    augmentation=AugmentationConfig(copies=4, highest_speed_change=0.1, highest_shift_seconds=0.0),
    model=ModelConfig(convolution_filters=64, layer_count=4, units=512),
    language=LanguageConfig(units=512, steps=5_000),
    decoding=DecodingConfig(beam_width=64, paths=32),
    training=TrainingConfig(steps=60_000, steps_per_checkpoint=1_000),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
