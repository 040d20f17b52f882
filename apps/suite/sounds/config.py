"""Config groups for reading and altering sounds and for computing their features."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class RecordingConfig:
    sample_rate_hz: fields.Count = 16_000  # all sounds are brought to this rate
    # Of the speakers, where the data have no split of their own
    validation_fraction: fields.Share = 0.15
    test_fraction: fields.Share = 0.15

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)


@dataclass(frozen=True)
class AudioConfig(RecordingConfig):
    # End of a stream that is judged; length of made silence; None = follows the recordings
    clip_seconds: fields.Positive | None = None
    words: tuple[str, ...] = ()  # the labels to tell apart, all others "unknown"; none = all

    @property
    def window_seconds(self) -> float:
        """Returns `clip_seconds`; a second until the recordings have been looked at."""
        return self.clip_seconds or 1.0


@dataclass(frozen=True)
class FeatureConfig:
    kind: Literal["log_mel", "mfcc", "pcen"] = "log_mel"
    window_milliseconds: fields.Positive = 32.0
    hop_milliseconds: fields.Positive = 16.0
    centre: bool = False  # frames centred at their time, padded at both ends: not for streams
    mel_bands: fields.Count = 40
    lowest_hz: fields.Amount = 60.0
    highest_hz: float = 7_600.0  # cut to half the sample rate
    mel_scale: Literal["slaney", "htk"] = "slaney"
    mel_norm: Literal["slaney", "none"] = "slaney"
    coefficients: fields.Count = 20  # of mfcc
    deltas: bool = False  # first and second differences over nine frames: not for streams


@dataclass(frozen=True)
class AugmentationConfig:
    copies: fields.CountOrZero = 4  # altered copies of each training clip, beside the clip as it is
    # Share by which speed and pitch together rise or fall
    highest_speed_change: fields.Share = 0.15
    highest_shift_seconds: fields.Amount = 0.1  # by which a word comes earlier or later
    noise_probability: fields.Probability = 0.5  # that a copy has noise mixed in
    lowest_snr_db: float = 5.0  # of that noise
    highest_snr_db: float = 30.0
    highest_gain_db: fields.Amount = 10.0  # highest change, louder or softer
    highest_band_warp: fields.Share = 0.1  # share by which the mel bands' frequencies are stretched
    # The same of bands that are there already, drawn anew in every step; not of mfcc
    highest_drawn_warp: fields.Share = 0.0
    # Highest gain or loss in dB of a filter over the bands, drawn in every step; of log_mel alone
    highest_drawn_filter_db: fields.Amount = 0.0
    # The same of all bands alike: how loud a recording is
    highest_drawn_gain_db: fields.Amount = 0.0
    # Share by which a recording becomes slower or faster at the same pitch, drawn in every step
    highest_drawn_tempo_change: fields.Share = 0.0
    # SpecAugment (Park et al. 2019), drawn anew in every step
    time_masks: fields.CountOrZero = 1
    highest_time_mask_frames: fields.CountOrZero = 10
    band_masks: fields.CountOrZero = 2
    highest_band_mask: fields.CountOrZero = 6

    def __post_init__(self) -> None:
        if self.lowest_snr_db > self.highest_snr_db:
            raise ValueError("lowest_snr_db must not be above highest_snr_db")
