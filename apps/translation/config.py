"""Declares the config of a translation run; `PRESETS` holds its sizes."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.networks.config import BeamWidth, EncoderDecoderConfig
from apps.suite.runs import config as fields


@dataclass(frozen=True)
class DataFormatConfig:
    source_language: str = ""  # code or name that the data have for the sources; "" = their first
    target_language: str = ""  # likewise for the translations; "" = their second
    reverse: bool = False  # learns to translate targets into sources
    allow_copies: bool = False  # learns from pairs most of which have one text on both sides
    drop_unlike: bool = False  # leaves out pairs of which one text is 9 times as long as the other
    validation_fraction: fields.Share = 0.05  # of the sources, where the data have no such part
    test_fraction: fields.Share = 0.05
    most_of_a_part: fields.Count = 2_000  # most sources of a part that is drawn

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)


@dataclass(frozen=True)
class TextConfig:
    source_pieces: Literal["subword", "character"] = "subword"  # pieces that a source is cut into
    target_pieces: Literal["subword", "character"] = "subword"
    source_vocabulary: fields.Count = 4_000  # most pieces, learned on the train part
    target_vocabulary: fields.Count = 4_000
    # Pieces of a text; longer ones are not learned from, and refused
    most_pieces: Annotated[int, pydantic.Field(ge=20)] = 100


@dataclass(frozen=True)
class ModelConfig(EncoderDecoderConfig):
    shared_embedding: bool = False
    smoothing: fields.Share = 0.1  # share of a target's probability that all tokens get in training

    def __post_init__(self) -> None:
        if self.shared_embedding:
            raise ValueError("model.shared_embedding needs one vocabulary; sources have their own")


@dataclass(frozen=True)
class SearchConfig:
    beam_width: BeamWidth = 4  # sequences that are kept at each step; 1 = greedy
    # Preference of longer translations; 0 prefers short ones; None: validation chooses one
    length_penalty: Annotated[float, pydantic.Field(ge=0, le=10)] | None = None


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 64  # pairs
    average_fraction: fields.Share = 0.2
    # Of the recurrent layers; auto: bfloat16 products where the CPU has them
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = made sentences, English to French; a TFDS name; a file; two files a+b
    seed: int = 0
    data_format: DataFormatConfig = DataFormatConfig()
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    search: SearchConfig = SearchConfig()
    training: TrainingConfig = TrainingConfig()


# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="grammar_sentences/few",
    text=TextConfig(source_vocabulary=200, target_vocabulary=200),
    model=ModelConfig(embedding_units=16, encoder_units=12, units=16),
    search=SearchConfig(beam_width=2),
    training=TrainingConfig(batch_size=8, steps=20, steps_per_checkpoint=10),
)
# 20,000 made pairs of sentences in minutes on two cores.
_DEFAULT = Config(
    text=TextConfig(source_vocabulary=1_000, target_vocabulary=1_500),
    model=ModelConfig(dropout=0.1),
    training=TrainingConfig(steps=5_000, steps_per_checkpoint=500),
)
# Words to phonemes, `--data pronunciations`: letters are the pieces.
_PRONUNCIATIONS = Config(
    preset="pronunciations",
    data="pronunciations",
    text=TextConfig(source_pieces="character"),
    model=ModelConfig(
        embedding_units=96, encoder_units=192, encoder_layers=2, units=256, dropout=0.3
    ),
    training=TrainingConfig(batch_size=128, steps=14_000, steps_per_checkpoint=1_000),
)
# Some hundred thousand short sentences that people wrote, in an hour.
_SENTENCES = Config(
    preset="sentences",
    model=ModelConfig(embedding_units=256, encoder_units=192, units=256, dropout=0.1),
    training=TrainingConfig(batch_size=128, steps=5_000, steps_per_checkpoint=500),
)
# Nobody has measured it yet.
_LARGE = Config(
    preset="large",
    text=TextConfig(source_vocabulary=16_000, target_vocabulary=16_000),
    model=ModelConfig(
        embedding_units=512, encoder_units=512, encoder_layers=2, units=768,
        decoder_layers=2, dropout=0.3,
    ),
    training=TrainingConfig(batch_size=256, steps=60_000, steps_per_checkpoint=2_000),
)  # fmt: skip

PRESETS = {
    "tiny": _TINY, "default": _DEFAULT, "pronunciations": _PRONUNCIATIONS,
    "sentences": _SENTENCES, "large": _LARGE,
}  # fmt: skip
