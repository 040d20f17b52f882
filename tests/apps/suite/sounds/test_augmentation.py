"""A copy is altered by what the config says and no more, and keeps the whole word."""

import dataclasses

import numpy as np
import pytest

from apps.speech_commands.config import AudioConfig, AugmentationConfig
from apps.suite.sounds import augmentation
from tests.apps.speech_commands import sounds

RATE = 16_000
AUDIO = AudioConfig(sample_rate_hz=RATE)
NOTHING = AugmentationConfig(
    highest_speed_change=0.0,
    highest_shift_seconds=0.0,
    noise_probability=0.0,
    highest_gain_db=0.0,
    highest_band_warp=0.0,
)


def alter(waveform, seed=0, noise=(), **changes):
    config = dataclasses.replace(NOTHING, **changes)
    return augmentation.alter(waveform, noise, AUDIO, config, np.random.default_rng(seed))


def word(before=4_000, samples=6_400, after=5_600, hertz=1_000):
    """A tone in a second of digital silence."""
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)
    return np.pad(tone, (before, after)).astype(np.float32)


def energy(waveform):
    return np.square(waveform, dtype=np.float64).sum()


def loud_samples(waveform):
    """From the first to the last sample of a `word` that is not resampling's faint ringing."""
    return np.ptp(np.flatnonzero(np.abs(waveform) > 0.2)) + 1


def test_nothing_to_alter_leaves_the_recording_as_it_is():
    for waveform in sounds.hard(RATE).values():
        altered, band_warp = alter(waveform)
        np.testing.assert_array_equal(altered, waveform)
        assert altered.dtype == np.float32
        assert band_warp == 0.0


def test_a_copy_is_a_function_of_the_seed_alone():
    waveform, noise = word(), [sounds.hard(RATE)["noise"]]
    whole = AugmentationConfig(noise_probability=1.0)

    def copy(seed):
        return augmentation.alter(waveform, noise, AUDIO, whole, np.random.default_rng(seed))

    first, again, other = copy(1), copy(1), copy(2)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1] != other[1]
    assert not np.array_equal(first[0], other[0])


def test_speed_changes_pitch_and_length_together():
    pitches, lengths = [], []
    for seed in range(30):
        altered, _ = alter(word(), seed, highest_speed_change=0.15)
        assert len(altered) == RATE
        spectrum = np.abs(np.fft.rfft(altered))
        pitches.append(spectrum.argmax() / 1_000)
        lengths.append(loud_samples(altered) / 6_400)
    np.testing.assert_allclose(np.array(pitches) * lengths, 1.0, atol=0.01)
    assert 0.85 <= min(pitches) < 0.9
    assert 1.1 < max(pitches) <= 1.15


def test_a_word_is_moved_both_ways_by_at_most_the_shift():
    starts = []
    for seed in range(40):
        altered, _ = alter(word(), seed, highest_shift_seconds=0.1)
        starts.append(np.flatnonzero(altered)[0] - np.flatnonzero(word())[0])
        np.testing.assert_array_equal(np.trim_zeros(altered), np.trim_zeros(word()))
    assert -1_600 <= min(starts) < -800
    assert 800 < max(starts) <= 1_600


@pytest.mark.parametrize(
    ("before", "after"), [(0, 0), (0, 9_600), (9_600, 0), (700, 400), (2_000, 0)]
)
def test_no_part_of_a_word_is_lost_however_it_lies_in_its_clip(before, after):
    waveform = word(before, 6_400, after)
    for seed in range(40):
        altered, _ = alter(waveform, seed, highest_speed_change=0.2, highest_shift_seconds=0.3)
        speed = energy(waveform) / energy(altered)  # samples fewer by the speed, equally loud
        assert 0.8 * 0.99 < speed < 1.2 * 1.01
        assert loud_samples(altered) == pytest.approx(6_400 / speed, rel=0.02)
        if before + after:
            assert len(waveform) <= len(altered) <= max(len(waveform), 6_400 / 0.8 + 640)


def test_a_recording_that_is_sound_from_end_to_end_is_not_filled_up():
    waveform = sounds.hard(RATE)["noise"]
    for seed in range(10):
        altered, _ = alter(waveform, seed, highest_speed_change=0.2, highest_shift_seconds=0.3)
        assert len(altered) != len(waveform)
        assert augmentation.active_frames(altered, RATE).all()


def test_what_becomes_free_is_as_loud_as_the_quietest_part_of_the_recording():
    generator = np.random.default_rng(0)
    waveform = word() + generator.normal(0, 1e-3, RATE).astype(np.float32)
    for seed in range(5):
        moved, _ = alter(waveform, seed, highest_shift_seconds=0.2)
        ends = np.concatenate([moved[:500], moved[-500:]])
        assert np.std(ends) == pytest.approx(1e-3, rel=0.2)


def test_gain_is_drawn_evenly_in_decibels_to_both_sides():
    gains = []
    for seed in range(40):
        altered, _ = alter(word(), seed, highest_gain_db=10.0)
        gains.append(10 * np.log10(energy(altered) / energy(word())))
    assert -10 <= min(gains) < -8
    assert 8 < max(gains) <= 10
    assert abs(np.mean(gains)) < 3


def test_band_warps_are_drawn_to_both_sides():
    warps = [alter(word(), seed, highest_band_warp=0.1)[1] for seed in range(40)]
    assert -0.1 <= min(warps) < -0.08
    assert 0.08 < max(warps) <= 0.1


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
@pytest.mark.parametrize("name", ["word", "speech", "noise"])
def test_noise_is_mixed_at_exactly_its_ratio_over_the_active_part(name, snr_db):
    waveform = {
        "word": word,
        "speech": lambda: sounds.spoken(RATE, 1)[0],
        "noise": lambda: sounds.hard(RATE)["noise"],
    }[name]()
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.3, len(waveform)).astype(np.float32)
    noise[: len(noise) // 2] *= 5  # louder around the word than in it, or the other way round
    added = augmentation.mix(waveform, noise, snr_db, RATE).astype(np.float64) - waveform
    active = np.repeat(augmentation.active_frames(waveform, RATE), 320)[: len(waveform)]
    ratio = energy(waveform[active]) / energy(added[active])
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=1e-3)
    np.testing.assert_allclose(
        added / np.linalg.norm(added), noise / np.linalg.norm(noise), atol=1e-6
    )


def test_the_ratio_of_a_copy_is_within_its_range_and_some_copies_stay_clean():
    noise = [np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)]
    active = np.repeat(augmentation.active_frames(word(), RATE), 320)
    ratios = []
    for seed in range(60):
        changes = {"noise_probability": 0.5, "lowest_snr_db": 5.0, "highest_snr_db": 30.0}
        altered, _ = alter(word(), seed, noise, **changes)
        added = altered - word()
        if added.any():
            ratios.append(10 * np.log10(energy(word()[active]) / energy(added[active])))
    assert 20 < len(ratios) < 40
    assert 5 <= min(ratios) < 10
    assert 25 < max(ratios) <= 30


def test_only_the_active_part_of_a_recording_counts_as_sound():
    active = augmentation.active_frames(word(), RATE)
    np.testing.assert_array_equal(np.flatnonzero(active), np.arange(12, 33))
    assert augmentation.active_frames(np.zeros(1_000, np.float32), RATE).all()
    assert not len(augmentation.active_frames(np.zeros(0, np.float32), RATE))


def test_an_excerpt_is_a_stretch_of_one_of_the_recordings():
    recordings = [np.arange(start, start + 5_000, dtype=np.float32) for start in (0, 10_000)]
    generator = np.random.default_rng(0)
    starts = set()
    for _ in range(50):
        found = augmentation.excerpt(recordings, 1_000, generator)
        np.testing.assert_array_equal(np.diff(found), 1.0)
        starts.add(float(found[0]))
    assert len(starts) > 40
    assert min(starts) < 5_000 < 10_000 < max(starts)
    np.testing.assert_array_equal(
        augmentation.excerpt([recordings[0][:300]], 700, generator),
        np.concatenate([np.arange(300), np.arange(300), np.arange(100)]),
    )


def test_made_noise_falls_with_the_frequency_by_different_colours():
    generator = np.random.default_rng(0)
    slopes = []
    for _ in range(40):
        power = np.abs(np.fft.rfft(augmentation.excerpt((), RATE, generator))) ** 2
        frequencies = np.arange(1, len(power) + 1)
        slopes.append(np.polyfit(np.log(frequencies), np.log(power + 1e-30), 1)[0])
    assert -2.1 < min(slopes) < -1.6
    assert -0.4 < max(slopes) < 0.1
    for samples in (1, 2, 333):
        assert augmentation.excerpt((), samples, generator).shape == (samples,)


@pytest.mark.parametrize("name", list(sounds.hard(RATE)))
def test_any_sound_can_be_altered(name):
    waveform = sounds.hard(RATE)[name]
    whole = AugmentationConfig(noise_probability=1.0)
    for seed in range(3):
        generator = np.random.default_rng(seed)
        altered, _ = augmentation.alter(waveform, (), AUDIO, whole, generator)
        assert altered.dtype == np.float32
        assert np.isfinite(altered).all()
        assert altered.any() == waveform.any()
