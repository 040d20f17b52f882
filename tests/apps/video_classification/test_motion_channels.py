import keras
import numpy as np
import pytest

from apps.video_classification.motion import DIFFERENCE_GAIN, MotionChannels


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (2, 4, 5, 6, 3), np.uint8)


def test_grey_and_its_difference_to_the_frame_before(frames):
    grey = frames.astype(np.float64) @ [0.299, 0.587, 0.114] / 255 - 0.5
    found = np.asarray(MotionChannels()(frames))
    assert found.shape == (2, 4, 5, 6, 2)
    np.testing.assert_allclose(found[..., 0], grey, atol=1e-6)
    np.testing.assert_allclose(
        found[:, 1:, ..., 1], DIFFERENCE_GAIN * np.diff(grey, axis=1), atol=1e-5
    )
    assert not np.any(found[:, 0, ..., 1])


@pytest.mark.parametrize(
    ("colour", "differences", "channels"), [(True, True, 6), (True, False, 3), (False, False, 1)]
)
def test_channels_as_asked_for(frames, colour, differences, channels):
    layer = MotionChannels(colour, differences)
    assert layer(frames).shape == (2, 4, 5, 6, channels)
    assert layer(keras.Input((None, 5, 6, 3), dtype="uint8")).shape[-1] == channels
    assert MotionChannels.from_config(layer.get_config()).differences == differences


def test_what_stands_still_makes_no_difference(frames):
    still = np.repeat(frames[:, :1], 3, axis=1)
    assert not np.any(np.asarray(MotionChannels()(still))[..., 1])


def test_a_light_that_goes_on_is_seen_in_the_frame_of_the_change_alone(frames):
    lit = np.zeros_like(frames)
    lit[:, 2:] = 200
    change = np.asarray(MotionChannels()(lit))[..., 1]
    assert np.all(change[:, 2] > 1)
    assert not np.any(change[:, [0, 1, 3]])
