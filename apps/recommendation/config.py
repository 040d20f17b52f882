"""What a run of recommendation is made of; `PRESETS` holds its sizes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ColumnsConfig:
    """Names of the columns in a csv or parquet file of one's own."""

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
    gap_minutes: float = 30.0


@dataclass(frozen=True)
class SplitConfig:
    # global_time: train before validation before test, for all users at once. leave_last_out: each
    # history's last event is for test, the one before it for validation; for comparisons only
    kind: Literal["global_time", "leave_last_out"] = "global_time"
    validation_fraction: float = 0.1  # of all events, in global_time
    test_fraction: float = 0.1
    minimum_item_events: int = 1  # rarer ones in the train part count as items never seen


@dataclass(frozen=True)
class ModelConfig:
    layer: Literal["peephole_lstm", "lstm", "gru"] = "gru"
    layer_count: int = 1
    units: int = 128  # of each recurrent layer
    embedding_units: int = 128  # of an item, shared by input and output
    layer_norm: bool = True  # behind the recurrent layers
    embedding_dropout: float = 0.3  # of the units of each item in a history
    item_dropout: float = 0.0  # share of the items of a history that are hidden in training
    dropout: float = 0.3  # behind each recurrent layer, as a fraction of the units
    repeats: bool = False  # whether what a history holds is expected again, item by item
    history_items: int = 50  # the most recent ones that are read


@dataclass(frozen=True)
class TrainingConfig:
    # padded: windows of histories, side by side; session_parallel: rows carry their state from
    # window to window, and from a history's end go on with another one from an empty state
    batches: Literal["padded", "session_parallel"] = "padded"
    batch_size: int = 128
    window_items: int = 20  # of session_parallel, in one step
    loss: Literal["full_softmax", "sampled_softmax", "bpr_max", "top1_max"] = "full_softmax"
    negatives: int = 2048  # items that a step's targets are held against; of all losses but full
    negative_power: float = 0.5  # of an item's count in the train part, when negatives are drawn
    bpr_regularization: float = 1.0  # weight of the negatives' squared scores in bpr_max
    label_smoothing: float = 0.0  # of the softmax losses
    steps: int = 3_000
    steps_per_checkpoint: int = 250  # a validation, a history row and a resume point each
    learning_rate: float = 2e-3  # at its highest
    schedule: Literal["cosine", "constant"] = "cosine"  # after the warm-up, down to 0
    warmup_fraction: float = 0.05  # of the steps
    weight_decay: float = 0.01
    gradient_clip_norm: float = 1.0  # over all gradients together; 0 = off
    average_fraction: float = 0.1  # share of the steps that weights are averaged over; 0 = off
    patience_checkpoints: int | None = None  # checkpoints without a better validation before a stop
    # Of the products; auto: bfloat16 where the CPU has them
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    jit_compile: bool = False


@dataclass(frozen=True)
class EvaluationConfig:
    exclude_seen: bool = False  # whether items of the history are left out of the ranking
    validation_queries: int = 5_000  # most that a checkpoint, or a baseline's choice, looks at
    rows_per_block: int = 256  # histories whose scores over all items are held at once
    nearest_histories: tuple[int, ...] = (100, 500)  # k of session-kNN, chosen on validation


# What a value must be, by group and field
_SHARES = {
    "split": ("validation_fraction", "test_fraction"),
    "model": ("embedding_dropout", "item_dropout", "dropout"),
    "training": ("label_smoothing", "warmup_fraction", "average_fraction"),
}
_COUNTS = {
    "split": ("minimum_item_events",),
    "model": ("layer_count", "units", "embedding_units", "history_items"),
    "training": ("batch_size", "window_items", "negatives", "steps", "steps_per_checkpoint"),
    "evaluation": ("validation_queries", "rows_per_block"),
}
_AMOUNTS = {
    "training": ("negative_power", "bpr_regularization", "weight_decay", "gradient_clip_norm"),
}
_ABOVE_ZERO = {"sessions": ("gap_minutes",), "training": ("learning_rate",)}


@dataclass(frozen=True)
class Config:
    """Checks what no single field can; a ValueError names the fields."""

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
        for group, fields in _SHARES.items():
            for field in fields:
                _check(self, group, field, "at least 0 and below 1", lambda value: 0 <= value < 1)
        for group, fields in _COUNTS.items():
            for field in fields:
                _check(self, group, field, "at least 1", lambda value: value >= 1)
        for group, fields in _AMOUNTS.items():
            for field in fields:
                _check(self, group, field, "at least 0", lambda value: value >= 0)
        for group, fields in _ABOVE_ZERO.items():
            for field in fields:
                _check(self, group, field, "above 0", lambda value: value > 0)
        if self.split.validation_fraction + self.split.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction must be below 1 together")
        if self.sessions.by == "column" and not self.columns.session:
            raise ValueError('sessions.by "column" needs columns.session, the column\'s name')
        if self.training.steps % self.training.steps_per_checkpoint:
            raise ValueError("steps must be a multiple of steps_per_checkpoint")
        smooth = self.training.loss in ("full_softmax", "sampled_softmax")
        if self.training.label_smoothing and not smooth:
            raise ValueError("label_smoothing is of the softmax losses alone")
        if self.model.repeats and (not smooth or self.training.label_smoothing):
            raise ValueError("model.repeats needs a softmax loss, and no label_smoothing")
        if any(count < 1 for count in self.evaluation.nearest_histories):
            raise ValueError("nearest_histories must be at least 1 each")


def _check(
    config: Config, group: str, field: str, wanted: str, holds: Callable[[float], bool]
) -> None:
    value = getattr(getattr(config, group), field)
    if not holds(value):
        raise ValueError(f"{field} must be {wanted}, is {value}")


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
