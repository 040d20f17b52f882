import dataclasses

import numpy as np
import pytest

from apps.suite.videos import augmentation
from apps.suite.videos.config import ChangeConfig

NOTHING = ChangeConfig(
    highest_shift_share=0, highest_zoom_share=0, highest_brightness=0, highest_contrast=0
)


def clips(count=4, time=5, height=20, width=24, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, time, height, width, 3), dtype=np.uint8)


def drawn(count, height, width, seed=0, flip=False, erase_probability=0.0, **options):
    config = dataclasses.replace(NOTHING, **options)
    return augmentation.draw_changes(
        np.random.default_rng(seed), count, height, width, config,
        flip=flip, erase_probability=erase_probability,
    )  # fmt: skip


def changed(frames, seed=0, **options):
    changes = drawn(len(frames), *frames.shape[2:4], seed, **options)
    return augmentation.apply_changes(frames, changes)


def test_nothing_changes_nothing():
    frames = clips()
    np.testing.assert_array_equal(changed(frames), frames)


@pytest.mark.parametrize(
    "options",
    [
        {"flip": True},
        {"highest_shift_share": 0.3},
        {"highest_zoom_share": 0.3},
        {"highest_brightness": 0.2},
        {"highest_contrast": 0.5},
        {"erase_probability": 1.0},
    ],
)
def test_a_clip_that_stands_still_stands_still_afterwards_and_each_clip_has_its_own(options):
    frames = np.repeat(clips(8, 1), 5, axis=1)
    found = changed(frames, **options)
    assert found.dtype == np.uint8
    assert (found == found[:, :1]).all()
    altered = [(one != other).any() for one, other in zip(found, frames, strict=True)]
    assert sum(altered) >= 2
    assert len({(one - other).tobytes() for one, other in zip(found, frames, strict=True)}) >= 2


def test_a_flip_is_the_mirror_image_of_half_of_the_clips():
    frames = clips(40)
    found = changed(frames, flip=True)
    mirrored = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(found, frames, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(found, frames, strict=True)]
    assert sum(mirrored) + sum(same) == 40
    assert 10 <= sum(mirrored) <= 30


def test_a_shift_moves_by_no_more_than_it_may():
    frames = np.zeros((30, 2, 21, 21, 3), np.uint8)
    frames[:, :, 10, 10] = 255
    found = changed(frames, highest_shift_share=0.2).astype(float)
    weight = found.sum(axis=(1, 4))
    places = np.arange(21)
    for axis in (1, 2):
        middle = (weight.sum(axis=axis) * places).sum(-1) / weight.sum(axis=(1, 2))
        assert np.abs(middle - 10).max() <= 0.2 * 21 + 0.1
        assert np.ptp(middle) > 4


def test_a_zoom_keeps_the_middle_and_a_size_within_its_share():
    frames = np.zeros((30, 1, 41, 41, 3), np.uint8)
    frames[:, :, 10:31, 10:31] = 255
    found = changed(frames, highest_zoom_share=0.25) > 127
    sides = np.sqrt(found[:, 0, :, :, 0].sum(axis=(1, 2)))
    assert sides.min() >= 21 / 1.25 - 1
    assert sides.max() <= 21 * 1.25 + 1
    assert np.ptp(sides) > 5
    np.testing.assert_array_equal(found, found[:, :, ::-1])


def test_contrast_keeps_the_mean_and_brightness_moves_it_alike_everywhere():
    frames = np.clip(clips() // 4 + 90, 0, 255).astype(np.uint8)
    flatter = changed(frames, highest_contrast=0.3)
    np.testing.assert_allclose(
        flatter.mean(axis=(1, 2, 3, 4)), frames.mean(axis=(1, 2, 3, 4)), atol=1
    )
    lighter = changed(frames, highest_brightness=0.1).astype(int) - frames
    assert (np.ptp(lighter.reshape(4, -1), axis=1) <= 1).all()
    assert np.abs(lighter).max() <= 26


def test_what_is_erased_is_one_grey_in_all_frames():
    frames = clips(10)
    found = changed(frames, erase_probability=1.0)
    for one, other in zip(found, frames, strict=True):
        hidden = (one != other).any(axis=(0, 3))
        assert 0.03 < hidden.mean() < 0.3
        assert len(np.unique(one[:, hidden])) <= 2


@pytest.mark.parametrize(
    "options", [{}, {"flip": True}, {"highest_shift_share": 0.2, "highest_zoom_share": 0.3}]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_box_goes_where_its_pixels_go(options, seed):
    frames = np.zeros((1, 1, 80, 96, 3), np.uint8)
    frames[0, 0, 30:46, 40:64] = 255
    changes = drawn(1, 80, 96, seed, **options)
    after = augmentation.apply_changes(frames, changes)[0, 0, ..., 0] > 127
    rows, columns = np.flatnonzero(after.any(axis=1)), np.flatnonzero(after.any(axis=0))
    box = np.array([40 / 96, 30 / 80, 64 / 96, 46 / 80])
    moved = augmentation.apply_to_boxes(box, changes, 80, 96) * [96, 80, 96, 80]
    seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(moved, seen, atol=0.75)
