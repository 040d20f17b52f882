"""A clip is answered as its sampled frames are, averaged over the export's number of clips."""

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.export import asking
from apps.suite.videos import sampling, video_files
from apps.video_classification import demo
from apps.video_classification.config import ClipConfig
from tests.apps.video_classification import made_videos, small_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(small_exports):
    with asking.exports(small_exports / "video_classification") as (found,):
        yield found


def test_a_file_is_answered_as_the_frames_that_are_shown(model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    file = demo.write_example(small_run.video(40, 48, 60))
    seen = demo.classify(model, str(file))
    assert seen.label_names == list(small_run.NAMES)
    assert seen.label == seen.label_names[int(seen.probabilities.argmax())]
    assert seen.probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert len(seen.frames) == small_run.FRAMES
    assert seen.seconds == sorted(seen.seconds)
    assert seen.seconds[-1] < 40 / 12
    frames = [frame for _, frame in video_files.frames(file)]
    every = model.settings["clips_per_video"]
    chosen = sampling.frame_indices(40, small_run.FRAMES, every).indices
    alone = [model.ask(frames=[[frames[at] for at in row]]) for row in chosen.tolist()]
    expected = np.mean([each["probabilities"][0] for each in alone], axis=0)
    np.testing.assert_allclose(seen.probabilities, expected, atol=1e-5)
    assert "frames that the model got" in demo.strip(seen)


def test_a_single_frame_is_enough(model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    seen = demo.classify(model, str(demo.write_example(small_run.video(1))))
    assert len(seen.frames) == 1
    assert "1 of the 1 frames" in demo.strip(seen)


def test_examples_come_from_the_export_s_own_requests(model):
    videos = demo.example_videos(model)
    assert len(videos) == 2
    assert all(video.ndim == 4 and video.dtype == np.uint8 for video in videos)


def test_what_is_no_clip_is_told(model, tmp_path):
    with pytest.raises(errors.UserError, match="no clip yet"):
        demo.classify(model, None)
    file = tmp_path / "broken.mp4"
    file.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 500)
    with pytest.raises(errors.UserError, match=r"^broken\.mp4 "):
        demo.classify(model, str(file))


SETTINGS = {"frames": 6, "height": 16, "width": 20, "clips_per_video": 3, "clip_seconds": None}


@pytest.mark.parametrize("seconds", [None, 1.5])
@pytest.mark.parametrize("count", [1, 6, 31])
def test_the_frames_are_those_of_the_training(tmp_path, count, seconds):
    file = made_videos.write(tmp_path / "a.avi", made_videos.numbered(count), 10)
    found = demo.read(file, {**SETTINGS, "clip_seconds": seconds}).sample
    config = ClipConfig(frames=6, sampling="window" if seconds else "segment", clip_seconds=1.5)
    expected = sampling.sample(count, 10.0, config, 3)
    assert found.length == expected.length
    np.testing.assert_array_equal(found.indices, expected.indices)


def test_frames_are_halved_and_keep_their_order(tmp_path):
    file = made_videos.write(tmp_path / "a.avi", made_videos.numbered(12, 64, 96), 10)
    found = demo.read(file, SETTINGS)
    assert {frame.shape for frame in found.frames.values()} == {(16, 24, 3)}
    numbers = made_videos.numbers_in(np.stack([found.frames[at] for at in range(12)]))
    assert numbers.tolist() == list(range(12))


def test_an_example_is_a_file_with_the_same_frames(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    moving = np.zeros((9, 16, 20, 3), np.uint8)
    for at in range(9):
        moving[at, 4:10, 2 * at : 2 * at + 4, 0] = 255
    file = demo.write_example(moving)
    assert file.parent == tmp_path
    *others, (_, last) = video_files.frames(file)
    assert len(others) == 8
    red = last[..., 0] > 128
    assert red[last.shape[0] // 2].any()
    assert red.any(axis=0).argmax() > 0.7 * last.shape[1]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"these are words\n", b"\0\0\0\x18ftypmp42" + b"\0" * 90])
def test_a_file_that_is_not_a_video_is_told_in_a_line(tmp_path, content, capfd):
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)
    with pytest.raises(errors.UserError, match=r"^clip\.mp4 [^\n]*$"):
        demo.read(file, SETTINGS)
    assert capfd.readouterr().err == ""


def test_a_video_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_MOST_FRAMES", 20)
    file = made_videos.write(tmp_path / "long.avi", made_videos.numbered(21))
    with pytest.raises(errors.UserError, match=r"long\.avi has over 20 frames"):
        demo.read(file, SETTINGS)
