"""Group of a config for networks that read texts word by word."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class TextConfig:
    """Options of `words.Vocabulary` and of `networks.text_encoder`."""

    lowercase: bool = True  # reads capitals as small letters
    vocabulary_size: fields.Count = (
        20_000  # most words; the others are unknown, and read by letters
    )
    least_count: fields.Count = 2  # occurrences in the train part that make a word known
    most_words: fields.Count = 400  # words of a text that are read; of a longer one its first
    word_units: fields.Count = 128  # size of a word's vector
    character_units: fields.CountOrZero = 32  # size of a letter's vector; 0 = letters are not read
    # Reads the letters of a word: filters over three of them, or an LSTM in both directions
    character_layer: Literal["convolution", "lstm"] = "convolution"
    character_filters: fields.Count = 64  # size of what is read: filters, or units of the LSTM
    word_dropout: fields.Share = 0.1  # share of the words that training reads as unknown ones

    def __post_init__(self) -> None:
        if self.character_layer == "lstm" and self.character_filters % 2:
            raise ValueError("text.character_filters must be even: an LSTM has half each way")


@dataclass(frozen=True)
class BagTextConfig(TextConfig):
    """Options of networks that give one answer to a text: `text_encoder.encode`."""

    # Size of the vectors of words, pairs of words and pieces of words, which are summed up beside
    # the recurrent layers; 0 = off
    bag_units: fields.CountOrZero = 0
    bag_size: Annotated[int, pydantic.Field(ge=1, le=262_139)] = 65_536  # vectors, shared by hash
    bag_dropout: fields.Share = 0.5  # share of the words, pairs and pieces that training leaves out
