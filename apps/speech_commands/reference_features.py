"""What the network hears of a sound, computed with librosa: the truth for `served_features`."""

import functools
from typing import NamedTuple

import librosa
import librosa.filters as librosa_filters
import numpy as np
import scipy.sparse

from apps import errors
from apps.speech_commands import mel_filters
from apps.speech_commands.config import AudioConfig, FeatureConfig

LOWEST_POWER = 1e-8
"""Of a mel band: -80 dB, a little above the rounding of 16-bit samples at about -93 dB."""
PCEN_SCALE = 2.0**31
"""librosa's constants of pcen are for samples of 32-bit integers."""
DELTA_FRAMES = 9
"""Frames that a difference is fitted to."""


class FrameSizes(NamedTuple):
    """In samples; `transform` is the length of the Fourier transform, a power of two."""

    window: int
    hop: int
    transform: int


@functools.lru_cache(maxsize=8)
def frame_sizes(audio: AudioConfig, features: FeatureConfig) -> FrameSizes:
    """Window and hop, rounded to samples, and the next power of two from the window on.

    Raises errors.UserError where they are nothing, or frames would leave samples out.
    """
    window, hop = (
        round(audio.sample_rate_hz * milliseconds / 1000)
        for milliseconds in (features.window_milliseconds, features.hop_milliseconds)
    )
    if not 1 <= hop <= window or window < 4:
        raise errors.UserError(
            f"features.hop_milliseconds: a hop of {hop} and a window of {window} samples make no "
            "frames; a hop is at least a sample and at most the window, a window at least 4"
        )
    return FrameSizes(window, hop, 1 << (window - 1).bit_length())


def channel_count(features: FeatureConfig) -> int:
    """Values of a frame. Raises errors.UserError for more coefficients than mel bands."""
    channels = coefficients(features) if features.kind == "mfcc" else features.mel_bands
    return 3 * channels if features.deltas else channels


def coefficients(features: FeatureConfig) -> int:
    """Of mfcc. Raises errors.UserError for more than there are mel bands."""
    if not 1 <= features.coefficients <= features.mel_bands:
        raise errors.UserError(
            f"features.coefficients: {features.coefficients} is not between 1 and the number of "
            f"mel bands, {features.mel_bands}"
        )
    return features.coefficients


def extract(
    waveform: np.ndarray, audio: AudioConfig, features: FeatureConfig, band_warp: float = 0.0
) -> np.ndarray:
    """Features of a sound, float32 [frames, channels], by librosa in float64.

    Frame t covers the `window` samples from t hop on, under a periodic Hann window, and there are
    1 + (samples - window) // hop of them: the last samples may be in none. A shorter sound is
    filled up with zeros to one window. With `centre` frame t has its middle at t hop, with zeros
    before the first and after the last sample, and there are 1 + samples // hop.

        log_mel   10 log10 max(mel power, 1e-8), in dB
        mfcc      the first coefficients of the orthonormal cosine transform (II) of log_mel
        pcen      (E / (1e-6 + M)^0.98 + 2)^0.5 - 2^0.5 of the mel magnitudes E of the sound times
                  2^31, where M(t) = (1 - s) M(t-1) + s E(t), M(-1) = 1, s for 0.4 s
        deltas    after them the slopes, and after these the curvatures, of a line and a parabola
                  fitted to nine frames; the first and the last four frames take those of their
                  neighbours, and a sound of fewer than nine frames has its last one repeated

    Args:
        waveform: float32 [samples], one channel at `audio.sample_rate_hz`, of any length.
        audio: its sample rate counts.
        features: which features.
        band_warp: share by which the mel bands are moved up; see `mel_filters.warped`.

    Source: librosa 0.11, whose STFT and mel filters, power_to_db, pcen, mfcc and delta these are.
    In float32 a pure tone's rounding would drown its quiet bands, differently in every library.
    """
    sizes = frame_sizes(audio, features)
    spectrum = librosa.stft(
        _padded(waveform, sizes, features.centre),
        n_fft=sizes.transform,
        hop_length=sizes.hop,
        win_length=sizes.window,
        window=_window(sizes.window),
        center=False,
    )
    bins = sizes.transform // 2 + 1
    filters = _plain_filters(audio, features, bins)
    if band_warp:
        filters = scipy.sparse.csr_array(mel_filters.warped(audio, features, bins, band_warp))
    if features.kind == "pcen":
        energies = PCEN_SCALE * (filters @ np.abs(spectrum))
        values = librosa.pcen(energies, sr=audio.sample_rate_hz, hop_length=sizes.hop)
    else:
        power = filters @ (spectrum.real**2 + spectrum.imag**2)
        values = librosa.power_to_db(power, amin=LOWEST_POWER, top_db=None)
    if features.kind == "mfcc":
        values = librosa.feature.mfcc(S=values, n_mfcc=coefficients(features))
    if features.deltas:
        values = np.concatenate([values, _delta(values, 1), _delta(values, 2)])
    return np.ascontiguousarray(values.T, np.float32)


def _padded(waveform: np.ndarray, sizes: FrameSizes, centre: bool) -> np.ndarray:
    """Float64, with zeros around it so that librosa's frames are those that `extract` tells of.

    librosa puts a window into the middle of a transform's samples; what is outside of it counts
    for nothing, but has to be there.
    """
    before = (sizes.transform - sizes.window) // 2
    after = sizes.transform - sizes.window - before + max(0, sizes.window - len(waveform))
    if centre:
        before = after = sizes.transform // 2
    padded = np.zeros(before + len(waveform) + after)
    padded[before : before + len(waveform)] = waveform
    return padded


@functools.lru_cache(maxsize=8)
def _plain_filters(audio: AudioConfig, features: FeatureConfig, bins: int) -> scipy.sparse.sparray:
    """Sparse: a bin is in two bands at most; and the threads of a full product slow processes."""
    return scipy.sparse.csr_array(mel_filters.filters(audio, features, bins))


@functools.lru_cache(maxsize=8)
def _window(samples: int) -> np.ndarray:
    return librosa_filters.get_window("hann", samples)


def _delta(values: np.ndarray, order: int) -> np.ndarray:
    frames = values.shape[1]
    repeated = np.pad(values, ((0, 0), (0, max(0, DELTA_FRAMES - frames))), mode="edge")
    return librosa.feature.delta(repeated, width=DELTA_FRAMES, order=order)[:, :frames]
