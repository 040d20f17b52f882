"""Declares the config of a sequence regression run; `PRESETS` holds its sizes."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.networks.config import EncoderConfig
from apps.suite.runs import config as fields
from apps.suite.sequences.alteration import AlterationConfig
from apps.suite.sequences.config import SequenceFormatConfig
from apps.suite.texts.config import BagTextConfig


@dataclass(frozen=True)
class TargetConfig:
    # Columns to learn; none = the column `target` or `value`
    column: tuple[str, ...] = ()
    # One value for a sequence, in all its rows or in the last one alone; or one for each step
    per: Literal["sequence", "step"] = "sequence"
    # Targets are times: a copy of a sequence at another pace (alteration.speed_deviation) has
    # targets as much longer or shorter
    paced: bool = False
    # Learn the logarithm of targets above 0: errors count by their share of the target
    logarithm: bool = False
    # Targets of steps are x, y, z like the channels: a copy that is turned
    # (alteration.rotation_degrees) has them turned alike
    turned: bool = False
    # Learn how long a sequence goes on until its last row, which is the failure (remaining life)
    remaining: bool = False
    cap: fields.Amount = 0.0  # remaining life above it counts as it; 0 = off
    test_data: str = ""  # file of test sequences, beside those of `data`
    # Csv with the remaining life of each of them: sequence and value, or values in their order
    test_truths: str = ""
    # Remaining life: ends that each held-out sequence is cut at, as if it were still running
    cuts: fields.Count = 8
    least_steps: fields.Count = 20  # remaining life: steps before the first such end

    def __post_init__(self) -> None:
        refused = {
            "target.remaining is its own target: leave out target.per and column": self.remaining
            and (self.per == "step" or self.column),
            "target.paced is for one value a sequence": self.paced
            and (self.remaining or self.per == "step"),
            'target.turned needs target.per "step"': self.turned and self.per != "step",
            "target.cap belongs to target.remaining": self.cap and not self.remaining,
            "target.cap must be 0 (off) or at least 1": 0 < self.cap < 1,
            "target.test_truths needs target.remaining and target.test_data": self.test_truths
            and not (self.remaining and self.test_data),
            "target.test_data of a remaining life needs target.test_truths": self.remaining
            and self.test_data
            and not self.test_truths,
        }
        for said, wrong in refused.items():
            if wrong:
                raise ValueError(said)


@dataclass(frozen=True)
class ModelConfig(EncoderConfig):
    # Answer: the learned mean (least squared error) or the median (least absolute error)
    answer: Literal["mean", "median"] = "mean"

    @property
    def answer_column(self) -> int:
        """Returns the place of the answer among a network's outputs of a target."""
        return 0 if self.answer == "mean" else 2


@dataclass(frozen=True)
class TrainingConfig(fields.TrainingConfig):
    # Networks that learn side by side, each without another fold of train and validation part;
    # the model answers with their mean
    members: fields.Count = 1
    # Steps of a sequence that training reads, where steps have targets; 0 = all
    crop_steps: fields.CountOrZero = 0


@dataclass(frozen=True)
class IntervalConfig:
    coverage: fields.InnerShare = 0.9  # share of the truths that lower and upper shall enclose
    # Conformal: moved by what the validation part shows; quantiles: as the network says
    method: Literal["conformal", "quantiles"] = "conformal"


@dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""  # "" = watch_exercises/gyroscope; a TFDS name; .csv, .parquet or .jsonl
    seed: int = 0
    data_format: SequenceFormatConfig = SequenceFormatConfig()
    target: TargetConfig = TargetConfig()
    text: BagTextConfig = BagTextConfig()
    alteration: AlterationConfig = AlterationConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    intervals: IntervalConfig = IntervalConfig()

    def __post_init__(self) -> None:
        if self.target.remaining and not self.model.streams:
            raise ValueError(
                "target.remaining needs a model that reads no later step (not bilstm, "
                "normalisation sequence or pool_steps): the end of a sequence is its failure"
            )
        self.model.refuse_steps(self.per_step)
        if self.training.crop_steps and not self.per_step:
            raise ValueError("training.crop_steps needs a target for each step")

    @property
    def per_step(self) -> bool:
        """Returns whether the network learns a value for each step."""
        return self.target.per == "step" or self.target.remaining

    @property
    def levels(self) -> tuple[float, float, float]:
        """Returns the levels of the quantiles: lower end, median, upper end."""
        tail = (1 - self.intervals.coverage) / 2
        return tail, 0.5, 1 - tail


# Runs every step in seconds; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="watch_exercises/tempo_small",
    model=ModelConfig(units=8),
    training=TrainingConfig(batch_size=8, steps=40, steps_per_checkpoint=20),
)
# Learns the turning rates of each step from the accelerations, in minutes on two cores. Six people
# are few: copies with the watch turned on the wrist stand for others.
_DEFAULT = Config(
    target=TargetConfig(per="step", turned=True),
    alteration=AlterationConfig(rotation_degrees=40.0),
    model=ModelConfig(layer="bilstm", layer_count=2, units=48, dropout=0.3),
    training=TrainingConfig(
        batch_size=24, steps=600, steps_per_checkpoint=150, crop_steps=200, members=4
    ),
)
# Has not been measured yet.
_LARGE = Config(
    preset="large",
    target=TargetConfig(per="step", turned=True),
    alteration=AlterationConfig(rotation_degrees=40.0),
    model=ModelConfig(layer="bilstm", layer_count=2, units=256, dropout=0.4),
    training=TrainingConfig(batch_size=64, steps=10_000, steps_per_checkpoint=500, crop_steps=400),
)
# One value a sequence: crops of four seconds. What repeats after how long is read from the
# correlation of a crop with itself; cuts at another pace stand for people that are not there.
_TEMPO = Config(
    preset="tempo",
    data="watch_exercises/tempo",
    target=TargetConfig(paced=True, logarithm=True),
    alteration=AlterationConfig(
        noise_deviations=0.05,
        scale_deviation=0.1,
        speed_deviation=0.25,
        rotation_degrees=30.0,
        shortest_share=0.7,  # the length of a copy must not give its pace away
    ),
    model=ModelConfig(
        lag_count=64,
        convolution_count=2,
        convolution_filters=32,
        pool_steps=2,
        layer="bilstm",
        units=48,
        dropout=0.3,
        answer="median",
    ),
    training=TrainingConfig(batch_size=64, steps=600, steps_per_checkpoint=100, members=8),
)
# Texts with a value each, some thousands of them.
_TEXTS = Config(
    preset="texts",
    text=BagTextConfig(bag_units=16),
    model=ModelConfig(layer="bilstm", units=64, dropout=0.3),
    training=TrainingConfig(steps=400, steps_per_checkpoint=50, members=8),
)
# Data of one's own with one value a sequence, or texts; nothing is altered.
_OWN = Config(
    preset="own",
    model=ModelConfig(layer="bilstm", units=64, dropout=0.3),
    training=TrainingConfig(steps=1_000, steps_per_checkpoint=100),
)
# Remaining life of machines in cycles, such as those of C-MAPSS. Sensors are noisy and wear is
# slow: means over the last cycles are read beside the values.
_FLEET = Config(
    preset="fleet",
    target=TargetConfig(remaining=True, cap=125.0),
    model=ModelConfig(
        layer="lstm", layer_count=2, units=48, dropout=0.3, running_mean_steps=(5, 20)
    ),
    training=TrainingConfig(batch_size=16, steps=500, steps_per_checkpoint=100, members=5),
)

PRESETS = {
    "tiny": _TINY,
    "default": _DEFAULT,
    "large": _LARGE,
    "tempo": _TEMPO,
    "texts": _TEXTS,
    "own": _OWN,
    "fleet": _FLEET,
}
