import numpy as np
import pytest

from apps.video_classification import motion


def picture(right=0.0, down=0.0, height=40, width=50):
    """Waves across and down, moved by so many pixels; float32 [1, height, width]."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    waves = np.sin((columns - right) / 1.5) + np.sin((rows - down) / 2)
    return (0.5 + 0.25 * waves).astype(np.float32)[None]


@pytest.mark.parametrize("moved", [(0.5, 0.0), (0.0, -0.5), (-0.4, 0.3), (0.0, 0.0)], ids=str)
def test_what_moves_by_part_of_a_pixel_is_seen_to(moved):
    u, v = motion.one_step(picture(), picture(*moved))
    inner = slice(4, -4)
    for found, expected in zip((u, v), moved, strict=True):
        middle = np.asarray(found)[0, inner, inner]
        assert abs(np.median(middle) - expected) < 0.1
        np.testing.assert_allclose(middle, expected, atol=0.25)


def test_where_there_is_no_texture_there_is_no_flow():
    dark, light = np.full((1, 12, 15), 0.2, np.float32), np.full((1, 12, 15), 0.9, np.float32)
    for found in motion.one_step(dark, light):
        assert not np.any(found)


def test_gradients_are_1_where_brightness_grows_by_1_a_pixel():
    rows, columns = np.mgrid[:9, :7].astype(np.float32)
    right, down = motion.gradients((2 * columns - 3 * rows)[None])
    np.testing.assert_allclose(np.asarray(right)[:, :, 1:-1], 2, atol=1e-5)
    np.testing.assert_allclose(np.asarray(down)[:, 1:-1], -3, atol=1e-5)


def test_a_window_s_mean_is_over_five_pixels_each_way_and_0_beyond_the_edge():
    values = np.random.default_rng(0).random((2, 6, 9)).astype(np.float32)
    edged = np.pad(values, ((0, 0), (2, 2), (2, 2)))
    found = np.asarray(motion.window_means(values))
    for row, column in ((0, 0), (3, 4), (5, 8)):
        expected = edged[:, row : row + 5, column : column + 5].mean(axis=(1, 2))
        np.testing.assert_allclose(found[:, row, column], expected, atol=1e-6)


def test_half_a_frame_keeps_the_mean_of_even_sizes_and_counts_an_odd_edge_twice():
    values = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    found = np.asarray(motion.halved(values))
    np.testing.assert_allclose(found[0, 0], [3.5, 5.5, 7.5])
    odd = np.asarray(motion.halved(values[:, :3, :5]))
    np.testing.assert_allclose(odd[0], [[3.5, 5.5, 7], [12.5, 14.5, 16]])
    np.testing.assert_allclose(motion.halved(values[:, :1, :1]), [[[0]]])
