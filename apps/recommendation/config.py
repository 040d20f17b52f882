"""Declares the config of a recommendation run; `PRESETS` holds its sizes."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class ColumnsConfig:
    """Names of the columns in a csv or parquet file of your own, and forms of their cells."""

    user: str = "user"
    item: str = "item"
    time: str = "time"
    session: str = ""  # column of the session, for sessions.by "column"
    title: str = ""  # column of the title that people read; "" = items have no titles
    # Form of times that are not ISO 8601, such as %m/%d/%Y %H:%M; of numbers: excel, seconds,
    # milliseconds, microseconds or nanoseconds
    time_format: str = ""
    time_zone: str = "UTC"  # of times that carry no offset, such as Europe/Berlin
    # Rows whose user, item or session is empty, or NA, null, none, nan, - or ?
    placeholders: Literal["refuse", "drop", "keep"] = "refuse"


@dataclass(frozen=True)
class SessionsConfig:
    # Events that form a history. user: all events of a user. column: the events of a session, which
    # a column names. gap: events of a user without a gap longer than gap_minutes
    by: Literal["user", "column", "gap"] = "user"
    gap_minutes: fields.Positive = 30.0


@dataclass(frozen=True)
class SplitConfig:
    # global_time: train before validation before test, for all users at once. leave_last_out: each
    # history's last event is for test, the one before it for validation; for comparisons only
    kind: Literal["global_time", "leave_last_out"] = "global_time"
    validation_fraction: fields.Share = 0.1  # share of all events, in global_time
    test_fraction: fields.Share = 0.1  # share of all events, in global_time
    # Items with fewer events in the train part count as never seen
    minimum_item_events: fields.Count = 1

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)


@dataclass(frozen=True)
class ModelConfig:
    layer: Literal["peephole_lstm", "lstm", "gru"] = "gru"  # recurrent layer
    layer_count: fields.Count = 1  # number of recurrent layers
    units: fields.Count = 128  # units of each recurrent layer
    embedding_units: fields.Count = 128  # size of an item's vector, shared by input and output
    layer_norm: bool = True  # layer normalisation after the recurrent layers
    # Share of the units of each item in a history that is dropped in training
    embedding_dropout: fields.Share = 0.3
    item_dropout: fields.Share = 0.0  # share of the items of a history that is hidden in training
    dropout: fields.Share = 0.3  # share of the units dropped after each recurrent layer
    repeats: bool = False  # learn how likely each item of the history is to come again
    # Successors of an item whose counts are joined with the network's scores; 0 = the network alone
    transitions: fields.CountOrZero = 0
    history_items: fields.Count = 50  # number of most recent items that are read


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 128
    steps: fields.Count = 3_000
    steps_per_checkpoint: fields.Count = 250
    learning_rate: fields.Positive = 2e-3
    # padded: windows of histories, side by side; session_parallel: rows carry their state from
    # Window to window, and from a history's end go on with another one from an empty state
    batches: Literal["padded", "session_parallel"] = "padded"
    window_items: fields.Count = 20  # items of a step in session_parallel
    loss: Literal["full_softmax", "sampled_softmax", "bpr_max", "top1_max"] = "full_softmax"
    negatives: fields.Count = 2048  # items compared with a step's targets; not for full_softmax
    # Power of an item's count in training by which negatives are drawn
    negative_power: fields.Amount = 0.5
    bpr_regularization: fields.Amount = 1.0  # weight of the negatives' squared scores in bpr_max
    # Share of each target spread over all items, in the softmax losses
    label_smoothing: fields.Share = 0.0
    # Precision of the products; auto: bfloat16 where the CPU has it
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing and not self.has_softmax_loss:
            raise ValueError("label_smoothing needs a softmax loss")

    @property
    def has_softmax_loss(self) -> bool:
        """Returns whether the loss is over a distribution of items."""
        return self.loss in ("full_softmax", "sampled_softmax")


@dataclass(frozen=True)
class EvaluationConfig:
    exclude_seen: bool = False  # leave items of the history out of the ranking
    # Highest number of queries for a checkpoint or a baseline's choice
    validation_queries: fields.Count = 5_000
    # Histories whose scores over all items are in memory at once
    rows_per_block: fields.Count = 256
    # Values of k for session-kNN, of which validation chooses one
    nearest_histories: tuple[fields.Count, ...] = (100, 500)


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = grocery_histories; a TFDS name; .csv, .parquet, .inter or .txt
    seed: int = 0
    columns: ColumnsConfig = ColumnsConfig()
    sessions: SessionsConfig = SessionsConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    def __post_init__(self) -> None:
        if self.sessions.by == "column" and not self.columns.session:
            raise ValueError('sessions.by "column" needs columns.session, the column\'s name')
        training = self.training
        if self.model.repeats and (training.label_smoothing or not training.has_softmax_loss):
            raise ValueError("model.repeats needs a softmax loss, and no label_smoothing")


# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="grocery_histories/small",
    model=ModelConfig(units=16, embedding_units=16, repeats=True, transitions=10, history_items=20),
    training=TrainingConfig(batch_size=16, steps=40, steps_per_checkpoint=20, negatives=64),
    evaluation=EvaluationConfig(validation_queries=200),
)
# Learns eight hundred thousand purchases in minutes on two cores.
_DEFAULT = Config(
    model=ModelConfig(repeats=True, history_items=100),
    training=TrainingConfig(batch_size=32),
)
# Learns a hundred thousand events of ten thousand items, the size of Amazon Beauty, in minutes.
# Wide vectors need fewer passes, and more dropout against learning the histories by heart.
_MEDIUM = Config(
    preset="medium",
    split=SplitConfig(kind="leave_last_out"),
    model=ModelConfig(
        units=256,
        embedding_units=256,
        embedding_dropout=0.5,
        dropout=0.5,
        transitions=100,
        history_items=20,
    ),
    training=TrainingConfig(steps=3_000),
)
# Has not been measured yet.
_LARGE = Config(
    preset="large",
    model=ModelConfig(layer_count=2, units=512, embedding_units=256, history_items=200),
    training=TrainingConfig(
        batch_size=256, loss="sampled_softmax", negatives=8192, steps=50_000,
        steps_per_checkpoint=1_000,
    ),
)  # fmt: skip

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "medium": _MEDIUM, "large": _LARGE}
