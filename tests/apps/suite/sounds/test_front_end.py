import numpy as np
import pytest
import tensorflow as tf

from apps.suite.sounds.front_end import CausalConvolution

SIZES = [
    {"kernel_frames": 5, "kernel_bands": 5, "frame_stride": 2, "band_stride": 2},
    {"kernel_frames": 3, "kernel_bands": 3, "band_stride": 2},
    {"kernel_frames": 3, "kernel_bands": 7, "frame_stride": 3, "band_stride": 7},
    {"kernel_frames": 1, "kernel_bands": 1},
]
every_size = pytest.mark.parametrize("sizes", SIZES)


def values(frames, rows=2, bands=7, filters=3):
    return np.random.default_rng(0).normal(size=(rows, frames, bands, filters)).astype("float32")


def built(sizes):
    layer = CausalConvolution(4, **sizes)
    layer.build((None, None, 7, 3))
    return layer


def in_numpy(layer, x):
    """The convolution by its definition, output by output."""
    kernel, bias = (np.asarray(weight) for weight in layer.convolution.get_weights())
    bands_out = -(-x.shape[2] // layer.band_stride)
    missing = max(0, (bands_out - 1) * layer.band_stride + layer.kernel_bands - x.shape[2])
    low = missing // 2
    x = np.pad(x, [(0, 0), (layer.kernel_frames - 1, 0), (low, missing - low), (0, 0)])
    rows = []
    for k in range(0, x.shape[1] - layer.kernel_frames + 1, layer.frame_stride):
        seen = x[:, k : k + layer.kernel_frames]
        starts = range(0, bands_out * layer.band_stride, layer.band_stride)
        rows.append(
            [
                np.einsum("btfi,tfio->bo", seen[:, :, s : s + layer.kernel_bands], kernel) + bias
                for s in starts
            ]
        )
    return np.transpose(rows, (2, 0, 1, 3))


@every_size
@pytest.mark.parametrize("frames", [1, 2, 3, 8, 9])
def test_it_is_the_convolution_that_its_docstring_says(sizes, frames):
    layer, x = built(sizes), values(frames)
    layer.convolution.bias.assign(np.arange(4.0))
    expected = in_numpy(layer, x)
    outputs = layer(x)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    assert outputs.shape == layer.compute_output_shape(x.shape)
    assert outputs.shape[1] == -(-frames // layer.frame_stride)


@every_size
def test_no_output_changes_with_what_comes_later(sizes):
    layer, x = built(sizes), values(12)
    later = np.array(x)
    later[:, 7:] += 1.0
    kept = -(-7 // layer.frame_stride)
    np.testing.assert_array_equal(layer(x)[:, :kept], layer(later)[:, :kept])
    assert np.abs(layer(x)[:, kept:] - layer(later)[:, kept:]).max() > 0.1


@every_size
@pytest.mark.parametrize("seed", range(5))
def test_chunks_of_any_size_give_the_whole(sizes, seed):
    layer, x = built(sizes), values(23)
    borders = np.sort(np.random.default_rng(seed).integers(0, 24, 9))
    outputs, leftover = [], layer.initial_leftover(2)
    for chunk in np.split(x, borders, axis=1):
        new, leftover = layer.chunk(chunk, leftover)
        assert leftover.shape[1] < layer.kernel_frames
        outputs.append(new)
    np.testing.assert_allclose(tf.concat(outputs, 1), layer(x), atol=1e-5)


@every_size
def test_chunks_run_in_a_graph_that_knows_neither_rows_nor_frames(sizes):
    layer, x = built(sizes), values(9)
    shape = [None, None, 7, 3]

    @tf.function(input_signature=[tf.TensorSpec(shape), tf.TensorSpec(shape)])
    def chunk(new, leftover):
        return layer.chunk(new, leftover)

    outputs, leftover = [], layer.initial_leftover(2)
    for size in (0, 1, 1, 4, 0, 3):
        new, leftover = chunk(x[:, :size], leftover)
        x = x[:, size:]
        outputs.append(new)
    np.testing.assert_allclose(tf.concat(outputs, 1), layer(values(9)), atol=1e-5)
