"""What a run of speech commands is made of; `PRESETS` holds its sizes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class AudioConfig:
    sample_rate_hz: int = 16_000  # whatever is read is brought to this rate
    clip_seconds: float = 1.0  # a stream is judged by so much of its end; length of made silence
    words: tuple[str, ...] = ()  # the labels to tell apart, all others "unknown"; none = all
    validation_fraction: float = 0.15  # of the speakers, where the data have no split of their own
    test_fraction: float = 0.15


@dataclass(frozen=True)
class FeatureConfig:
    kind: Literal["log_mel", "mfcc", "pcen"] = "log_mel"
    window_milliseconds: float = 32.0
    hop_milliseconds: float = 16.0
    centre: bool = False  # frames centred at their time, padded at both ends: not for streams
    mel_bands: int = 40
    lowest_hz: float = 60.0
    highest_hz: float = 7_600.0  # cut to half the sample rate
    mel_scale: Literal["slaney", "htk"] = "slaney"
    mel_norm: Literal["slaney", "none"] = "slaney"
    coefficients: int = 20  # of mfcc
    deltas: bool = False  # first and second differences over nine frames: not for streams


@dataclass(frozen=True)
class AugmentationConfig:
    copies: int = 4  # altered copies of each training clip, beside the clip as it is
    highest_speed_change: float = 0.15  # share by which speed and pitch together rise or fall
    highest_shift_seconds: float = 0.1  # by which a word comes earlier or later
    noise_probability: float = 0.5  # that a copy has noise mixed in
    lowest_snr_db: float = 5.0  # of that noise
    highest_snr_db: float = 30.0
    highest_gain_db: float = 10.0  # louder or softer by at most so much
    highest_band_warp: float = 0.1  # share by which the mel bands' frequencies are stretched
    # SpecAugment (Park et al. 2019), drawn anew in every step
    time_masks: int = 1
    highest_time_mask_frames: int = 10
    band_masks: int = 2
    highest_band_mask: int = 6


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
    steps: int = 2_000
    steps_per_checkpoint: int = 200  # a validation, a history row and a resume point each
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

    @property
    def streams(self) -> bool:
        """Whether the model answers a stream: nothing in it needs what comes later."""
        causal = not self.features.centre and not self.features.deltas
        return causal and self.model.layer != "bilstm"
