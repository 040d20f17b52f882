"""A recording as it might have been: said faster or later, louder, in noise, by another voice.

Hides a few stretches of time and a few neighbouring bands of the features, anew in every step.

Source: Park et al., SpecAugment: a simple data augmentation method for automatic speech recognition
(2019), without its time warping.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
import tensorflow as tf

from apps.suite.sounds.config import AudioConfig, AugmentationConfig

_LARGEST_SHARE = 0.2  # of a clip that one time mask may hide, p in the paper


def mask_features(
    features: tf.Tensor,
    frames: tf.Tensor,
    seed: tf.Tensor,
    augmentation: AugmentationConfig,
    fill: tf.Tensor,
) -> tf.Tensor:
    """Features with masks of their own for each row, in which each channel has its `fill`.

    A mask is as wide as is drawn evenly from 0 to the highest width, at a place drawn evenly from
    those where it fits. Masks may overlap. A time mask is over at most a fifth of its clip and
    never over padding; a band mask is over neighbouring channels in all frames of its clip.

    Args:
        features: float32 [b, t, channels], padded on the right.
        frames: int32 [b], of each row, at most t.
        seed: two integers, int32 or int64 [2]: the same ones draw the same masks.
        augmentation: number and highest width of masks of both kinds.
        fill: float32 [channels], what training has there on average.

    Returns:
        float32 [b, t, channels], padding as it was.
    """
    rows, places, channels = tf.unstack(tf.shape(features))
    seed = tf.convert_to_tensor(seed)
    in_time = _masked(
        frames,
        places,
        augmentation.time_masks,
        tf.minimum(
            augmentation.highest_time_mask_frames,
            tf.cast(_LARGEST_SHARE * tf.cast(frames, tf.float32), tf.int32),
        ),
        tf.random.fold_in(seed, 0),
    )
    in_bands = _masked(
        tf.repeat(channels, rows),
        channels,
        augmentation.band_masks,
        tf.repeat(tf.minimum(augmentation.highest_band_mask, channels), rows),
        tf.random.fold_in(seed, 1),
    )
    is_real = tf.sequence_mask(frames, places)
    hidden = in_time[:, :, None] | (in_bands[:, None, :] & is_real[:, :, None])
    return tf.where(hidden, fill, features)


def _masked(
    lengths: tf.Tensor, places: tf.Tensor, masks: int, highest: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Which of so many places some mask covers, bool [b, places].

    Masks lie within the first `lengths` int32 [b] places, and are at most `highest` int32 [b] wide.
    """
    draws = tf.random.stateless_uniform([2, tf.shape(lengths)[0], masks], seed)
    widths = _drawn_spans(draws[0], highest[:, None])
    starts = _drawn_spans(draws[1], lengths[:, None] - widths)
    place = tf.range(places)
    covered = (starts[..., None] <= place) & (place < (starts + widths)[..., None])
    return tf.reduce_any(covered, axis=1)


def _drawn_spans(uniform: tf.Tensor, highest: tf.Tensor) -> tf.Tensor:
    """Integers from 0 to `highest`, each as likely, from numbers in [0, 1)."""
    drawn = tf.cast(uniform * tf.cast(highest + 1, tf.float32), tf.int32)
    return tf.minimum(drawn, highest)  # a product of large numbers may be rounded up


_FRAME_SECONDS = 0.02
_ACTIVE_SHARE = 1e-3  # of the loudest frame's power, from which on a frame counts as sound
_FLOOR_SHARE = 0.1  # of the frames, the quietest ones: the noise of the recording itself


def alter(
    waveform: np.ndarray,
    noise: Sequence[np.ndarray],
    audio: AudioConfig,
    augmentation: AugmentationConfig,
    generator: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """One altered copy of a recording, a function of the generator's state alone.

    Speed, place, level and band warp are drawn evenly from the config's ranges, and so is the
    signal-to-noise ratio where there is noise. Speed and pitch change together. The copy is as
    long as the recording unless its sound has become longer, and no sound is cut off: what is
    active (see `active_frames`) is moved only so far that all of it stays. What becomes free is
    filled with white noise as loud as the recording's quietest tenth. Nothing is clipped: samples
    may exceed 1.

    Args:
        waveform: float32 [samples].
        noise: recordings of noise, float32 [samples] each; without one, noise is made.
        audio: its sample rate counts.
        augmentation: how much of what.
        generator: where the draws come from.

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
    """The waveform plus as much of the noise as makes this signal-to-noise ratio, float32.

    Powers are means over the active samples (see `active_frames`), of waveform and noise alike:
    what is quiet around a word does not count. Nothing is added to a waveform of zeros, and none
    of a noise that is zero there. Both are float32 [samples].
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
    """Float32 [samples] from one of the recordings, from a place drawn at random.

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
    """Which frames of 20 ms are sound: within 30 dB of the loudest one; bool [frames].

    The last frame may be a part of one; all are active where nothing is heard at all.
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
    """The waveform within so many samples, or as many more as its active part needs."""
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
    """Mean power of each frame, float64 [frames]; the last one's over what there is of it."""
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
