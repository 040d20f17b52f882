"""Declares the config of an anomaly detection run; `PRESETS` holds its three sizes."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields
from apps.suite.tables.config import DataFormatConfig


@dataclass(frozen=True)
class ModelConfig:
    kind: Literal["forecaster", "encoder_decoder", "autoencoder"] = "forecaster"
    layer: Literal["peephole_lstm", "lstm", "gru"] = "peephole_lstm"
    layer_count: fields.Count = 1
    units: fields.Count = 64  # of each recurrent layer
    code_units: fields.Count = 16  # of what an autoencoder keeps of a window
    dropout: fields.Share = 0.1
    horizon_steps: fields.Count = 1  # that a forecaster predicts at each step
    # Steps back to the season before, which is read too; None = found in training, 0 = off
    season_steps: fields.CountOrZero | None = None
    # Of a training stretch (forecaster) or of a window to reconstruct
    window_steps: fields.Count = 192
    # From a window to the next when scoring; the forecaster has none
    stride_steps: fields.Count = 1
    clip_deviations: fields.Positive = 10.0  # scaled inputs are cut to this many deviations

    def __post_init__(self) -> None:
        if self.season_steps and self.season_steps < self.horizon_steps:
            raise ValueError("season_steps must be 0, or at least horizon_steps")
        if self.horizon_steps >= self.window_steps:
            raise ValueError("horizon_steps must be below window_steps")
        if self.stride_steps > self.window_steps:
            raise ValueError("stride_steps above window_steps would leave steps without a score")


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 16
    steps: fields.Count = 1_000
    steps_per_checkpoint: fields.Count = 100
    burn_in_steps: fields.CountOrZero = 48  # read ahead of a stretch to fill the state, no loss
    hidden_fraction: fields.Share = 0.05  # of the inputs, hidden as if they were missing


@dataclass(frozen=True)
class ScoreConfig:
    aggregation: Literal["root_mean_square", "maximum"] = "root_mean_square"  # over the columns
    # Mean reach of the exponential smoothing; 1 = off
    smoothing_steps: Annotated[float, pydantic.Field(ge=1, allow_inf_nan=False)] = 2.0


@dataclass(frozen=True)
class ThresholdConfig:
    method: Literal["quantile", "peaks_over_threshold", "dynamic", "alarm_budget"] = "alarm_budget"
    quantile: fields.InnerShare = 0.999  # of the validation scores
    risk: fields.InnerShare = 1e-4  # peaks over threshold: probability that a usual score is above
    tail_fraction: fields.InnerShare = 0.02  # largest scores that the tail is fitted on
    alarms_per_week: fields.Positive = 1.0  # alarm budget: at most so many
    # dynamic (Hundman et al. 2018)
    dynamic_window_steps: fields.Count = 2_100  # smoothed scores that a threshold is found on
    dynamic_batch_steps: fields.Count = 70  # steps from one threshold to the next
    pruning_fraction: fields.Share = 0.13  # by which an event must rise above the next lower one


@dataclass(frozen=True)
class EventConfig:
    merge_steps: fields.CountOrZero = 0  # alarms at most so many steps apart are one event
    cool_down_steps: fields.CountOrZero = 0  # after an event, in which no other begins


@dataclass(frozen=True)
class Config:
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
