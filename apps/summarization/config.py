"""Declares the config of a summarization run; `PRESETS` holds its sizes."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.networks.config import BeamWidth, EncoderDecoderConfig
from apps.suite.runs import config as fields

FIELDS = ("text", "summary")


@dataclass(frozen=True)
class DataFormatConfig:
    # Names of the fields or columns that hold the text, its summary and, where there is one, a
    # title that is read before the text
    text_field: str = FIELDS[0]
    summary_field: str = FIELDS[1]
    title_field: str = "title"
    validation_fraction: fields.Share = 0.05  # of the pairs, where the data have no such part
    test_fraction: fields.Share = 0.1

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)


@dataclass(frozen=True)
class TextConfig:
    """Options of the pieces that texts and summaries are cut into."""

    vocabulary_size: fields.Count = 4_000  # most pieces of words
    title: bool = True  # reads the title, where there is one, before the text
    most_text_pieces: fields.Count = (
        100  # pieces of a text that are read; of a longer one its first
    )
    most_summary_pieces: fields.Count = 40  # pieces of a summary, written or learned from


@dataclass(frozen=True)
class ModelConfig(EncoderDecoderConfig):
    copying: bool = True  # lets pieces be copied from the text (pointer-generator)


@dataclass(frozen=True)
class SearchConfig:
    """Options of the search in `evaluate` and, where a request has no others, when served."""

    beam_width: BeamWidth = 4  # sequences that are kept side by side, 16 at most
    length_penalty: fields.Amount = 0.8  # 0 favours short summaries, 1 about none
    no_repeat: fields.CountOrZero = 3  # pieces of a run that no summary has twice; 0 = any
    min_words: fields.CountOrZero = 3
    max_words: fields.Count = 25

    def __post_init__(self) -> None:
        if self.min_words > self.max_words:
            raise ValueError("min_words must be at most max_words")


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 32  # pairs
    label_smoothing: fields.Share = 0.0  # share of the probability that is spread over all pieces
    # Weight of attention that returns to the same pieces in the loss, and the share of the steps
    # before it counts (See et al. 2017): earlier, a network learns to look nowhere
    coverage_weight: fields.Amount = 0.0
    coverage_from: fields.Share = 0.8
    average_fraction: fields.Share = 0.2
    # Of the recurrent layers; auto: bfloat16 products where the CPU has them
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "float32"


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = docstrings of Python packages; a TFDS name; a file; a folder
    seed: int = 0
    data_format: DataFormatConfig = DataFormatConfig()
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    search: SearchConfig = SearchConfig()
    training: TrainingConfig = TrainingConfig()


# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="docstrings/few",
    text=TextConfig(vocabulary_size=600, most_text_pieces=30, most_summary_pieces=12),
    model=ModelConfig(embedding_units=16, encoder_units=12, units=16),
    search=SearchConfig(beam_width=2, max_words=8),
    training=TrainingConfig(batch_size=8, steps=20, steps_per_checkpoint=10),
)
# Sums up some eight thousand docstrings in minutes on two cores.
_DEFAULT = Config(
    model=ModelConfig(embedding_units=128, encoder_units=96, units=160, dropout=0.3),
    training=TrainingConfig(steps=3_000, steps_per_checkpoint=300, learning_rate=2e-3),
)
# Fifty thousand descriptions in an hour.
_DESCRIPTIONS = Config(
    preset="descriptions",
    text=TextConfig(vocabulary_size=8_000),
    model=ModelConfig(embedding_units=160, encoder_units=128, units=256),
    training=TrainingConfig(batch_size=64, steps=8_000, steps_per_checkpoint=500, precision="auto"),
)
# See, Liu and Manning 2017, with subwords; nobody has measured it yet.
_LARGE = Config(
    preset="large",
    text=TextConfig(vocabulary_size=16_000, most_text_pieces=500, most_summary_pieces=130),
    model=ModelConfig(embedding_units=256, encoder_units=256, units=512, attention="additive"),
    search=SearchConfig(min_words=20, max_words=100),
    training=TrainingConfig(
        batch_size=64, steps=100_000, steps_per_checkpoint=2_000, coverage_weight=1.0
    ),
)

PRESETS = {
    "tiny": _TINY,
    "default": _DEFAULT,
    "descriptions": _DESCRIPTIONS,
    "large": _LARGE,
}
