import numpy as np
import pytest
import tensorflow as tf

from apps.suite.videos import fitting, preprocessing, sampling
from apps.video_classification.config import ClipConfig

SHAPES = [(48, 64), (64, 48), (17, 90), (20, 12), (10, 70), (1, 1), (32, 40), (131, 165)]


def pictures(count, height, width):
    random = np.random.default_rng(height * 100 + width)
    return random.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def test_served_indices_are_those_of_the_decoding():
    for frames in (1, 5, 16):
        counts = np.arange(120)
        indices, lengths = preprocessing.served_indices(tf.constant(counts), frames)
        for count in counts[1:]:
            wanted = sampling.frame_indices(int(count), frames)
            np.testing.assert_array_equal(indices[count], wanted.indices[0])
            assert lengths[count] == wanted.length
        assert lengths[0] == 0


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_served_pixels_are_those_of_the_decoding_to_a_grey_level(fit):
    config = ClipConfig(height=32, width=40, fit=fit)
    for height, width in SHAPES:
        frames = pictures(2, height, width)
        served = preprocessing.fitted(tf.constant(frames), config).numpy()
        decoded = np.stack([fitting.fit(frame, config) for frame in frames])
        assert served.dtype == decoded.dtype == np.uint8
        # Two roundings, each of one level, where one axis shrinks and the other grows
        difference = np.abs(served.astype(int) - decoded)
        assert difference.max() <= 2
        assert (difference > 1).mean() < 0.01


def test_a_frame_of_the_right_size_stays_as_it_is():
    frames = pictures(3, 32, 40)
    for fit in ("stretch", "crop", "pad"):
        config = ClipConfig(height=32, width=40, fit=fit)
        np.testing.assert_array_equal(preprocessing.fitted(tf.constant(frames), config), frames)
        np.testing.assert_array_equal(fitting.fit(frames[0], config), frames[0])


def test_pad_keeps_the_shape_and_crop_the_middle():
    white = np.full((10, 40, 3), 255, np.uint8)
    padded = fitting.fit(white, ClipConfig(height=20, width=20, fit="pad"))
    rows = np.flatnonzero(padded.any(axis=(1, 2)))
    assert (rows[0], rows[-1]) == (7, 11)
    marked = np.zeros((10, 40, 3), np.uint8)
    marked[:, 15:25] = 255
    assert (fitting.fit(marked, ClipConfig(height=20, width=20, fit="crop")) == 255).all()


def test_rows_with_fewer_frames_do_not_depend_on_what_stands_behind_them():
    config = ClipConfig(frames=6, height=16, width=16)
    frames = pictures(30, 20, 24).reshape(2, 15, 20, 24, 3)
    counts = np.array([4, 11], np.int32)
    whole, lengths = preprocessing.preprocess(frames, counts, config)
    assert lengths.numpy().tolist() == [4, 6]
    assert not whole[0, 4:].numpy().any()
    for row, count in enumerate(counts):
        alone, _ = preprocessing.preprocess(frames[row : row + 1, :count], [count], config)
        np.testing.assert_array_equal(alone[0], whole[row])


@pytest.mark.parametrize("shape", [(0, 5, 20, 24, 3), (0, 5, 70, 64, 3), (2, 0, 20, 24, 3)])
def test_no_videos_and_videos_without_frames_have_an_answer(shape):
    config = ClipConfig(frames=6, height=16, width=16)
    counts = np.zeros(shape[0], np.int32)
    frames, lengths = preprocessing.preprocess(np.zeros(shape, np.uint8), counts, config)
    assert frames.shape == (shape[0], 6, 16, 16, 3)
    assert not frames.numpy().any()
    assert lengths.numpy().tolist() == [0] * shape[0]


def test_it_runs_inside_a_graph_of_any_size():
    config = ClipConfig(frames=6, height=16, width=16)
    signature = [tf.TensorSpec([None] * 4 + [3], tf.uint8), tf.TensorSpec([None], tf.int32)]
    graph = tf.function(
        lambda frames, counts: preprocessing.preprocess(frames, counts, config)[0],
        input_signature=signature,
    )
    for shape in ((2, 9, 20, 24, 3), (1, 3, 10, 60, 3)):
        frames = pictures(shape[0] * shape[1], *shape[2:4]).reshape(shape)
        counts = np.full(shape[0], shape[1], np.int32)
        eager, _ = preprocessing.preprocess(frames, counts, config)
        np.testing.assert_array_equal(graph(frames, counts), eager)
