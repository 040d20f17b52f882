"""A video gives the page those frames that the task itself would take, and bad files a line."""

import cv2
import numpy as np
import pytest

from apps.suite import errors
from apps.suite.videos import sampling, uploaded_clips
from apps.video_classification import config as configs

SETTINGS = {"frames": 6, "height": 16, "width": 20, "clips_per_video": 3, "clip_seconds": None}


def film(file, frames=30, height=64, width=96, code="MJPG"):
    """A file of grey frames, each a little lighter than the one before."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*code), 10, (width, height))
    for at in range(frames):
        writer.write(np.full((height, width, 3), 8 * at, np.uint8))
    writer.release()
    return file


@pytest.mark.parametrize("count", [1, 2, 6, 7, 30, 31, 200])
@pytest.mark.parametrize("seconds", [None, 1.5])
@pytest.mark.parametrize("clips", [1, 3])
def test_the_frames_are_those_that_the_task_samples(count, seconds, clips):
    settings = {**SETTINGS, "clips_per_video": clips, "clip_seconds": seconds}
    config = configs.ClipConfig(
        frames=6, sampling="window" if seconds else "uniform", clip_seconds=seconds or 1.0
    )
    expected = sampling.sample(count, 10.0, config, clips)
    found = uploaded_clips.indices(count, 10.0, settings)
    np.testing.assert_array_equal(found, expected.indices[:, : expected.length])


def test_frames_are_read_in_colour_halved_and_by_number(tmp_path):
    file = film(tmp_path / "grey.avi")
    assert uploaded_clips.counted(file) == (30, pytest.approx(10.0))
    frames = uploaded_clips.read(file, {0, 12, 29}, SETTINGS)
    assert {at: frame.shape for at, frame in frames.items()} == dict.fromkeys(
        (0, 12, 29), (16, 24, 3)
    )
    for at, frame in frames.items():
        assert abs(frame.mean() - 8 * at) < 4


def test_an_example_is_a_file_with_the_same_frames(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    moving = np.zeros((9, 16, 20, 3), np.uint8)
    for at in range(9):
        moving[at, 4:10, 2 * at : 2 * at + 4, 0] = 255
    file = uploaded_clips.write(moving)
    assert file.parent == tmp_path
    assert uploaded_clips.counted(file)[0] == 9
    last = uploaded_clips.read(file, {8}, SETTINGS)[8]
    red = last[..., 0] > 128
    assert red[last.shape[0] // 2].any()
    assert red.any(axis=0).argmax() > 0.7 * last.shape[1]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"these are words\n", b"\0\0\0\x18ftypmp42" + b"\0" * 90])
def test_what_is_no_video_is_told_in_a_line(tmp_path, content, capfd):
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)
    with pytest.raises(errors.UserError, match=r"clip\.mp4 cannot be read as a video"):
        uploaded_clips.counted(file)
    assert capfd.readouterr().err == ""


def test_a_video_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(uploaded_clips, "MOST_FRAMES", 20)
    with pytest.raises(errors.UserError, match="over 20 frames"):
        uploaded_clips.counted(film(tmp_path / "long.avi"))
