"""Masks hide what they may and no more, and are functions of their seed alone."""

import dataclasses

import librosa
import numpy as np
import tensorflow as tf

from apps.suite.sounds import spec_augment
from apps.suite.sounds.config import AugmentationConfig, FeatureConfig, RecordingConfig

ROWS, TIME, CHANNELS = 300, 60, 12
FRAMES = np.random.default_rng(0).integers(0, TIME + 1, ROWS).astype(np.int32)
FILL = np.linspace(-900.0, -800.0, CHANNELS, dtype=np.float32)
NONE = AugmentationConfig(time_masks=0, band_masks=0)
FEATURES = np.random.default_rng(1).normal(size=(ROWS, TIME, CHANNELS)).astype(np.float32)

in_graph = tf.function(spec_augment.mask_features, autograph=False)


def masked(seed=(0, 0), frames=FRAMES, **changes):
    settings = dataclasses.replace(NONE, **changes)
    seed = tf.constant(seed, tf.int64)
    return in_graph(FEATURES, frames, seed, settings, FILL).numpy()


def hidden(found):
    """Where the fill is, bool [rows, time, channels]; all else is as it was."""
    is_filled = found == FILL
    np.testing.assert_array_equal(found[~is_filled], FEATURES[~is_filled])
    return is_filled


def runs(row):
    """How many runs of True there are."""
    return int((np.diff(np.concatenate([[0], row.astype(int)])) == 1).sum())


def test_a_warp_moves_a_tone_along_the_bands_by_its_share():
    bands = FeatureConfig(mel_bands=60, lowest_hz=100.0, highest_hz=7_000.0)
    drawn = AugmentationConfig(highest_drawn_warp=0.1)
    warps = spec_augment.band_warps(RecordingConfig(), bands, drawn)
    np.testing.assert_allclose(warps[len(warps) // 2], np.eye(60), atol=1e-6)
    middles = librosa.mel_frequencies(62, fmin=100.0, fmax=7_000.0)[1:-1]
    heights = middles[None, :] @ warps  # of a sound whose level is its frequency
    for stretch, moved in ((0.9, heights[0]), (1.1, heights[-1])):
        expected = np.clip(stretch * middles, middles[0], middles[-1])
        np.testing.assert_allclose(moved[0], expected, rtol=1e-4)


def test_each_row_has_a_warp_of_its_own_that_the_seed_decides_and_padding_stays():
    bands = FeatureConfig(mel_bands=CHANNELS)
    settings = AugmentationConfig(highest_drawn_warp=0.1)
    warps = spec_augment.band_warps(RecordingConfig(), bands, settings)
    same = np.repeat(FEATURES[:1], ROWS, axis=0)
    same[:, 50:] = 0.0
    found = spec_augment.warped(same, tf.constant([1, 2]), warps).numpy()
    assert len(np.unique(found[:, 0], axis=0)) > len(warps) // 2
    np.testing.assert_array_equal(found[:, 50:], 0.0)
    again = spec_augment.warped(same, tf.constant([1, 2]), warps).numpy()
    np.testing.assert_array_equal(found, again)
    assert (spec_augment.warped(same, tf.constant([1, 3]), warps).numpy() != found).any()


def test_without_a_drawn_warp_or_of_cepstra_features_stay_as_they_are():
    cepstra = FeatureConfig(kind="mfcc")
    for bands, highest in ((FeatureConfig(), 0.0), (cepstra, 0.1)):
        settings = AugmentationConfig(highest_drawn_warp=highest)
        warps = spec_augment.band_warps(RecordingConfig(), bands, settings)
        assert spec_augment.warped(FEATURES, tf.constant([0, 0]), warps) is FEATURES


def test_differences_over_time_are_warped_as_their_bands_are():
    bands, settings = FeatureConfig(mel_bands=4), AugmentationConfig(highest_drawn_warp=0.1)
    deltas = dataclasses.replace(bands, deltas=True)
    alone = spec_augment.band_warps(RecordingConfig(), bands, settings)
    warps = spec_augment.band_warps(RecordingConfig(), deltas, settings)
    found = spec_augment.warped(FEATURES, tf.constant([1, 2]), warps).numpy()
    for first in range(0, CHANNELS, 4):
        part = FEATURES[:, :, first : first + 4]
        expected = spec_augment.warped(part, tf.constant([1, 2]), alone)
        np.testing.assert_allclose(found[:, :, first : first + 4], expected, atol=1e-5)


def filtered(seed=(1, 2), highest_db=6.0, **kind):
    features = FeatureConfig(**{"mel_bands": CHANNELS, **kind})
    settings = AugmentationConfig(highest_drawn_filter_db=highest_db)
    gains = spec_augment.band_gains(features, settings)
    return spec_augment.filtered(FEATURES, FRAMES, tf.constant(seed), gains)


def test_a_filter_is_of_a_row_smooth_over_the_bands_and_the_same_in_all_its_frames():
    added = filtered().numpy() - FEATURES
    heard = np.arange(TIME) < FRAMES[:, None]
    np.testing.assert_array_equal(added[~heard], 0.0)
    first = added[FRAMES > 0, 0]
    gains = np.where(heard[FRAMES > 0][:, :, None], first[:, None], 0.0)
    np.testing.assert_allclose(added[FRAMES > 0], gains, atol=1e-5)
    assert 5.5 < np.abs(first).max() <= 6.0001
    assert np.abs(first.mean(axis=0)).max() < 1.0
    # between five points evenly over the bands there are four straight lines
    assert np.abs(np.diff(first, axis=1)).max() <= 12.001 * 4 / (CHANNELS - 1)
    assert len(np.unique(first.round(3), axis=0)) == len(first)


def test_a_gain_is_the_same_in_all_bands_and_no_band_falls_below_the_lowest_level():
    settings = AugmentationConfig(highest_drawn_gain_db=20.0)
    gains = spec_augment.band_gains(FeatureConfig(mel_bands=CHANNELS), settings)

    def ask(features):
        given = features.astype(np.float32)
        return spec_augment.filtered(given, FRAMES, tf.constant([1, 2]), gains).numpy() - given

    added = ask(FEATURES)[FRAMES > 0, 0]
    np.testing.assert_allclose(added, np.repeat(added[:, :1], CHANNELS, axis=1), atol=1e-4)
    assert added.min() < -19
    assert added.max() > 19
    quiet = np.full_like(FEATURES, -70.0)
    assert (ask(quiet) + quiet).min() == -80.0
    np.testing.assert_allclose(ask(quiet)[FRAMES > 0, 0], np.maximum(added, -10), atol=1e-4)


def test_the_seed_decides_a_filter():
    np.testing.assert_array_equal(filtered(), filtered())
    assert (filtered().numpy() != filtered((1, 3)).numpy()).any()


def test_a_filter_leaves_differences_over_time_alone():
    added = filtered(mel_bands=4, deltas=True).numpy() - FEATURES
    assert added[..., :4].any()
    np.testing.assert_array_equal(added[..., 4:], 0.0)


def test_without_a_filter_or_decibels_features_stay_as_they_are():
    assert filtered(highest_db=0.0) is FEATURES
    settings = AugmentationConfig(highest_drawn_filter_db=6.0, highest_drawn_gain_db=6.0)
    for kind in ("pcen", "mfcc"):
        gains = spec_augment.band_gains(FeatureConfig(kind=kind, mel_bands=CHANNELS), settings)
        assert spec_augment.filtered(FEATURES, FRAMES, tf.constant([1, 2]), gains) is FEATURES


def test_a_tempo_stretches_each_row_by_its_own_share_and_keeps_what_a_text_needs():
    frames = np.maximum(FRAMES, 1)
    rising = np.where(np.arange(TIME) < frames[:, None], np.arange(TIME, dtype="f"), 0.0)
    given = np.repeat(rising[:, :, None], 2, axis=2)
    least = np.where(np.arange(ROWS) % 2, frames, 0).astype("int32")

    def ask(seed, highest=0.2):
        found = spec_augment.stretched(given, frames, tf.constant(seed), highest, least)
        return [np.asarray(each) for each in found]

    values, after = ask([1, 2])
    share = after / frames
    assert (np.abs(share[::2] - 1) <= 0.2 + 0.5 / frames[::2]).all()
    assert (after[1::2] >= frames[1::2]).all()
    assert len(np.unique(share.round(3))) > 20
    for row in range(ROWS):
        places = np.minimum(np.arange(after[row]) * frames[row] / after[row], frames[row] - 1)
        np.testing.assert_allclose(values[row, : after[row], 1], places, rtol=1e-4, atol=1e-4)
        assert not values[row, after[row] :].any()
    again, other = ask([1, 2]), ask([1, 3])
    np.testing.assert_array_equal(values, again[0])
    assert (after != other[1]).any()
    assert ask([1, 2], 0.0)[0] is given


def test_no_masks_change_nothing():
    np.testing.assert_array_equal(masked(), FEATURES)
    np.testing.assert_array_equal(masked(time_masks=2, highest_time_mask_frames=0), FEATURES)


def test_time_masks_hide_whole_frames_and_at_most_a_fifth_of_a_clip_each():
    where = hidden(masked(time_masks=2, highest_time_mask_frames=7))
    np.testing.assert_array_equal(where.all(axis=2), where.any(axis=2))
    for row, frames in zip(where.any(axis=2), FRAMES, strict=True):
        assert not row[frames:].any()
        assert row.sum() <= 2 * min(7, frames // 5)
        assert runs(row) <= 2


def test_band_masks_hide_neighbours_in_all_real_frames():
    where = hidden(masked(band_masks=1, highest_band_mask=4))
    for row, frames in zip(where, FRAMES, strict=True):
        assert not row[frames:].any()
        if frames:
            np.testing.assert_array_equal(row[:frames].all(axis=0), row[:frames].any(axis=0))
            assert row[0].sum() <= 4
            assert runs(row[0]) <= 1


def test_widths_and_places_are_drawn_evenly():
    frames = np.full(ROWS, TIME, np.int32)
    widths, starts = [], []
    for seed in range(20):
        where = hidden(masked((seed, 1), frames, time_masks=1, highest_time_mask_frames=3))
        times = where.any(axis=2)
        widths.extend(times.sum(axis=1))
        starts.extend(times.argmax(axis=1)[times.sum(axis=1) == 3])
    counts = np.bincount(widths, minlength=4)
    assert (np.abs(counts - 1_500) < 4 * np.sqrt(1_500 * 0.75)).all()
    counts = np.bincount(starts, minlength=TIME - 2)
    assert len(counts) == TIME - 2
    expected = len(starts) / (TIME - 2)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 95  # 99.9 % of draws with 57 degrees of freedom


def test_masks_wider_than_the_features_still_fit():
    where = hidden(masked(band_masks=3, highest_band_mask=500, time_masks=1))
    assert where.any()
    widest = hidden(masked(time_masks=1, highest_time_mask_frames=10**6)).any(axis=2).sum(axis=1)
    assert (widest <= FRAMES // 5).all()
    assert widest.max() > 8


def test_masks_are_a_function_of_the_seed():
    changes = {"time_masks": 2, "band_masks": 2}
    np.testing.assert_array_equal(masked((3, 4), **changes), masked((3, 4), **changes))
    assert (masked((3, 4), **changes) != masked((3, 5), **changes)).any()
    assert (masked((3, 4), **changes) != masked((4, 4), **changes)).any()
    large = 2**40  # steps and seeds of 64 bits
    assert (masked((large, 4), **changes) != masked((0, 4), **changes)).any()


def test_rows_have_masks_of_their_own():
    where = hidden(masked(frames=np.full(ROWS, TIME, np.int32), time_masks=1))
    assert len(np.unique(where.any(axis=2), axis=0)) > 100


def test_inside_a_data_set_masks_are_those_of_a_plain_call():
    settings = AugmentationConfig()
    seeds = tf.data.Dataset.range(3).map(
        lambda step: spec_augment.mask_features(
            FEATURES, FRAMES, tf.stack([7, step]), settings, FILL
        )
    )
    for step, found in enumerate(seeds):
        seed = tf.constant([7, step], tf.int64)
        np.testing.assert_array_equal(
            found, spec_augment.mask_features(FEATURES, FRAMES, seed, settings, FILL)
        )
