"""What stands between a mouth and a recording: a room, noises, a level. Float32 [samples] all."""

import numpy as np

SAMPLE_RATE_HZ = 16_000
NOISES = ("white", "pink", "brown", "wind", "hum", "machine", "knocks")


def reverberant(dry: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The sound in a small room: itself, then an exponentially falling tail of noise.

    The tail falls by 60 dB in 0.1 to 0.4 s and holds 3 to 15 dB less energy than the direct sound.
    The result is as long as `dry` and the tail together.
    """
    decay_seconds = random.uniform(0.1, 0.4)
    count = int(decay_seconds * SAMPLE_RATE_HZ)
    tail = random.standard_normal(count) * np.exp(-6.9 * np.arange(count) / count)
    tail[: int(random.uniform(0.002, 0.012) * SAMPLE_RATE_HZ)] = 0.0  # until the first wall answers
    tail *= 10 ** (-random.uniform(3.0, 15.0) / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    length = len(dry) + count - 1
    size = 1 << (length - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(tail, size), size)[:length]
    return wet.astype(np.float32)


def noise(kind: str, count: int, random: np.random.Generator) -> np.ndarray:
    """`count` samples of one of `NOISES`, of root mean square 1."""
    seconds = np.arange(count) / SAMPLE_RATE_HZ
    if kind in ("white", "pink", "brown"):
        tilt = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind] + random.uniform(-0.1, 0.1)
        made = _coloured(count, tilt, random)
    elif kind == "wind":  # gusts
        gusts = 1 + 0.9 * np.sin(2 * np.pi * (random.uniform(0.3, 2.0) * seconds + random.random()))
        made = _coloured(count, random.uniform(0.9, 1.4), random) * gusts
    elif kind == "hum":  # mains and its overtones, over a faint hiss
        mains = random.choice([50.0, 60.0])
        made = 0.05 * _coloured(count, 0.5, random)
        for overtone in range(1, 12):
            phase = 2 * np.pi * (mains * overtone * seconds + random.random())
            made = made + random.random() / overtone * np.sin(phase)
    elif kind == "machine":  # a whine through a band of noise
        turn = random.uniform(80, 900)
        drift = 1 + 0.02 * np.sin(2 * np.pi * random.uniform(0.5, 4.0) * seconds)
        phase = 2 * np.pi * np.cumsum(turn * drift) / SAMPLE_RATE_HZ
        whine = sum(random.random() / k * np.sin(k * phase) for k in range(1, 8))
        made = whine + random.uniform(0.3, 2.0) * _coloured(count, 0.5, random)
    elif kind == "knocks":  # a few short bursts over a faint hiss
        made = 0.05 * _coloured(count, 0.3, random)
        for _ in range(random.integers(2, 9)):
            length = int(random.uniform(0.005, 0.05) * SAMPLE_RATE_HZ)
            burst = _coloured(length, random.uniform(0.0, 0.8), random)
            start = random.integers(0, count - length)
            made[start : start + length] += burst * np.exp(-5 * np.arange(length) / length)
    else:
        raise ValueError(f"no noise of the kind {kind}")
    return with_unit_power(made)


def mixed(sound: np.ndarray, background: np.ndarray, snr_db: float, start: int) -> np.ndarray:
    """`background` with `sound` in it from `start` on; what does not fit at the end falls away.

    Where the sound is, its power is `snr_db` decibels above that of the background.
    """
    mix = background * 10 ** (-snr_db / 20) * np.sqrt(np.mean(sound**2))
    heard = sound[: len(mix) - start]
    mix[start : start + len(heard)] += heard
    return mix


def with_unit_power(sound: np.ndarray) -> np.ndarray:
    """The sound at a level at which its root mean square is 1."""
    return (sound / np.sqrt(np.mean(np.square(sound, dtype=np.float64)))).astype(np.float32)


def _coloured(count: int, tilt: float, random: np.random.Generator) -> np.ndarray:
    """Noise of power 1 whose amplitude falls with frequency to the power of -`tilt`."""
    spectrum = np.fft.rfft(random.standard_normal(count))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** tilt
    spectrum[: max(1, count * 20 // SAMPLE_RATE_HZ)] = 0.0  # nothing a microphone does not hear
    return with_unit_power(np.fft.irfft(spectrum, count)).astype(np.float64)
