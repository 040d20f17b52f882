"""A clip is answered as its sampled frames are, averaged over the export's number of clips."""

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.export import asking
from apps.suite.videos import uploaded_clips
from apps.video_classification import demo
from tests.apps.video_classification import small_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(small_exports):
    with asking.exports(small_exports / "video_classification") as (found,):
        yield found


def test_a_file_is_answered_as_the_frames_that_are_shown(model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    file = uploaded_clips.write(small_run.video(40, 48, 60))
    seen = demo.classify(model, str(file))
    assert seen.label_names == list(small_run.NAMES)
    assert seen.label == seen.label_names[int(seen.probabilities.argmax())]
    assert seen.probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert len(seen.frames) == small_run.FRAMES
    assert seen.seconds == sorted(seen.seconds)
    assert seen.seconds[-1] < 40 / 12
    frames = uploaded_clips.read(file, set(range(40)), model.settings)
    every = model.settings["clips_per_video"]
    chosen = uploaded_clips.indices(40, 12.0, model.settings)
    assert chosen.shape == (every, small_run.FRAMES)
    alone = [model.ask(frames=[[frames[at] for at in row]]) for row in chosen.tolist()]
    expected = np.mean([each["probabilities"][0] for each in alone], axis=0)
    np.testing.assert_allclose(seen.probabilities, expected, atol=1e-5)
    assert "frames that the model got" in demo.strip(seen)


def test_a_single_frame_is_enough(model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    seen = demo.classify(model, str(uploaded_clips.write(small_run.video(1))))
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
    with pytest.raises(errors.UserError, match=r"broken\.mp4 cannot be read as a video"):
        demo.classify(model, str(file))
