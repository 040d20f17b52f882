"""Computes the features of a sound with librosa; `served_features` must agree with them."""

import functools
import warnings
from typing import NamedTuple

import librosa
import librosa.filters as librosa_filters
import numpy as np
import scipy.sparse

from apps.suite import errors
from apps.suite.sounds.config import FeatureConfig, RecordingConfig

_WARPED_SHARE = 0.6  # of the spectrum, from below: where the formants are
LOWEST_POWER = 1e-8
"""Lowest power of a mel band: -80 dB, a little above the rounding of 16-bit samples (-93 dB)."""
PCEN_SCALE = 2.0**31
"""Scale of samples for pcen: librosa's constants expect 32-bit integers."""
DELTA_FRAMES = 9
"""Number of frames that a difference is fitted to."""


class FrameSizes(NamedTuple):
    """Sizes in samples; `transform` is the length of the Fourier transform, a power of two."""

    window: int
    hop: int
    transform: int


@functools.lru_cache(maxsize=8)
def frame_sizes(audio: RecordingConfig, features: FeatureConfig) -> FrameSizes:
    """Returns window and hop, rounded to samples, and the next power of two from the window on.

    Raises errors.UserError if they are empty, or if frames would leave samples out.
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
    """Returns the number of values of a frame; UserError for more coefficients than mel bands."""
    channels = coefficients(features) if features.kind == "mfcc" else features.mel_bands
    return 3 * channels if features.deltas else channels


def coefficients(features: FeatureConfig) -> int:
    """Returns the number of mfcc coefficients; UserError for more than there are mel bands."""
    if not 1 <= features.coefficients <= features.mel_bands:
        raise errors.UserError(
            f"features.coefficients: {features.coefficients} is not between 1 and the number of "
            f"mel bands, {features.mel_bands}"
        )
    return features.coefficients


def extract(
    waveform: np.ndarray, audio: RecordingConfig, features: FeatureConfig, band_warp: float = 0.0
) -> np.ndarray:
    """Computes the features of a sound, float32 [frames, channels], with librosa in float64.

    Frame t covers the `window` samples from t hop on, under a periodic Hann window, and there are
    1 + (samples - window) // hop of them: the last samples may lie in no frame. A shorter sound is
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
        audio: gives the sample rate.
        features: kind and sizes.
        band_warp: share by which the mel bands are moved up; see `warped_filters`.

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
        filters = scipy.sparse.csr_array(warped_filters(audio, features, bins, band_warp))
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
    """Returns float64 samples, padded so that librosa's frames are the ones described in `extract`.

    librosa puts a window into the middle of a transform's samples; the samples around it are
    ignored, but must exist.
    """
    before = (sizes.transform - sizes.window) // 2
    after = sizes.transform - sizes.window - before + max(0, sizes.window - len(waveform))
    if centre:
        before = after = sizes.transform // 2
    padded = np.zeros(before + len(waveform) + after)
    padded[before : before + len(waveform)] = waveform
    return padded


@functools.lru_cache(maxsize=8)
def _plain_filters(
    audio: RecordingConfig, features: FeatureConfig, bins: int
) -> scipy.sparse.sparray:
    """Returns sparse filters: a bin is in two bands at most, and dense products start threads."""
    return scipy.sparse.csr_array(mel_filters(audio, features, bins))


@functools.lru_cache(maxsize=8)
def _window(samples: int) -> np.ndarray:
    return librosa_filters.get_window("hann", samples)


def _delta(values: np.ndarray, order: int) -> np.ndarray:
    frames = values.shape[1]
    repeated = np.pad(values, ((0, 0), (0, max(0, DELTA_FRAMES - frames))), mode="edge")
    return librosa.feature.delta(repeated, width=DELTA_FRAMES, order=order)[:, :frames]


@functools.lru_cache(maxsize=8)
def mel_filters(audio: RecordingConfig, features: FeatureConfig, bins: int) -> np.ndarray:
    """Returns weights float64 [mel_bands, bins] of `librosa.filters.mel`, which are read-only.

    Raises errors.UserError if the bands do not fit into the spectrum.
    """
    highest_hz = _highest_hz(audio, features)
    if not 0 <= features.lowest_hz < highest_hz:
        raise errors.UserError(
            f"features.lowest_hz: {features.lowest_hz:g} is not between 0 and the highest "
            f"frequency, {highest_hz:g}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about empty bands; raised below with the config's names
        weights = librosa_filters.mel(
            sr=audio.sample_rate_hz,
            n_fft=2 * (bins - 1),
            n_mels=features.mel_bands,
            fmin=features.lowest_hz,
            fmax=highest_hz,
            htk=features.mel_scale == "htk",
            norm="slaney" if features.mel_norm == "slaney" else None,
            dtype=np.float64,
        )
    if not weights.any(axis=1).all():
        raise errors.UserError(
            f"features.mel_bands: {features.mel_bands} bands are finer than the spectrum of a "
            "window; take fewer, or a longer features.window_milliseconds"
        )
    weights.flags.writeable = False
    return weights


def warped_filters(
    audio: RecordingConfig, features: FeatureConfig, bins: int, band_warp: float
) -> np.ndarray:
    """Returns `mel_filters` with the bands' edges moved, float64 [mel_bands, bins].

    A vocal tract that is longer by some share has its formants lower by it. Moving the bands up by
    `band_warp` (0.1 = a tenth) lets a voice sound so. With α = 1 + band_warp, N half the sample
    rate and F 0.6 N, an edge at f Hz goes to

        α f                                             where f ≤ F min(α, 1) / α
        N - (N - F min(α, 1)) / (N - F min(α, 1) / α) (N - f)   above, so that N stays N

    Source: Jaitly and Hinton, Vocal Tract Length Perturbation (VTLP) improves speech recognition
    (2013), with F as a share of the band, since theirs (4800 Hz) is above half of some rates.
    """
    edges = librosa.mel_frequencies(
        features.mel_bands + 2,
        fmin=features.lowest_hz,
        fmax=_highest_hz(audio, features),
        htk=features.mel_scale == "htk",
    )
    half_rate = audio.sample_rate_hz / 2
    stretch = 1.0 + band_warp
    bent = _WARPED_SHARE * half_rate * min(stretch, 1.0)
    slope = (half_rate - bent) / (half_rate - bent / stretch)
    edges = np.where(
        edges <= bent / stretch, stretch * edges, half_rate - slope * (half_rate - edges)
    )
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    frequencies = np.linspace(0.0, half_rate, bins)
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return weights * 2.0 / (high - low) if features.mel_norm == "slaney" else weights


def _highest_hz(audio: RecordingConfig, features: FeatureConfig) -> float:
    return min(features.highest_hz, audio.sample_rate_hz / 2)
