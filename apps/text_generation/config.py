"""Declares the config of a text generation run; `PRESETS` holds its sizes."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class TextConfig:
    tokenizer: Literal["character", "byte", "word", "subword"] = "character"
    # Most pieces of a word or subword vocabulary, the unknown included
    vocabulary_size: Annotated[int, pydantic.Field(ge=2)] = 2000
    validation_fraction: fields.Share = 0.05  # of the characters, just before the test part
    test_fraction: fields.Share = 0.05  # of the characters, at the end of the text

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)


@dataclass(frozen=True)
class ModelConfig:
    layer: Literal["peephole_lstm", "lstm", "gru"] = "peephole_lstm"
    layer_count: fields.Count = 2
    units: fields.Count = 256  # of each recurrent layer
    embedding_units: fields.Count = 64
    dropout: fields.Share = 0.1  # after each recurrent layer, as a fraction of the units
    embedding_dropout: fields.Share = 0.0  # of the embedded tokens
    variational: bool = False  # one dropout mask for a whole window instead of one a token
    weight_dropout: fields.Share = 0.0  # of the recurrent weights, drawn anew for each window
    # Output weights = embedding, after a projection where the sizes differ
    tie_embeddings: bool = False
    # Of the network with counted n-grams; auto: where both together fit the validation part better
    ngram_mixture: Literal["never", "auto", "always"] = "never"


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 32  # rows that walk through the text side by side
    steps_per_checkpoint: fields.Count = 100
    warmup_fraction: fields.Share = 0.02
    batch_parts: fields.Count = 2  # parts of the rows, computed side by side, each by its cores
    window_tokens: fields.Count = 64  # of a row in one step; the state is carried to the next
    reset_windows: fields.Count = 32  # windows after which a row begins from an empty state again
    # Of the recurrent layers; auto: bfloat16 products where the CPU has them
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size % self.batch_parts:
            raise ValueError("batch_size must be a multiple of batch_parts")


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = the King James Bible; a TFDS name; a .txt file; a folder of .txt files
    seed: int = 0
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()


# Proves the path on any text in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    model=ModelConfig(layer_count=1, units=32, embedding_units=16),
    training=TrainingConfig(batch_size=8, window_tokens=32, steps=20, steps_per_checkpoint=10),
)
# Four million characters (King James Bible) in minutes on two cores: subwords, since a step then
# covers three times the text; one wide layer and small steps, which learn the most in little time.
# The n-grams of the mixture hold what more passes would teach.
_DEFAULT = Config(
    text=TextConfig(tokenizer="subword"),
    model=ModelConfig(
        layer_count=1,
        units=512,
        embedding_units=256,
        tie_embeddings=True,
        dropout=0.3,
        embedding_dropout=0.1,
        ngram_mixture="auto",
    ),
    training=TrainingConfig(
        window_tokens=32, reset_windows=64, steps=2800, steps_per_checkpoint=400
    ),
)
# About a million characters (tiny Shakespeare) in half an hour on two cores: twenty passes, so the
# layers must be kept from learning the text by heart.
_MEDIUM = Config(
    preset="medium",
    model=ModelConfig(
        layer_count=2,
        units=384,
        embedding_units=128,
        dropout=0.4,
        embedding_dropout=0.1,
        ngram_mixture="auto",
    ),
    training=TrainingConfig(steps=10_000, steps_per_checkpoint=500),
)
# The same text for hours: wider, more dropout, more passes. Nobody has measured it yet.
_LARGE = Config(
    preset="large",
    model=ModelConfig(
        layer_count=2,
        units=512,
        embedding_units=128,
        dropout=0.5,
        embedding_dropout=0.15,
        weight_dropout=0.2,
        ngram_mixture="auto",
    ),
    training=TrainingConfig(steps=20_000, steps_per_checkpoint=500, learning_rate=2e-3),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "medium": _MEDIUM, "large": _LARGE}
