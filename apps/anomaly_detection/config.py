"""What a run of anomaly detection is made of; `PRESETS` holds its three sizes."""

from dataclasses import dataclass
from typing import Literal

from apps.suite.tables.config import DataFormatConfig


@dataclass(frozen=True)
class ModelConfig:
    kind: Literal["forecaster", "encoder_decoder", "autoencoder"] = "forecaster"
    layer: Literal["peephole_lstm", "lstm", "gru"] = "peephole_lstm"
    layer_count: int = 1
    units: int = 64  # of each recurrent layer
    code_units: int = 16  # of what an autoencoder keeps of a window
    dropout: float = 0.1
    horizon_steps: int = 1  # that a forecaster predicts at each step
    season_steps: int | None = None  # before, which it reads too; None = found in training, 0 = off
    window_steps: int = 192  # of a training stretch (forecaster) or of a window to reconstruct
    stride_steps: int = 1  # from a window to the next when scoring; the forecaster has none
    clip_deviations: float = 10.0  # scaled inputs are cut to this many deviations


@dataclass(frozen=True)
class TrainingConfig:
    batch_size: int = 16
    burn_in_steps: int = 48  # read ahead of a stretch to fill the state, without a loss
    hidden_fraction: float = 0.05  # of the inputs, hidden as if they were missing
    steps: int = 1_000
    steps_per_checkpoint: int = 100  # a validation, a history row and a resume point each
    learning_rate: float = 3e-3  # at its highest
    schedule: Literal["cosine", "constant"] = "cosine"  # after the warm-up, down to 0
    warmup_fraction: float = 0.05  # of the steps
    weight_decay: float = 0.01
    gradient_clip_norm: float = 1.0  # over all gradients together; 0 = off
    average_fraction: float = 0.1  # share of the steps that weights are averaged over; 0 = off
    patience_checkpoints: int | None = None  # checkpoints without a better validation before a stop
    jit_compile: bool = False


@dataclass(frozen=True)
class ScoreConfig:
    aggregation: Literal["root_mean_square", "maximum"] = "root_mean_square"  # over the columns
    smoothing_steps: float = 2.0  # mean reach of the exponential smoothing; 1 = off


@dataclass(frozen=True)
class ThresholdConfig:
    method: Literal["quantile", "peaks_over_threshold", "dynamic", "alarm_budget"] = "alarm_budget"
    quantile: float = 0.999  # of the validation scores
    risk: float = 1e-4  # peaks over threshold: probability that a usual score is above
    tail_fraction: float = 0.02  # largest scores that the tail is fitted on
    alarms_per_week: float = 1.0  # alarm budget: at most so many
    # dynamic (Hundman et al. 2018)
    dynamic_window_steps: int = 2_100  # smoothed scores that a threshold is found on
    dynamic_batch_steps: int = 70  # steps from one threshold to the next
    pruning_fraction: float = 0.13  # by which an event must rise above the next lower one


@dataclass(frozen=True)
class EventConfig:
    merge_steps: int = 0  # alarms at most so many steps apart are one event
    cool_down_steps: int = 0  # after an event, in which no other begins


@dataclass(frozen=True)
class Config:
    """Checks what no single field can; a ValueError names the fields."""

    preset: str = "default"
    data: str = ""  # "" = half_hourly_demand; a TFDS name; a csv or parquet file; a folder of them
    seed: int = 0
    data_format: DataFormatConfig = DataFormatConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    score: ScoreConfig = ScoreConfig()
    threshold: ThresholdConfig = ThresholdConfig()
    events: EventConfig = EventConfig()

    @property
    def stretch_steps(self) -> int:
        """Steps of one row of a training batch."""
        if self.model.kind != "forecaster":
            return self.model.window_steps
        season = self.model.season_steps or 0
        return season + self.training.burn_in_steps + self.model.window_steps

    def __post_init__(self) -> None:
        data, model, training = self.data_format, self.model, self.training
        for group, fractions in (
            (data, ("validation_fraction", "test_fraction")),
            (model, ("dropout",)),
            (training, ("hidden_fraction", "warmup_fraction", "average_fraction")),
            (self.threshold, ("pruning_fraction",)),
        ):
            for field in fractions:
                if not 0 <= getattr(group, field) < 1:
                    raise ValueError(
                        f"{field} must be at least 0 and below 1, is {getattr(group, field)}"
                    )
        for field in ("quantile", "risk", "tail_fraction"):
            if not 0 < getattr(self.threshold, field) < 1:
                value = getattr(self.threshold, field)
                raise ValueError(f"{field} must lie between 0 and 1, is {value}")
        for part, counts, least in (
            (
                model,
                (
                    "layer_count",
                    "units",
                    "code_units",
                    "horizon_steps",
                    "window_steps",
                    "stride_steps",
                ),
                1,
            ),
            (training, ("batch_size", "steps", "steps_per_checkpoint"), 1),
            (training, ("burn_in_steps",), 0),
            (self.score, ("smoothing_steps",), 1),
            (self.threshold, ("dynamic_window_steps", "dynamic_batch_steps"), 1),
            (self.events, ("merge_steps", "cool_down_steps"), 0),
            (data, ("step_seconds", "injected_faults"), 0),
        ):
            for field in counts:
                if getattr(part, field) < least:
                    raise ValueError(f"{field} must be at least {least}, is {getattr(part, field)}")
        for owner, field in (
            (training, "learning_rate"),
            (model, "clip_deviations"),
            (self.threshold, "alarms_per_week"),
        ):
            if getattr(owner, field) <= 0:
                raise ValueError(f"{field} must be above 0, is {getattr(owner, field)}")
        if data.validation_fraction + data.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave nothing to train on")
        if training.steps % training.steps_per_checkpoint:
            raise ValueError("steps must be a multiple of steps_per_checkpoint")
        if model.season_steps and model.season_steps < model.horizon_steps:
            raise ValueError("season_steps must be 0, or at least horizon_steps")
        if model.horizon_steps >= model.window_steps:
            raise ValueError("horizon_steps must be below window_steps")
        if model.stride_steps > model.window_steps:
            raise ValueError("stride_steps above window_steps would leave steps without a score")


# Proves the path in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    model=ModelConfig(units=8, code_units=4, window_steps=48),
    training=TrainingConfig(batch_size=4, burn_in_steps=8, steps=20, steps_per_checkpoint=10),
)
# Twelve weeks of half-hours (half_hourly_demand) in under a minute on two cores.
_DEFAULT = Config()
# Two layers of 80 units, windows of 250 steps, ten steps ahead: the size of Hundman et al. (2018).
_LARGE = Config(
    preset="large",
    model=ModelConfig(layer_count=2, units=80, dropout=0.3, horizon_steps=10, window_steps=250),
    training=TrainingConfig(
        batch_size=64, burn_in_steps=250, steps=20_000, steps_per_checkpoint=500
    ),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
