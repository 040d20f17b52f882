import keras
import numpy as np
import pytest

from apps.video_classification.frame_encoder import FrameByFrame


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(3, 3, strides=2, padding="same", activation="relu"),
        keras.layers.Flatten(),
        keras.layers.BatchNormalization(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_it_computes_what_time_distributed_computes(layer):
    frames = np.random.default_rng(0).normal(size=(2, 5, 8, 6, 2)).astype(np.float32)
    found = FrameByFrame(layer)(frames)
    assert found.shape[:2] == (2, 5)
    np.testing.assert_allclose(found, keras.layers.TimeDistributed(layer)(frames), atol=1e-6)


def test_normalisation_learns_from_all_frames_in_training_alone():
    frames = np.random.default_rng(0).normal(3, 2, size=(4, 5, 3)).astype(np.float32)
    layer = FrameByFrame(keras.layers.BatchNormalization(momentum=0.0))
    layer(frames)
    assert not np.any(layer.layer.moving_mean)
    layer(frames, training=True)
    np.testing.assert_allclose(layer.layer.moving_mean, frames.mean(axis=(0, 1)), rtol=1e-4)


def test_an_unknown_number_of_clips_and_frames_keeps_the_other_extents():
    frames = keras.Input((None, 8, 6, 2))
    found = FrameByFrame(keras.layers.Conv2D(3, 3, padding="same"))(frames)
    assert found.shape == (None, None, 8, 6, 3)
