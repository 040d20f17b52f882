"""Masks, warps and stretches features at random, anew in every step.

Sources: Park et al., SpecAugment: a simple data augmentation method for automatic speech
recognition (2019), without its time warping; Jaitly and Hinton, Vocal Tract Length Perturbation
(VTLP) improves speech recognition (2013), for the warp along the bands; Nam et al., FilterAugment:
an acoustic environmental data augmentation method (2022), its linear kind, for the gains of bands.
"""

from __future__ import annotations

import librosa
import numpy as np
import tensorflow as tf

from apps.suite.sounds.config import AugmentationConfig, FeatureConfig, RecordingConfig
from apps.suite.sounds.features import LOWEST_POWER

_LARGEST_SHARE = 0.2  # of a clip that one time mask may hide, p in the paper
_WARPS = 21  # that are drawn from
_FILTER_POINTS = 5  # of the bands, whose gains are drawn


class SpecAugment:
    """Alters batches of features: rows are warped, filtered and stretched, and then masked.

    Args:
        audio: sample rate.
        features: their kind and bands.
        augmentation: how much of each is drawn.
        fill: float32 [channels], what a mask puts there: the mean of the training data.
    """

    def __init__(
        self,
        audio: RecordingConfig,
        features: FeatureConfig,
        augmentation: AugmentationConfig,
        fill: np.ndarray,
    ) -> None:
        self._augmentation = augmentation
        self._warps = band_warps(audio, features, augmentation)
        self._gains = band_gains(features, augmentation)
        self._fill = np.asarray(fill, np.float32)

    def __call__(
        self, features: tf.Tensor, frames: tf.Tensor, seed: tf.Tensor, least: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns features and frames after all changes; arguments as those of `stretched`."""
        drawn = self._augmentation
        features = warped(features, seed, self._warps)
        features = filtered(features, frames, seed, self._gains)
        tempo = drawn.highest_drawn_tempo_change
        features, frames = stretched(features, frames, seed, tempo, least)
        return mask_features(features, frames, seed, drawn, self._fill), frames


def band_warps(
    audio: RecordingConfig, features: FeatureConfig, augmentation: AugmentationConfig
) -> np.ndarray:
    """Returns what `warped` draws from: float32 [warps, channels, channels].

    With a warp w, a band whose middle is f Hz has the value that stands at (1 + w) f Hz, between
    those of the two bands that are next to it; the highest bands repeat the last one. w is spread
    evenly over ±`highest_drawn_warp`. Differences over time are warped as their bands are. Cepstra
    have no bands: there are no warps of them.
    """
    bands, highest = features.mel_bands, augmentation.highest_drawn_warp
    kinds = 3 if features.deltas else 1
    if not highest or features.kind == "mfcc":
        return np.zeros((0, kinds * bands, kinds * bands), np.float32)
    middles = librosa.mel_frequencies(
        bands + 2,
        fmin=features.lowest_hz,
        fmax=min(features.highest_hz, audio.sample_rate_hz / 2),
        htk=features.mel_scale == "htk",
    )[1:-1]
    stretches = 1.0 + np.linspace(-highest, highest, _WARPS)
    unit = np.eye(bands)
    warps = [[np.interp(by * middles, middles, row) for row in unit] for by in stretches]
    return np.kron(np.eye(kinds), np.array(warps)).astype(np.float32)


def warped(features: tf.Tensor, seed: tf.Tensor, warps: np.ndarray) -> tf.Tensor:
    """Warps each row of features by one of `band_warps`, drawn by the seed.

    They are float32 [b, t, channels]; padding of zeros stays. Without warps nothing is changed.
    """
    if not len(warps):
        return features
    drawn = tf.random.stateless_uniform(
        [tf.shape(features)[0]], tf.random.fold_in(seed, 2), maxval=len(warps), dtype=tf.int32
    )
    return tf.matmul(features, tf.gather(tf.constant(warps), drawn))


def band_gains(features: FeatureConfig, augmentation: AugmentationConfig) -> np.ndarray:
    """Returns what `filtered` adds shares of: float32 [gains, channels], in dB.

    The first ones are a filter's: `highest_drawn_filter_db` in the band of a point, and evenly less
    up to the bands of the next points. The last one is `highest_drawn_gain_db` in all bands.
    Differences over time have none. Only log_mel is in decibels, where a filter is a sum: other
    kinds have no gains.
    """
    bands = features.mel_bands
    channels = bands * (3 if features.deltas else 1)
    found = np.zeros((0, bands))
    if features.kind == "log_mel" and augmentation.highest_drawn_filter_db:
        points = np.linspace(0, bands - 1, _FILTER_POINTS)
        unit = augmentation.highest_drawn_filter_db * np.eye(_FILTER_POINTS)
        found = np.array([np.interp(np.arange(bands), points, row) for row in unit])
    if features.kind == "log_mel" and augmentation.highest_drawn_gain_db:
        level = np.full((1, bands), augmentation.highest_drawn_gain_db)
        found = np.concatenate([found, level])
    return np.pad(found, [[0, 0], [0, channels - bands]]).astype(np.float32)


def filtered(
    features: tf.Tensor, frames: tf.Tensor, seed: tf.Tensor, gains: np.ndarray
) -> tf.Tensor:
    """Filters each row as another microphone or room might, alike in all its frames.

    Of each of the `band_gains` a share is drawn evenly from ±1, and added. Bands keep the lowest
    level of the features.

    Args:
        features: float32 [b, t, channels], padded on the right.
        frames: int32 [b], of each row, at most t.
        seed: two integers: the same ones draw the same gains.
        gains: of `band_gains`; without any the features are returned as they are.

    Returns:
        float32 [b, t, channels], padding unchanged.
    """
    if not len(gains):
        return features
    rows, places = tf.shape(features)[0], tf.shape(features)[1]
    drawn = tf.random.stateless_uniform([rows, len(gains)], tf.random.fold_in(seed, 4), -1.0, 1.0)
    added = tf.matmul(drawn, tf.constant(gains))
    is_real = tf.sequence_mask(frames, places)
    # Differences over time, which no gain changes, have no lowest level
    lowest = np.where(gains.any(axis=0), 10.0 * np.log10(LOWEST_POWER), -np.inf)
    louder = tf.maximum(features + added[:, None, :], lowest.astype(np.float32))
    return tf.where(is_real[:, :, None], louder, features)


def stretched(
    features: tf.Tensor, frames: tf.Tensor, seed: tf.Tensor, highest: float, least: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Changes the tempo of each row of features by linear interpolation; its pitch stays.

    Of n frames, row by row, m = round(n · d) are made, d drawn evenly from 1 ± highest, and frame
    k of them is what stands at k · n / m.

    Args:
        features: float32 [b, t, channels], padded on the right.
        frames: int32 [b], of each row, at least 1.
        seed: two integers: the same ones draw the same tempos.
        highest: share by which a row becomes longer or shorter; with 0 nothing is changed.
        least: int32 [b], frames that a row keeps in any case.

    Returns:
        float32 [b, longest, channels] with zeros after the end of a row, and frames int32 [b].
    """
    if not highest:
        return features, frames
    drawn = tf.random.stateless_uniform(
        [tf.shape(frames)[0]], tf.random.fold_in(seed, 3), 1.0 - highest, 1.0 + highest
    )
    before = tf.cast(frames, tf.float32)
    after = tf.maximum(tf.cast(tf.round(before * drawn), tf.int32), least)
    places = tf.range(tf.reduce_max(after))
    steps = before / tf.cast(after, tf.float32)
    at = tf.cast(places, tf.float32) * steps[:, None]
    at = tf.minimum(at, before[:, None] - 1.0)
    first = tf.cast(at, tf.int32)
    second = tf.minimum(first + 1, frames[:, None] - 1)
    share = (at - tf.cast(first, tf.float32))[:, :, None]
    values = tf.gather(features, first, batch_dims=1) * (1.0 - share)
    values += tf.gather(features, second, batch_dims=1) * share
    real = tf.sequence_mask(after, tf.shape(places)[0])
    return tf.where(real[:, :, None], values, 0.0), after


def mask_features(
    features: tf.Tensor,
    frames: tf.Tensor,
    seed: tf.Tensor,
    augmentation: AugmentationConfig,
    fill: tf.Tensor,
) -> tf.Tensor:
    """Masks features, each row at random places; masked channels have their `fill`.

    The width of a mask is drawn evenly from 0 to the highest width, its place evenly from all
    places where it fits. Masks may overlap. A time mask is over at most a fifth of its clip and
    never over padding; a band mask is over neighbouring channels in all frames of its clip.

    Args:
        features: float32 [b, t, channels], padded on the right.
        frames: int32 [b], of each row, at most t.
        seed: two integers, int32 or int64 [2]: the same ones draw the same masks.
        augmentation: number and highest width of masks of both kinds.
        fill: float32 [channels], the mean of the training data.

    Returns:
        float32 [b, t, channels], padding unchanged.
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
    """Marks the places that a mask covers, bool [b, places].

    Masks lie within the first `lengths` int32 [b] places, and are at most `highest` int32 [b] wide.
    """
    draws = tf.random.stateless_uniform([2, tf.shape(lengths)[0], masks], seed)
    widths = _drawn_spans(draws[0], highest[:, None])
    starts = _drawn_spans(draws[1], lengths[:, None] - widths)
    place = tf.range(places)
    covered = (starts[..., None] <= place) & (place < (starts + widths)[..., None])
    return tf.reduce_any(covered, axis=1)


def _drawn_spans(uniform: tf.Tensor, highest: tf.Tensor) -> tf.Tensor:
    """Turns numbers in [0, 1) into integers from 0 to `highest`, all equally likely."""
    drawn = tf.cast(uniform * tf.cast(highest + 1, tf.float32), tf.int32)
    return tf.minimum(drawn, highest)  # a product of large numbers may be rounded up
