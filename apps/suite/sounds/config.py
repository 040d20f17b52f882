"""Config groups for reading and altering sounds and for computing their features."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class AudioConfig:
    sample_rate_hz: int = 16_000  # all sounds are brought to this rate
    clip_seconds: float = 1.0  # end of a stream that is judged; length of made silence
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
    highest_gain_db: float = 10.0  # highest change, louder or softer
    highest_band_warp: float = 0.1  # share by which the mel bands' frequencies are stretched
    # SpecAugment (Park et al. 2019), drawn anew in every step
    time_masks: int = 1
    highest_time_mask_frames: int = 10
    band_masks: int = 2
    highest_band_mask: int = 6
