"""Declares the config of a forecasting run; `PRESETS` holds its three sizes."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.panels import config as panel_config
from apps.suite.runs import config as fields


@dataclass(frozen=True)
class ForecastConfig:
    horizon_steps: fields.Count = 24
    # From one forecast to the next in evaluation; 0 = the horizon
    origin_steps: fields.CountOrZero = 0
    levels: tuple[fields.InnerShare, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
    # No mean, quantile or path lies below it, such as 0 for counts; None = no bound
    lowest: float | None = None

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(set(self.levels)) or 0.5 not in self.levels:
            raise ValueError("forecast.levels must rise and hold 0.5, the median")


@dataclass(frozen=True)
class ModelConfig:
    # A decoder of all steps at once, or one that goes on from its own last step
    kind: Literal["direct", "autoregressive"] = "direct"
    layer: Literal["peephole_lstm", "lstm", "gru"] = "peephole_lstm"  # recurrent layer
    layer_count: fields.Count = 1  # number of recurrent layers
    units: fields.Count = 64  # units of each recurrent layer
    dropout: fields.Share = 0.3  # share of the units dropped in training
    context_steps: fields.Count = 672  # of the history that is read
    patch_steps: fields.Count = 24  # that the direct decoder reads and writes at a time
    # Steps back to the previous season; None = found in training, 0 = off
    season_steps: fields.CountOrZero | None = None
    season_count: fields.Count = 4  # seasons before that are read of each step ahead
    # The usual season of a window is taken off before the direct network and put on after it
    adjusted: bool = False
    # The network learns logarithms: changes in per cent; all values have to be above 0
    log: bool = False
    # What is subtracted: the last value, the mean of the history, or its level by exponential
    # smoothing, from which the course goes on with half of the drift, as Theta's; None = the mean
    # with a season
    location: Literal["last", "mean", "theta"] | None = None
    linear: bool = False  # a linear map from the history to the forecast beside the network
    series_units: fields.CountOrZero = 4  # of the embedding of each series; 0 = off
    path_count: fields.Count = 100  # drawn by the autoregressive model for its quantiles

    def __post_init__(self) -> None:
        if self.kind == "direct" and self.context_steps % self.patch_steps:
            raise ValueError("model.context_steps must be a multiple of model.patch_steps")
        if self.kind != "direct" and self.adjusted:
            raise ValueError("model.adjusted is for model.kind direct; leave it out")
        if self.kind != "direct" and self.location == "theta":
            raise ValueError("model.location theta is for model.kind direct; give last or mean")


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    batch_size: fields.Count = 64
    steps: fields.Count = 2_000
    steps_per_checkpoint: fields.Count = 100
    # Networks that differ by their seed; the saved model says the mean of what they say
    members: fields.Count = 1
    unseen_fraction: fields.Share = 0.1  # share of rows whose series is taken for a new one
    # Errors count in deviations of the series, or in shares of its level
    loss_unit: Literal["deviation", "level"] = "deviation"


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = hourly_traffic; a set laid out alike; a csv or parquet file
    seed: int = 0
    data_format: panel_config.PanelFormatConfig = panel_config.PanelFormatConfig()
    forecast: ForecastConfig = ForecastConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()


# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    model=ModelConfig(units=8, context_steps=336, season_count=2, path_count=20),
    training=TrainingConfig(batch_size=8, steps=20, steps_per_checkpoint=10),
)
# Learns two years of hours (hourly_traffic) in some minutes on two cores.
_DEFAULT = Config()
# The size of SegRNN (Lin et al. 2023), for hundreds of series.
_LARGE = Config(
    preset="large",
    model=ModelConfig(layer="gru", units=512, context_steps=720, location="last", linear=True),
    training=TrainingConfig(batch_size=256, steps=20_000, steps_per_checkpoint=500),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
