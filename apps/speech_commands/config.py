"""What a run of speech commands is made of; `PRESETS` holds its sizes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from apps.suite.sounds.config import AudioConfig, AugmentationConfig, FeatureConfig


@dataclass(frozen=True)
class ModelConfig:
    front_end: Literal["none", "convolutional"] = "convolutional"
    convolution_filters: int = 32  # of each of the two convolutions in front
    layer: Literal["peephole_lstm", "lstm", "gru", "bilstm"] = "peephole_lstm"
    layer_count: int = 1
    units: int = 128  # of each recurrent layer (of each direction)
    pooling: Literal["attention", "mean", "last"] = "attention"  # of a clip's frames
    dropout: float = 0.3


@dataclass(frozen=True)
class TrainingConfig:
    batch_size: int = 64
    steps: int = 3_000
    steps_per_checkpoint: int = 250  # a validation, a history row and a resume point each
    # Share of the examples that follow another sound, as words do in a stream
    context_probability: float = 0.5
    learning_rate: float = 3e-3  # at its highest
    schedule: Literal["cosine", "constant"] = "cosine"  # after the warm-up, down to 0
    warmup_fraction: float = 0.05  # of the steps
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    gradient_clip_norm: float = 1.0  # over all gradients together; 0 = off
    average_fraction: float = 0.1  # share of the steps that weights are averaged over; 0 = off
    patience_checkpoints: int | None = None  # checkpoints without a better validation before a stop
    jit_compile: bool = False


@dataclass(frozen=True)
class DetectionConfig:
    smoothing_seconds: float = 0.2  # over which a stream's probabilities are averaged
    cool_down_seconds: float = 0.8  # after a detection, in which no other is made
    false_accepts_per_hour: float = 10.0  # on validation, at which the thresholds are set


# What a value must be, by group and field
_SHARES = {
    "audio": ("validation_fraction", "test_fraction"),
    "augmentation": ("highest_speed_change", "highest_band_warp"),
    "model": ("dropout",),
    "training": ("warmup_fraction", "label_smoothing", "average_fraction"),
}
_PROBABILITIES = {"augmentation": ("noise_probability",), "training": ("context_probability",)}
_COUNTS = {
    "audio": ("sample_rate_hz",),
    "features": ("mel_bands", "coefficients"),
    "model": ("convolution_filters", "layer_count", "units"),
    "training": ("batch_size", "steps", "steps_per_checkpoint"),
}
_AMOUNTS = {
    "features": ("lowest_hz",),
    "augmentation": (
        "copies",
        "highest_shift_seconds",
        "highest_gain_db",
        "time_masks",
        "highest_time_mask_frames",
        "band_masks",
        "highest_band_mask",
    ),
    "training": ("weight_decay", "gradient_clip_norm"),
    "detection": ("smoothing_seconds", "cool_down_seconds", "false_accepts_per_hour"),
}
_ABOVE_ZERO = {
    "audio": ("clip_seconds",),
    "features": ("window_milliseconds", "hop_milliseconds"),
    "training": ("learning_rate",),
}


@dataclass(frozen=True)
class Config:
    """Checks what no single field can; a ValueError names the fields."""

    preset: str = "default"
    data: str = ""  # "" = spoken_commands; a TFDS name; a folder of words; a csv file
    seed: int = 0
    audio: AudioConfig = AudioConfig()
    features: FeatureConfig = FeatureConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    detection: DetectionConfig = DetectionConfig()

    def __post_init__(self) -> None:
        for group, fields in _SHARES.items():
            for field in fields:
                _check(self, group, field, "at least 0 and below 1", lambda value: 0 <= value < 1)
        for group, fields in _PROBABILITIES.items():
            for field in fields:
                _check(self, group, field, "from 0 to 1", lambda value: 0 <= value <= 1)
        for group, fields in _COUNTS.items():
            for field in fields:
                _check(self, group, field, "at least 1", lambda value: value >= 1)
        for group, fields in _AMOUNTS.items():
            for field in fields:
                _check(self, group, field, "at least 0", lambda value: value >= 0)
        for group, fields in _ABOVE_ZERO.items():
            for field in fields:
                _check(self, group, field, "above 0", lambda value: value > 0)
        if self.training.steps % self.training.steps_per_checkpoint:
            raise ValueError("steps must be a multiple of steps_per_checkpoint")
        if self.augmentation.lowest_snr_db > self.augmentation.highest_snr_db:
            raise ValueError("lowest_snr_db must not be above highest_snr_db")
        if self.features.lowest_hz >= min(self.features.highest_hz, self.audio.sample_rate_hz / 2):
            raise ValueError("lowest_hz must be below highest_hz and half of sample_rate_hz")
        if self.model.layer == "bilstm" and self.model.pooling == "last":
            raise ValueError(
                'pooling "last" needs a causal layer: of a bilstm\'s last frame one half has seen '
                "nothing else"
            )

    @property
    def streams(self) -> bool:
        """Whether the model answers a stream: nothing in it needs what comes later."""
        causal = not self.features.centre and not self.features.deltas
        return causal and self.model.layer != "bilstm"


def _check(
    config: Config, group: str, field: str, wanted: str, holds: Callable[[float], bool]
) -> None:
    value = getattr(getattr(config, group), field)
    if not holds(value):
        raise ValueError(f"{field} must be {wanted}, is {value}")


# Proves the path in seconds, on a few hundred clips; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="spoken_commands/small",
    augmentation=AugmentationConfig(copies=1),
    model=ModelConfig(convolution_filters=8, units=32),
    training=TrainingConfig(batch_size=16, steps=200, steps_per_checkpoint=50),
)
# Nine and a half thousand clips in minutes on two cores.
_DEFAULT = Config()
# Nobody has measured it yet.
_LARGE = Config(
    preset="large",
    augmentation=AugmentationConfig(copies=9),
    model=ModelConfig(convolution_filters=64, layer_count=2, units=256),
    training=TrainingConfig(steps=20_000, steps_per_checkpoint=500),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
