"""Declares the config of a tagging run; `PRESETS` holds its sizes."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields
from apps.suite.sequences.config import SentenceFormatConfig
from apps.suite.texts.config import TextConfig


@dataclass(frozen=True)
class ModelConfig:
    layer: Literal["bilstm", "peephole_lstm", "lstm", "gru"] = "bilstm"  # recurrent layer
    layer_count: fields.Count = 1  # number of recurrent layers
    units: fields.Count = 128  # units of each recurrent layer, in each direction
    # Output: a conditional random field over the whole sentence, or each word by itself
    output: Literal["crf", "softmax"] = "crf"
    # Chosen tags: the most probable ones, or those of the best F1 of the validation part, which
    # are fewer O; of data with O
    decision: Literal["probability", "f1"] = "probability"
    dropout: fields.Share = 0.4  # share of the units dropped in training
    input_dropout: fields.Share = 0.3  # share of the values of word vectors dropped in training
    vectors: str = ""  # file of word vectors to begin with, a word and its numbers on each line
    # Weight of the sentence's label in the loss, where the sentences have one
    label_weight: fields.Positive = 1.0


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 32  # sentences
    average_fraction: fields.Share = 0.2
    members: fields.Count = 1  # networks that learn side by side, and answer with their mean
    # Share of the spans that training replaces by others of their type; of schemes with spans
    swapped_spans: fields.Share = 0.0
    # Occurrences in the train part at which half of a word's are read as unknown; 0 = off
    rare_dropout: fields.Amount = 0.0


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = punctuation of the King James Bible; a TFDS name; a file; a folder
    seed: int = 0
    data_format: SentenceFormatConfig = SentenceFormatConfig()
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()


# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="king_james_bible/few",
    text=TextConfig(word_units=16, character_units=8, character_filters=8),
    model=ModelConfig(units=16),
    training=TrainingConfig(batch_size=8, steps=20, steps_per_checkpoint=10),
)
# Restores the punctuation of 600,000 words in minutes on two cores.
_DEFAULT = Config(
    model=ModelConfig(units=192, dropout=0.5, decision="f1"),
    training=TrainingConfig(batch_size=20, steps=2_400, steps_per_checkpoint=400),
)
# Slots, entities and parts of speech in some ten thousand sentences: small vectors of frequent
# words, letters for all others, spans in other sentences, many passes.
_SENTENCES = Config(
    preset="sentences",
    text=TextConfig(word_dropout=0.15),
    model=ModelConfig(units=200, dropout=0.5, input_dropout=0.4),
    training=TrainingConfig(steps=8_000, steps_per_checkpoint=400, swapped_spans=0.3),
)
# Nobody has measured it yet.
_LARGE = Config(
    preset="large",
    text=TextConfig(vocabulary_size=50_000, word_units=300),
    model=ModelConfig(layer_count=2, units=512, dropout=0.5, input_dropout=0.4),
    training=TrainingConfig(batch_size=64, steps=20_000, steps_per_checkpoint=1_000),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "sentences": _SENTENCES, "large": _LARGE}
