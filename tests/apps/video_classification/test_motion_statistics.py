import keras
import numpy as np
import pytest

from apps.video_classification import motion
from apps.video_classification.motion import MotionStatistics

OF_ONE_SCALE = 37
SMALLEST = np.log(motion.FLOOR)


def ground(height=48, width=64, seed=0):
    return np.random.default_rng(seed).integers(60, 120, (height, width), np.uint8)


def clip(*places, size=12, seed=0):
    """A square with a texture on a ground with one, its top left at each of `places`."""
    square = np.random.default_rng(seed + 1).integers(100, 255, (size, size), np.uint8)
    frames = []
    for top, left in places:
        frame = ground(seed=seed)
        frame[top : top + size, left : left + size] = square
        frames.append(np.repeat(frame[..., None], 3, axis=-1))
    return np.array(frames)[None]


@pytest.mark.parametrize("scales", [1, 3])
def test_so_many_numbers_as_the_shape_says_and_all_are_finite(scales):
    layer = MotionStatistics(scales)
    found = np.asarray(layer(clip((10, 10), (11, 12), (30, 5))))
    assert found.shape == (1, 3, OF_ONE_SCALE * scales)
    assert layer(keras.Input((None, 48, 64, 3), dtype="uint8")).shape == (
        None,
        None,
        *found.shape[2:],
    )
    assert np.isfinite(found).all()
    assert MotionStatistics.from_config(layer.get_config()).scales == scales


def test_frames_of_a_pixel_have_numbers_too():
    assert np.isfinite(np.asarray(MotionStatistics()(np.zeros((1, 2, 1, 1, 3), np.uint8)))).all()


def test_nothing_moves_in_the_first_frame_and_in_one_that_is_like_the_one_before():
    found = np.asarray(MotionStatistics()(clip((10, 10), (10, 10), (12, 10))))[0]
    np.testing.assert_allclose(found[:2], SMALLEST, atol=1e-4)
    assert (found[2] > SMALLEST + 0.1).mean() > 0.8


def test_a_mirrored_clip_has_the_same_numbers():
    frames = clip((10, 10), (11, 12), (13, 13))
    found = MotionStatistics()(frames)
    np.testing.assert_allclose(MotionStatistics()(frames[:, :, :, ::-1]), found, atol=1e-3)


def test_a_place_changes_next_to_nothing_and_speed_and_size_much():
    layer = MotionStatistics(1)
    slow, elsewhere, fast, large = (
        np.asarray(layer(frames))[0, 1]
        for frames in (
            clip((12, 16), (12, 17)),
            clip((24, 32), (24, 33)),
            clip((12, 16), (12, 20)),
            clip((12, 16), (12, 17), size=24),
        )
    )
    assert np.abs(elsewhere - slow).mean() < 0.15
    assert np.abs(fast - slow).mean() > 0.3
    assert np.abs(large - slow).mean() > 0.3


def test_disorder_is_what_moves_against_its_surroundings():
    """Stripes that all move one way, and stripes of which every other one moves back."""
    columns = np.arange(64)
    waves = [(128 + 100 * np.sin((columns - moved) / 2)).astype(np.uint8) for moved in (0, 1, -1)]
    still = np.repeat(waves[0][None], 48, axis=0)
    along = np.repeat(waves[1][None], 48, axis=0)
    against = np.where((np.arange(48) // 6 % 2)[:, None] == 1, waves[1][None], waves[2][None])
    layer = MotionStatistics(1)

    def numbers(after):
        frames = np.repeat(np.stack([still, after])[None, ..., None], 3, axis=-1)
        return np.asarray(layer(frames))[0, 1]

    disorder, mean_flow = -6, -3  # the first of each of the last groups
    ordered, disordered = numbers(along), numbers(against)
    assert disordered[disorder] > ordered[disorder] + 1
    assert disordered[mean_flow] < ordered[mean_flow] - 1
    assert abs(disordered[0] - ordered[0]) < 0.5  # as much moves, as far


def test_cells_share_pixels_by_how_much_of_them_they_hold():
    found = motion._averaging(3, 2)
    np.testing.assert_allclose(found, [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])
    for extent in (1, 5, 8, 61):
        np.testing.assert_allclose(motion._averaging(extent, 8).sum(axis=1), 1)
