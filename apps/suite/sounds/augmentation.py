"""Alters recordings at random: speed, place, level, noise, and the voice's frequencies.

Nothing here imports TensorFlow: it runs in the processes that extract features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from apps.suite.sounds.config import AugmentationConfig, RecordingConfig

_FRAME_SECONDS = 0.02
_ACTIVE_SHARE = 1e-3  # of the loudest frame's power, from which on a frame counts as sound
_FLOOR_SHARE = 0.1  # of the frames, the quietest ones: the noise of the recording itself


def alter(
    waveform: np.ndarray,
    noise: Sequence[np.ndarray],
    audio: RecordingConfig,
    augmentation: AugmentationConfig,
    generator: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """Returns an altered copy of a recording, which depends on the generator's state alone.

    Speed, place, level and band warp are drawn evenly from the config's ranges, and so is the
    signal-to-noise ratio where there is noise. Speed and pitch change together. The copy is as
    long as the recording unless its sound has become longer. No sound is cut off: active frames
    (see `active_frames`) are moved only so far that all of them stay. Free places are filled with
    white noise as loud as the recording's quietest tenth. Nothing is clipped: samples
    may exceed 1.

    Args:
        waveform: float32 [samples].
        noise: recordings of noise, float32 [samples] each; without one, noise is made.
        audio: its sample rate counts.
        augmentation: ranges of all changes.
        generator: source of the draws.

    Returns:
        The copy, float32 [samples], and the `band_warp` for `features.extract`.
    """
    speed = 1.0 + _drawn(generator, augmentation.highest_speed_change)
    shift = _drawn(generator, augmentation.highest_shift_seconds) * audio.sample_rate_hz
    gain_db = _drawn(generator, augmentation.highest_gain_db)
    band_warp = _drawn(generator, augmentation.highest_band_warp)
    is_noisy = generator.random() < augmentation.noise_probability
    snr_db = generator.uniform(augmentation.lowest_snr_db, augmentation.highest_snr_db)

    altered = waveform
    if speed != 1.0 and len(waveform):
        altered = soxr.resample(waveform, speed * audio.sample_rate_hz, audio.sample_rate_hz, "MQ")
    altered = _placed(altered, len(waveform), round(shift), audio.sample_rate_hz, generator)
    if is_noisy and len(altered):
        heard = excerpt(noise, len(altered), generator)
        altered = mix(altered, heard, snr_db, audio.sample_rate_hz)
    return (altered * 10.0 ** (gain_db / 20.0)).astype(np.float32), band_warp


def mix(waveform: np.ndarray, noise: np.ndarray, snr_db: float, sample_rate_hz: int) -> np.ndarray:
    """Adds noise to a waveform at a signal-to-noise ratio; returns float32 [samples].

    Powers are means over the active samples (see `active_frames`), of waveform and noise alike:
    quiet stretches around a word do not count. Nothing is added to a waveform of zeros, nor from
    noise that is zero there. Both are float32 [samples].
    """
    active = np.repeat(active_frames(waveform, sample_rate_hz), _frame(sample_rate_hz))
    active = active[: len(waveform)]
    signal_power, noise_power = (
        np.mean(np.square(sound[active], dtype=np.float64)) if active.any() else 0.0
        for sound in (waveform, noise)
    )
    if signal_power == 0.0 or noise_power == 0.0:
        return waveform
    scale = np.sqrt(signal_power / noise_power * 10.0 ** (-snr_db / 10.0))
    return (waveform + scale * noise).astype(np.float32)


def excerpt(
    noise: Sequence[np.ndarray], samples: int, generator: np.random.Generator
) -> np.ndarray:
    """Returns float32 [samples] of one of the recordings, from a place drawn at random.

    A recording that is too short begins anew. Without recordings the noise is made: its power
    falls with the frequency to a power between 0 (white) and 2 (brown).
    """
    if not len(noise):
        spectrum = np.fft.rfft(generator.normal(size=max(samples, 2)))
        colour = generator.uniform(0.0, 2.0)
        spectrum *= np.arange(1, len(spectrum) + 1) ** (-colour / 2.0)
        return np.fft.irfft(spectrum, max(samples, 2))[:samples].astype(np.float32)
    recording = noise[int(generator.integers(len(noise)))]
    start = generator.integers(max(1, len(recording) - samples + 1))
    return np.resize(recording[start:], samples)


def active_frames(waveform: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Marks the frames of 20 ms within 30 dB of the loudest one: bool [frames].

    The last frame may be shorter. All frames of a silent waveform are active.
    """
    powers = _frame_powers(waveform, sample_rate_hz)
    return powers >= _ACTIVE_SHARE * powers.max(initial=0.0)


def _placed(
    waveform: np.ndarray,
    samples: int,
    shift: int,
    sample_rate_hz: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Places the waveform within `samples` samples, or as many more as its active part needs."""
    powers = _frame_powers(waveform, sample_rate_hz)
    lowest_active = _ACTIVE_SHARE * powers.max(initial=0.0)
    quietest = np.sort(powers)[: max(1, int(_FLOOR_SHARE * len(powers)))]
    if not len(powers) or quietest.mean() >= lowest_active:
        return waveform
    active = np.flatnonzero(powers >= lowest_active)
    first = active[0] * _frame(sample_rate_hz)
    last = min(len(waveform), (active[-1] + 1) * _frame(sample_rate_hz))
    samples = max(samples, last - first)
    start = np.clip((samples - len(waveform)) // 2 + shift, -first, samples - last)
    floor = np.sqrt(quietest.mean())
    placed = np.float32(floor) * generator.standard_normal(samples, np.float32)
    kept = slice(max(0, start), start + len(waveform))
    placed[kept] = waveform[max(0, -start) :][: samples - kept.start]
    return placed


def _frame_powers(waveform: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Returns the mean power of each frame, float64 [frames]; the last one may be shorter."""
    length = _frame(sample_rate_hz)
    starts = np.arange(0, len(waveform), length)
    if not len(starts):
        return np.zeros(0)
    sums = np.add.reduceat(np.square(waveform, dtype=np.float64), starts)
    return sums / np.minimum(length, len(waveform) - starts)


def _frame(sample_rate_hz: int) -> int:
    return max(1, round(_FRAME_SECONDS * sample_rate_hz))


def _drawn(generator: np.random.Generator, highest: float) -> float:
    return generator.uniform(-highest, highest)
