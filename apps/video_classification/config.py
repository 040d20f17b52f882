"""What a run of video classification is made of; `PRESETS` holds its sizes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from apps.suite.data.config import OwnConfig
from apps.suite.videos.config import ClipConfig


@dataclass(frozen=True)
class AugmentationConfig:
    """One draw for all frames of a clip, so that nothing moves that did not move."""

    flip: bool = False  # left and right change places; not where left and right are labels
    highest_shift_share: float = 0.1  # of height and width
    highest_zoom_share: float = 0.1  # by which a clip is larger or smaller
    highest_brightness: float = 0.1  # added to or taken from all pixels, of the range from 0 to 1
    highest_contrast: float = 0.2  # share by which distances from the mean grow or shrink
    erase_probability: float = 0.0  # that a rectangle is grey in all frames
    mixup_alpha: float = 0.0  # of the shares in which two clips and their labels are mixed; 0 = off
    highest_late_share: float = 0.0  # of a clip's frames that are left out at its start or end


@dataclass(frozen=True)
class ModelConfig:
    backbone: Literal[
        "small_cnn", "keras_applications", "convolutional_lstm", "motion_statistics"
    ] = "small_cnn"
    colour: bool = False  # of small_cnn and convolutional_lstm; else they see grey
    frame_differences: bool = True  # the difference to the frame before as further channels
    cnn_filters: tuple[int, ...] = (16, 32, 64)  # of the blocks of small_cnn, each halves the size
    cnn_normalisation: Literal["none", "batch"] = "none"
    frame_features: int = 64  # that the CNN hands to the recurrent layers, 0 = its own
    application: str = "MobileNetV2"  # a name of keras.applications
    application_weights: str = "random"  # random, imagenet (downloaded), or a path
    fine_tune: bool = False  # train the application as well; else it is frozen
    # Compute a frozen application, or motion_statistics, once a frame; no augmentation then
    cache_features: bool = True
    motion_scales: int = 3  # sizes of a frame, each half of the one before, for motion_statistics
    convolutional_lstm_filters: int = 16
    layer: Literal["peephole_lstm", "lstm", "gru", "bilstm"] = "peephole_lstm"
    layer_count: int = 1
    units: int = 96  # of each recurrent layer (of each direction)
    pooling: Literal["last", "mean", "attention"] = "last"  # of a clip's frames
    beside_recurrent: bool = False  # the evidence also sees the features that go into the layers
    per_frame: bool = False  # the label at every frame, from what was seen so far
    dropout: float = 0.2
    spatial_dropout: float = 0.0  # share of the CNN's channels, the same over a clip's frames


@dataclass(frozen=True)
class TrainingConfig:
    batch_size: int = 32
    steps: int = 2_000
    steps_per_checkpoint: int = 200  # a validation, a history row and a resume point each
    learning_rate: float = 2e-3  # at its highest
    schedule: Literal["cosine", "constant"] = "cosine"  # after the warm-up, down to 0
    warmup_fraction: float = 0.05  # of the steps
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    learn_from_validation: bool = False  # from both parts, and keep the weights of the last step
    balance_labels: bool = False  # draw each label as often, however many videos it has
    gradient_clip_norm: float = 1.0  # over all gradients together; 0 = off
    average_fraction: float = 0.1  # share of the steps that weights are averaged over; 0 = off
    patience_checkpoints: int | None = None  # checkpoints without a better validation before a stop
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "float32"
    jit_compile: bool = False


@dataclass(frozen=True)
class EvaluationConfig:
    clips_per_video: int = 3  # whose probabilities are averaged
    flip: bool = False  # average with the mirrored clip
    strips: int = 6  # of frames in the report, of successes and of failures


# What a value must be, by group and field
_SHARES = {
    "clips": ("validation_fraction", "test_fraction"),
    "augmentation": ("highest_shift_share", "highest_zoom_share", "highest_late_share"),
    "model": ("dropout", "spatial_dropout"),
    "training": ("warmup_fraction", "label_smoothing", "average_fraction"),
}
_COUNTS = {
    "clips": ("frames", "height", "width", "clips_per_video"),
    "model": ("convolutional_lstm_filters", "layer_count", "units", "motion_scales"),
    "training": ("batch_size", "steps", "steps_per_checkpoint"),
    "evaluation": ("clips_per_video",),
}
_AMOUNTS = {
    "own": ("folds", "fold"),
    "augmentation": (
        "highest_brightness",
        "highest_contrast",
        "erase_probability",
        "mixup_alpha",
    ),
    "model": ("frame_features",),
    "training": ("weight_decay", "gradient_clip_norm"),
    "evaluation": ("strips",),
}
_ABOVE_ZERO = {"clips": ("clip_seconds",), "training": ("learning_rate",)}


@dataclass(frozen=True)
class Config:
    """Checks what no single field can; a ValueError names the fields."""

    preset: str = "default"
    data: str = ""  # "" = moving_digits; a TFDS name; a folder of folders of clips; a csv file
    seed: int = 0
    clips: ClipConfig = ClipConfig()
    own: OwnConfig = OwnConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
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
        if self.clips.validation_fraction + self.clips.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction must leave something to train")
        if self.training.steps % self.training.steps_per_checkpoint:
            raise ValueError("steps must be a multiple of steps_per_checkpoint")
        if self.augmentation.erase_probability > 1:
            raise ValueError("erase_probability must be from 0 to 1")
        if self.own.folds in (1, 2) or (self.own.folds and self.own.fold >= self.own.folds):
            raise ValueError("folds must be 0 or at least 3, and fold from 0 to folds - 1")
        if self.own.validation_fold and not self.own.folds:
            raise ValueError("validation_fold needs folds")
        if self.training.learn_from_validation and self.training.patience_checkpoints is not None:
            raise ValueError("patience_checkpoints needs a validation part that is not learned")
        if not self.model.cnn_filters or min(self.model.cnn_filters) < 1:
            raise ValueError("cnn_filters must be one or more numbers of at least 1")
        if self.model.layer == "bilstm" and self.model.pooling == "last":
            raise ValueError(
                'pooling "last" needs a causal layer: of a bilstm\'s last frame one half has seen '
                "nothing else"
            )
        if self.model.per_frame and (
            self.model.layer == "bilstm" or self.model.pooling == "attention"
        ):
            raise ValueError(
                "per_frame knows no frame to come: layer must not be bilstm, nor pooling attention"
            )

    @property
    def caches_features(self) -> bool:
        """Whether what the backbone makes of a frame is computed once, before the training."""
        sizes = self.model
        frozen = sizes.backbone == "keras_applications" and not sizes.fine_tune
        return sizes.cache_features and (frozen or sizes.backbone == "motion_statistics")

    @property
    def streams(self) -> bool:
        """Whether nothing in the model needs a frame that is still to come."""
        return self.model.layer != "bilstm"


def _check(
    config: Config, group: str, field: str, wanted: str, holds: Callable[[float], bool]
) -> None:
    value = getattr(getattr(config, group), field)
    if not holds(value):
        raise ValueError(f"{field} must be {wanted}, is {value}")


# Proves the path in seconds, on a few hundred clips; learns next to nothing.
_TINY = Config(
    preset="tiny",
    data="moving_digits/small",
    model=ModelConfig(cnn_filters=(4, 8), frame_features=16, units=16),
    training=TrainingConfig(batch_size=8, steps=40, steps_per_checkpoint=10),
    evaluation=EvaluationConfig(strips=2),
)
# Three thousand clips of digits that move, in minutes on two cores.
_DEFAULT = Config()
# The size of published networks on frames of 224 pixels; nobody has measured it yet.
_LARGE = Config(
    preset="large",
    clips=ClipConfig(frames=32, height=224, width=224, clips_per_video=5),
    model=ModelConfig(
        backbone="keras_applications",
        application_weights="imagenet",
        colour=True,
        frame_differences=False,
        layer="bilstm",
        units=512,
        pooling="attention",
    ),
    training=TrainingConfig(steps=20_000, steps_per_checkpoint=500),
    evaluation=EvaluationConfig(clips_per_video=5),
)

PRESETS = {"tiny": _TINY, "default": _DEFAULT, "large": _LARGE}
