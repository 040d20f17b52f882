"""Declares the config of a recommendation run; `PRESETS` holds its sizes."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class ColumnsConfig:
    """Names of the columns in a csv or parquet file of your own."""

    user: str = "user"
    item: str = "item"
    time: str = "time"
    session: str = ""  # for sessions.by "column"
    title: str = ""  # what an item is called for people; "" = items have no titles


@dataclass(frozen=True)
class SessionsConfig:
    # What a history is made of: all events of a user, those of a session that a column names, or
    # those of a user without a gap longer than gap_minutes
    by: Literal["user", "column", "gap"] = "user"
    gap_minutes: fields.Positive = 30.0


@dataclass(frozen=True)
class SplitConfig:
    # global_time: train before validation before test, for all users at once. leave_last_out: each
    # history's last event is for test, the one before it for validation; for comparisons only
    kind: Literal["global_time", "leave_last_out"] = "global_time"
    validation_fraction: fields.Share = 0.1  # of all events, in global_time
    test_fraction: fields.Share = 0.1
    minimum_item_events: fields.Count = 1  # rarer ones in the train part count as items never seen

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)


@dataclass(frozen=True)
class ModelConfig:
    layer: Literal["peephole_lstm", "lstm", "gru"] = "gru"
    layer_count: fields.Count = 1
    units: fields.Count = 128  # of each recurrent layer
    embedding_units: fields.Count = 128  # of an item, shared by input and output
    layer_norm: bool = True  # after the recurrent layers
    embedding_dropout: fields.Share = 0.3  # of the units of each item in a history
    item_dropout: fields.Share = 0.0  # share of the items of a history that are hidden in training
    dropout: fields.Share = 0.3  # after each recurrent layer, as a fraction of the units
    repeats: bool = False  # whether what a history holds is expected again, item by item
    history_items: fields.Count = 50  # the most recent ones that are read


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 128
    steps: fields.Count = 3_000
    steps_per_checkpoint: fields.Count = 250
    learning_rate: fields.Positive = 2e-3
    # padded: windows of histories, side by side; session_parallel: rows carry their state from
    # window to window, and from a history's end go on with another one from an empty state
    batches: Literal["padded", "session_parallel"] = "padded"
    window_items: fields.Count = 20  # of session_parallel, in one step
    loss: Literal["full_softmax", "sampled_softmax", "bpr_max", "top1_max"] = "full_softmax"
    negatives: fields.Count = 2048  # items held against a step's targets; not of full_softmax
    negative_power: fields.Amount = 0.5  # of an item's count in training, when negatives are drawn
    bpr_regularization: fields.Amount = 1.0  # weight of the negatives' squared scores in bpr_max
    label_smoothing: fields.Share = 0.0  # of the softmax losses
    # Of the products; auto: bfloat16 where the CPU has them
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing and not self.has_softmax_loss:
            raise ValueError("label_smoothing needs a softmax loss")

    @property
    def has_softmax_loss(self) -> bool:
        """True for the losses over a distribution of items."""
        return self.loss in ("full_softmax", "sampled_softmax")


@dataclass(frozen=True)
class EvaluationConfig:
    exclude_seen: bool = False  # whether items of the history are left out of the ranking
    # Most that a checkpoint, or a baseline's choice, looks at
    validation_queries: fields.Count = 5_000
    rows_per_block: fields.Count = 256  # histories whose scores over all items are held at once
    nearest_histories: tuple[fields.Count, ...] = (
        100,
        500,
    )  # k of session-kNN, chosen on validation


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


# Proves the path in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="grocery_histories/small",
    model=ModelConfig(units=16, embedding_units=16, repeats=True, history_items=20),
    training=TrainingConfig(batch_size=16, steps=40, steps_per_checkpoint=20, negatives=64),
    evaluation=EvaluationConfig(validation_queries=200),
)
# Eight hundred thousand purchases in minutes on two cores.
_DEFAULT = Config(
    model=ModelConfig(repeats=True, history_items=100),
    training=TrainingConfig(batch_size=32),
)
# A hundred thousand events of ten thousand items, as Amazon Beauty has them, in minutes: wide
# vectors learn in fewer passes, and have to be kept from learning the histories by heart.
_MEDIUM = Config(
    preset="medium",
    split=SplitConfig(kind="leave_last_out"),
    model=ModelConfig(
        units=256,
        embedding_units=256,
        embedding_dropout=0.5,
        dropout=0.5,
        history_items=20,
    ),
    training=TrainingConfig(steps=3_000),
)
# Nobody has measured it yet.
_LARGE = Config(
    preset="large",
    model=ModelConfig(layer_count=2, units=512, embedding_units=256, history_items=200),
    training=TrainingConfig(
        batch_size=256, loss="sampled_softmax", negatives=8192, steps=50_000,
        steps_per_checkpoint=1_000,
    ),
)  # fmt: skip

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "medium": _MEDIUM, "large": _LARGE}
