"""Declares the config of an anomaly detection run; `PRESETS` holds its three sizes."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields
from apps.suite.tables.config import DataFormatConfig


@dataclass(frozen=True)
class ModelConfig:
    kind: Literal["forecaster", "encoder_decoder", "autoencoder"] = "forecaster"
    layer: Literal["peephole_lstm", "lstm", "gru"] = "peephole_lstm"  # recurrent layer
    layer_count: fields.Count = 1  # number of recurrent layers
    units: fields.Count = 64  # units of each recurrent layer
    code_units: fields.Count = 16  # size of the code that an autoencoder keeps of a window
    dropout: fields.Share = 0.1  # share of the units dropped in training
    horizon_steps: fields.Count = 1  # number of steps that a forecaster predicts at each step
    # Steps back to the previous season, also read; None = found in training, 0 = off
    season_steps: fields.CountOrZero | None = None
    # Length of a forecaster's training stretch, or of a window to reconstruct
    window_steps: fields.Count = 192
    # Steps from one window to the next when scoring; not for the forecaster
    stride_steps: fields.Count = 1
    # Of several series: scale and level of scores of each by itself, or one for all
    scale: Literal["by_series", "common"] = "by_series"
    # Of several series: one network for all, one for each, or what is better on validation parts
    networks: Literal["common", "each", "auto"] = "common"
    clip_deviations: fields.Positive = 10.0  # scaled inputs are cut to this many deviations

    def __post_init__(self) -> None:
        if self.season_steps and self.season_steps < self.horizon_steps:
            raise ValueError("season_steps must be 0, or at least horizon_steps")
        if self.horizon_steps >= self.window_steps:
            raise ValueError("horizon_steps must be below window_steps")
        if self.networks != "common" and self.scale == "common":
            raise ValueError("networks each and auto need scale by_series, to compare them")
        if self.stride_steps > self.window_steps:
            raise ValueError("stride_steps above window_steps would leave steps without a score")


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 16
    steps: fields.Count = 1_000
    steps_per_checkpoint: fields.Count = 100
    # Steps read before a stretch to fill the state, without a loss
    burn_in_steps: fields.CountOrZero = 48
    hidden_fraction: fields.Share = 0.05  # share of the inputs that is hidden as if missing


@dataclass(frozen=True)
class ScoreConfig:
    # Rule that makes one score of the columns' residuals
    aggregation: Literal["root_mean_square", "maximum"] = "root_mean_square"
    # Mean reach of the exponential smoothing; 1 = off
    smoothing_steps: Annotated[float, pydantic.Field(ge=1, allow_inf_nan=False)] = 2.0
    # Share of the distance from the season before in a column's score; 0 = the forecast alone
    season_share: fields.Share = 0.0
    # Reach of the running mean of scores; where it is above the usual, scores are divided; 0 = off
    level_steps: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 0.0

    def __post_init__(self) -> None:
        if 0 < self.level_steps < 1:
            raise ValueError("level_steps must be 0, or at least 1")


@dataclass(frozen=True)
class ThresholdConfig:
    """Sets the method and its sizes; the dynamic method is that of Hundman et al. (2018)."""

    # Rule that finds the threshold on the validation scores
    method: Literal["quantile", "peaks_over_threshold", "dynamic", "alarm_budget"] = "alarm_budget"
    quantile: fields.InnerShare = 0.999  # quantile: share of the validation scores below it
    # peaks_over_threshold: probability that a usual score is above the threshold
    risk: fields.InnerShare = 1e-4
    # peaks_over_threshold: share of largest scores that the tail is fitted on
    tail_fraction: fields.InnerShare = 0.02
    alarms_per_week: fields.Positive = 1.0  # alarm_budget: highest number of alarms a week
    # dynamic: smoothed scores that a threshold is found on
    dynamic_window_steps: fields.Count = 2_100
    dynamic_batch_steps: fields.Count = 70  # dynamic: steps from one threshold to the next
    # dynamic: share by which an event must rise above the next lower one
    pruning_fraction: fields.Share = 0.13


@dataclass(frozen=True)
class EventConfig:
    # Alarms that are no more than this many steps apart are one event
    merge_steps: fields.CountOrZero = 0
    cool_down_steps: fields.CountOrZero = 0  # steps after an event in which no other begins


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
        """Returns the steps of one row of a training batch."""
        if self.model.kind != "forecaster":
            return self.model.window_steps
        season = self.model.season_steps or 0
        return season + self.training.burn_in_steps + self.model.window_steps


# The presets score by the season as well; runs of before lack the fields, and go on as they were
_SCORE = ScoreConfig(season_share=0.6, level_steps=48)
_EVENTS = EventConfig(merge_steps=12)
# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    score=_SCORE,
    events=_EVENTS,
    model=ModelConfig(units=8, code_units=4, window_steps=48),
    training=TrainingConfig(batch_size=4, burn_in_steps=8, steps=20, steps_per_checkpoint=10),
)
# Learns twelve weeks of half-hours (half_hourly_demand) in under a minute on two cores.
_DEFAULT = Config(score=_SCORE, events=_EVENTS)
# Two layers of 80 units, windows of 250 steps, ten steps ahead: the size of Hundman et al. (2018).
_LARGE = Config(
    preset="large",
    score=_SCORE,
    events=_EVENTS,
    model=ModelConfig(layer_count=2, units=80, dropout=0.3, horizon_steps=10, window_steps=250),
    training=TrainingConfig(
        batch_size=64, burn_in_steps=250, steps=20_000, steps_per_checkpoint=500
    ),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
