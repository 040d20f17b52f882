"""What a run of text generation is made of; `PRESETS` holds its three sizes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TextConfig:
    tokenizer: Literal["character", "byte", "word", "subword"] = "character"
    vocabulary_size: int = 2000  # most pieces of a word or subword vocabulary, unknown included
    validation_fraction: float = 0.05  # of the characters, just before the test part
    test_fraction: float = 0.05  # of the characters, at the end of the text


@dataclass(frozen=True)
class ModelConfig:
    layer: Literal["peephole_lstm", "lstm", "gru"] = "peephole_lstm"
    layer_count: int = 2
    units: int = 256  # of each recurrent layer
    embedding_units: int = 64
    dropout: float = 0.1  # behind each recurrent layer, as a fraction of the units
    embedding_dropout: float = 0.0  # of the embedded tokens
    variational: bool = False  # one dropout mask for a whole window instead of one a token
    weight_dropout: float = 0.0  # of the recurrent weights, drawn anew for each window
    tie_embeddings: bool = (
        False  # output weights = embedding, behind a projection if of another size
    )


@dataclass(frozen=True)
class TrainingConfig:
    batch_size: int = 32  # rows that walk through the text side by side
    batch_parts: int = 2  # parts of the rows that are computed side by side, each by its cores
    window_tokens: int = 64  # tokens of a row in one step; the state is carried to the next
    reset_windows: int = 32  # windows after which a row begins from an empty state again
    steps: int = 2000
    steps_per_checkpoint: int = 100  # a validation, a history row and a resume point each
    learning_rate: float = 3e-3  # at its highest
    schedule: Literal["cosine", "constant"] = "cosine"  # after the warm-up, down to 0
    warmup_fraction: float = 0.02  # of the steps
    weight_decay: float = 0.01
    gradient_clip_norm: float = 1.0  # over all gradients together; 0 = off
    average_fraction: float = 0.1  # share of the steps that weights are averaged over; 0 = off
    patience_checkpoints: int | None = None  # checkpoints without a better validation before a stop
    # Of the recurrent layers; auto: bfloat16 products where the CPU has them
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    jit_compile: bool = False


@dataclass(frozen=True)
class Config:
    """Checks what no single field can; a ValueError names the fields."""

    preset: str = "default"
    data: str = ""  # "" = the King James Bible; a TFDS name; a .txt file; a folder of .txt files
    seed: int = 0
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    def __post_init__(self) -> None:
        text, model, training = self.text, self.model, self.training
        for group, fractions in (
            (text, ("validation_fraction", "test_fraction")),
            (model, ("dropout", "embedding_dropout", "weight_dropout")),
            (training, ("warmup_fraction", "average_fraction")),
        ):
            for field in fractions:
                if not 0 <= getattr(group, field) < 1:
                    raise ValueError(
                        f"{field} must be at least 0 and below 1, is {getattr(group, field)}"
                    )
        for group, counts in (
            (model, ("layer_count", "units", "embedding_units")),
            (
                training,
                (
                    "batch_size",
                    "batch_parts",
                    "window_tokens",
                    "reset_windows",
                    "steps",
                    "steps_per_checkpoint",
                ),
            ),
        ):
            for field in counts:
                if getattr(group, field) < 1:
                    raise ValueError(f"{field} must be at least 1, is {getattr(group, field)}")
        if training.steps % training.steps_per_checkpoint:
            raise ValueError("steps must be a multiple of steps_per_checkpoint")
        if training.batch_size % training.batch_parts:
            raise ValueError("batch_size must be a multiple of batch_parts")
        if training.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, is {training.learning_rate}")
        if text.vocabulary_size < 2:
            raise ValueError(f"vocabulary_size must be at least 2, is {text.vocabulary_size}")


# Proves the path on any text in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    model=ModelConfig(layer_count=1, units=32, embedding_units=16),
    training=TrainingConfig(batch_size=8, window_tokens=32, steps=20, steps_per_checkpoint=10),
)
# Four million characters (King James Bible) in minutes on two cores: subwords, since a step then
# covers three times the text; one wide layer and small steps, which learn the most in little time.
_DEFAULT = Config(
    text=TextConfig(tokenizer="subword"),
    model=ModelConfig(
        layer_count=1,
        units=512,
        embedding_units=256,
        tie_embeddings=True,
        dropout=0.3,
        embedding_dropout=0.1,
    ),
    training=TrainingConfig(
        window_tokens=32, reset_windows=64, steps=4000, steps_per_checkpoint=500
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
    ),
    training=TrainingConfig(steps=20_000, steps_per_checkpoint=500, learning_rate=2e-3),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "medium": _MEDIUM, "large": _LARGE}
