"""What turns the bins of a spectrum into mel bands, for a voice as it is or a little taller."""

import functools
import warnings

import librosa
import librosa.filters as librosa_filters
import numpy as np

from apps import errors
from apps.speech_commands.config import AudioConfig, FeatureConfig

_WARPED_SHARE = 0.6  # of the spectrum, from below: where the formants are


@functools.lru_cache(maxsize=8)
def filters(audio: AudioConfig, features: FeatureConfig, bins: int) -> np.ndarray:
    """Weights float64 [mel_bands, bins] of `librosa.filters.mel`, not to be written to.

    Raises errors.UserError where the bands do not fit into the spectrum.
    """
    highest_hz = _highest_hz(audio, features)
    if not 0 <= features.lowest_hz < highest_hz:
        raise errors.UserError(
            f"features.lowest_hz: {features.lowest_hz:g} is not between 0 and the highest "
            f"frequency, {highest_hz:g}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty bands; said below, in the config's words
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


def warped(audio: AudioConfig, features: FeatureConfig, bins: int, band_warp: float) -> np.ndarray:
    """The same with the bands' edges moved, float64 [mel_bands, bins].

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


def _highest_hz(audio: AudioConfig, features: FeatureConfig) -> float:
    return min(features.highest_hz, audio.sample_rate_hz / 2)
