"""The size of an encoded picture is read from its header as a decoder would find it."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.suite.videos import encoded_pictures
from tests.apps import lying_files

MOST = 40_000


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def bounded(encoded):
    return encoded_pictures.bounded(encoded, MOST, "encoded")


def encoded(ending, height, width):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    fits, content = cv2.imencode(ending, pixels)
    assert fits
    return content.tobytes()


def animated(folder, kind, sizes):
    frames = [Image.new("RGB", size, (9 * at, 99, 0)) for at, size in enumerate(sizes)]
    file = folder / f"film.{kind}"
    frames[0].save(file, save_all=True, append_images=frames[1:])
    return file.read_bytes()


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".webp"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 300), (200, 200), (199, 201)])
def test_a_picture_within_the_bound_passes_unchanged(ending, height, width):
    content = encoded(ending, height, width)
    assert bounded(content).numpy() == content
    assert tf.io.decode_image(content, expand_animations=False).shape == (height, width, 3)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".webp"])
@pytest.mark.parametrize(("height", "width"), [(200, 201), (40_001, 1), (1, 16_383), (300, 300)])
def test_a_larger_picture_is_refused_with_its_size(ending, height, width):
    if max(height, width) > 16_383 and ending == ".webp":
        pytest.skip("WebP has no longer sides")
    content = encoded(ending, height, width)
    if height * width <= MOST:
        assert bounded(content).numpy() == content
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match=str(height * width)):
        bounded(content)


def test_lossless_webp_is_measured_too(tmp_path):
    for width, fits in ((200, True), (201, False)):
        file = tmp_path / "lossless.webp"
        Image.new("RGB", (width, 200)).save(file, lossless=True)
        if fits:
            bounded(file.read_bytes())
        else:
            with pytest.raises(tf.errors.InvalidArgumentError, match="40200"):
                bounded(file.read_bytes())


def test_an_animation_of_few_pixels_passes(tmp_path):
    content = animated(tmp_path, "gif", [(60, 50)] * 5)
    assert bounded(content).numpy() == content
    assert tf.io.decode_image(content, 3, expand_animations=False).shape == (50, 60, 3)


def test_all_frames_of_a_gif_count_as_all_are_unpacked(tmp_path):
    content = animated(tmp_path, "gif", [(100, 100)] * 5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels of a picture"):
        bounded(content)
    bounded(animated(tmp_path, "gif", [(100, 100)] * 2))
    for local in (lying_files.gif((8, 8), [(8, 8), (300, 300)]), lying_files.gif((300, 300), [])):
        with pytest.raises(tf.errors.InvalidArgumentError):
            bounded(local)


HARMLESS = {"GIF without a frame", "BMP of 1 bit"}  # which the decoder refuses


@pytest.mark.parametrize("what", sorted({what for what, _ in lying_files.pictures()} - HARMLESS))
def test_a_header_that_lies_is_refused(what):
    with pytest.raises(tf.errors.InvalidArgumentError, match="encoded"):
        bounded(dict(lying_files.pictures())[what])


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"GIF8", b"BM", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPnone", b"no picture" * 9],
)
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(tf.errors.InvalidArgumentError):
        bounded(content)


def test_what_begins_as_a_jpeg_and_ends_at_once_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError):
        bounded(b"\xff\xd8\xff\xe0")
