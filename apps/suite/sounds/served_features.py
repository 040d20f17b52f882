"""Computes the features of `features` with stock TensorFlow operations, whole or in a stream.

Exports contain these operations. Numbers are float32 except in the Fourier transform, whose
rounding in float32 would drown quiet bands next to a loud tone.
"""

from __future__ import annotations

import math

import librosa
import librosa.filters as librosa_filters
import numpy as np
import tensorflow as tf

from apps.suite.sounds import features as mel_filters
from apps.suite.sounds.config import FeatureConfig, RecordingConfig

_GAIN, _BIAS, _POWER, _EPSILON, _SECONDS = 0.98, 2.0, 0.5, 1e-6, 0.4  # librosa.pcen's
_FORGOTTEN = 1e-30  # a share this small changes no float32

State = dict[str, tf.Tensor]


def whole(waveforms: tf.Tensor, audio: RecordingConfig, features: FeatureConfig) -> tf.Tensor:
    """Computes features float32 [b, frames, channels] of sounds float32 [b, samples].

    Samples are -1 to 1 at `audio.sample_rate_hz`; batch and samples may be of any number and
    unknown when the graph is made. They differ from `features.extract` by at most 1e-4 of
    the greatest value of the sound's features of the same kind (the features themselves, their
    slopes, their curvatures).
    """
    sizes = mel_filters.frame_sizes(audio, features)
    before, after = 0, tf.maximum(0, sizes.window - tf.shape(waveforms)[1])
    if features.centre:
        before = (sizes.window + 1) // 2
        after = sizes.window - before
    padded = tf.pad(waveforms, [[0, 0], [before, after]])
    values, _ = _values(padded, _first_smoothed(tf.shape(waveforms)[0], features), audio, features)
    if not features.deltas:
        return values
    return tf.concat([values, _delta(values, 1), _delta(values, 2)], axis=-1)


def initial_state(
    batch: int | tf.Tensor, audio: RecordingConfig, features: FeatureConfig
) -> dict[str, tf.Tensor]:
    """Returns the state of `chunk` before the first sample.

    Returns:
        `samples` float32 [b, 0], the first samples of the next frame, fewer than a window. For
        pcen also `smoothed` float32 [b, mel_bands], M of the last frame: ones.

    Raises:
        ValueError: the features need later samples.
    """
    if features.centre or features.deltas:
        raise ValueError("features.centre and features.deltas are not for streams")
    state = {"samples": tf.zeros([batch, 0])}
    if features.kind == "pcen":
        state["smoothed"] = _first_smoothed(batch, features)
    return state


def chunk(
    samples: tf.Tensor, state: State, audio: RecordingConfig, features: FeatureConfig
) -> tuple[tf.Tensor, State]:
    """Computes the frames that `samples` complete.

    Args:
        samples: float32 [b, n], the next ones of each stream, n from 0 on.
        state: of `initial_state` or of the previous chunk.
        audio, features: as in `initial_state`.

    Returns:
        Features float32 [b, new frames, channels], and the state after them. However a sound is
        cut, its frames together equal those of `whole`; but a sound shorter than a window has
        none here.
    """
    sizes = mel_filters.frame_sizes(audio, features)
    heard = tf.concat([state["samples"], samples], axis=1)
    values, smoothed = _values(heard, state.get("smoothed"), audio, features)
    following: State = {"samples": heard[:, tf.shape(values)[1] * sizes.hop :]}
    if smoothed is not None:
        following["smoothed"] = smoothed
    return values, following


def _values(
    samples: tf.Tensor, smoothed: tf.Tensor | None, audio: RecordingConfig, features: FeatureConfig
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Computes features [b, frames, channels] without deltas, of all complete frames."""
    sizes = mel_filters.frame_sizes(audio, features)
    window = librosa_filters.get_window("hann", sizes.window)
    frames = tf.signal.frame(tf.cast(samples, tf.float64), sizes.window, sizes.hop)
    spectrum = tf.signal.rfft(frames * window, [sizes.transform])
    power = tf.cast(tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2, tf.float32)
    filters = mel_filters.mel_filters(audio, features, sizes.transform // 2 + 1)
    to_bands = tf.constant(filters.T, tf.float32)
    if features.kind == "pcen":
        magnitudes = tf.matmul(tf.sqrt(power), to_bands * mel_filters.PCEN_SCALE)
        return _pcen(magnitudes, smoothed, audio.sample_rate_hz / sizes.hop)
    bands = tf.maximum(tf.matmul(power, to_bands), mel_filters.LOWEST_POWER)
    decibels = 10.0 / math.log(10.0) * tf.math.log(bands)
    if features.kind == "log_mel":
        return decibels, None
    coefficients = mel_filters.coefficients(features)
    cosines = librosa.feature.mfcc(S=np.eye(features.mel_bands), n_mfcc=coefficients)
    return tf.matmul(decibels, tf.constant(cosines.T, tf.float32)), None


def _first_smoothed(batch: int | tf.Tensor, features: FeatureConfig) -> tf.Tensor:
    return tf.ones([batch, features.mel_bands])


def _pcen(
    energies: tf.Tensor, before: tf.Tensor, frames_a_second: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes pcen of energies [b, frames, bands]; returns also M [b, bands] of the last frame."""
    reach = _SECONDS * frames_a_second
    weight = (math.sqrt(1.0 + 4.0 * reach**2) - 1.0) / (2.0 * reach**2)
    smoothed = _smoothed(energies, before, weight)
    ratio = energies * (_EPSILON + smoothed[:, 1:]) ** -_GAIN
    values = _BIAS**_POWER * tf.math.expm1(_POWER * tf.math.log1p(ratio / _BIAS))
    return values, smoothed[:, -1]


def _smoothed(energies: tf.Tensor, before: tf.Tensor, weight: float) -> tf.Tensor:
    """Computes M(t) = (1 - weight) M(t-1) + weight E(t) from M(-1) on: [b, 1 + frames, bands].

    In each turn a frame adds the sum that a frame twice as far back has: as many turns as the
    number of frames has binary digits.
    """
    values = tf.concat([before[:, None], weight * energies], axis=1)
    frames = tf.shape(values)[1]

    def add(distance: tf.Tensor, decay: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, ...]:
        earlier = tf.pad(values, [[0, 0], [distance, 0], [0, 0]])[:, :frames]
        earlier = tf.ensure_shape(earlier, values.shape)
        return 2 * distance, decay * decay, values + decay * earlier

    *_, values = tf.while_loop(
        lambda distance, decay, _: (distance < frames) & (decay > _FORGOTTEN),
        add,
        (tf.constant(1), tf.constant(1.0 - weight), values),
    )
    return values


def _delta(values: tf.Tensor, order: int) -> tf.Tensor:
    """Computes slopes (order 1) or curvatures (order 2) over time of [b, frames, channels]."""
    frames = tf.shape(values)[1]
    width = mel_filters.DELTA_FRAMES
    repeats = tf.maximum(0, width - frames)
    values = tf.concat([values, tf.repeat(values[:, -1:], repeats, axis=1)], axis=1)
    weights = librosa.feature.delta(np.eye(width), width=width, order=order)[:, width // 2]
    inside = tf.signal.frame(values, width, 1, axis=1)  # [b, frames - 8, 9, channels]
    inside = tf.tensordot(tf.constant(weights, tf.float32), inside, [[0], [2]])
    ends = [tf.repeat(end, width // 2, axis=1) for end in (inside[:, :1], inside[:, -1:])]
    return tf.concat([ends[0], inside, ends[1]], axis=1)[:, :frames]
