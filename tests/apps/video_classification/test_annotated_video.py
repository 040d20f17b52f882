"""The copy of a video has all its frames at its pace, upright, with the label of the moment."""

from pathlib import Path

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.videos import copies, video_files
from apps.video_classification import timeline
from tests.apps.video_classification import made_videos, small_run

NAMES = ("walks", "Ärger 走")
LIKELY = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)


def over(seconds):
    """A timeline whose label changes after half of the time."""
    return timeline.Timeline(np.array([0.0, seconds / 2]), LIKELY, seconds)


def frames_of(path):
    return np.stack([frame for _, frame in video_files.frames(path)])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((48, 64), (240, 320)),
        ((33, 31), (362, 340)),
        ((241, 401), (240, 400)),
        ((9, 320), (8, 320)),
    ],
    ids=str,
)
def test_frames_are_large_enough_to_read_and_even(size, expected):
    drawn = timeline.draw_bar(small_run.video(1, *size)[0], NAMES, None)
    assert drawn.shape == (*expected, 3)


def test_the_label_and_its_probability_are_drawn_at_the_bottom_alone():
    frame = np.full((200, 320, 3), 90, np.uint8)
    plain = timeline.draw_bar(frame, NAMES, None)
    drawn = [timeline.draw_bar(frame, NAMES, likely) for likely in LIKELY]
    assert (plain == frame).all()
    for picture in drawn:
        changed = np.flatnonzero((picture != plain).any(axis=(1, 2)))
        assert changed.min() > 150
        assert (picture.max(axis=(1, 2)) > 200)[changed].any()  # white on dark
    assert (drawn[0] != drawn[1]).any()
    sure = [(picture == timeline._BAR).all(axis=2).sum() for picture in drawn]
    assert sure[0] > sure[1] > 0  # the bar is as long as the label is likely
    other = timeline.draw_bar(frame, NAMES, LIKELY[0][::-1])
    assert (other != drawn[0]).any()


def test_the_copy_has_every_frame_at_the_same_pace_and_the_label_of_its_time(tmp_path):
    source = made_videos.write(tmp_path / "in.avi", made_videos.numbered(40) // 2, 20.0)
    target = tmp_path / "new" / "out.mp4"
    timeline.write_annotated(target, source, NAMES, over(2.0), 1 / 20)
    facts = video_files.facts(target)
    assert (facts.frames, facts.frames_per_second) == (40, pytest.approx(20))
    assert (facts.height, facts.width) == (240, 320)
    copy = frames_of(target).astype(int)
    greys = copy[:, :150].mean(axis=(1, 2, 3))
    wanted = frames_of(source).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(greys, wanted, atol=3)
    bar = (copy[..., 2] - copy[..., 0] > 80).sum(axis=(1, 2))  # blue on a grey video
    assert np.diff(bar).argmin() == 19  # from frame 19 to 20 the label changes
    assert bar[:20].min() > bar[20:].max() > 0
    assert [file.name for file in target.parent.iterdir()] == ["out.mp4"]


def test_uneven_times_become_repeated_frames_of_the_same_length(tmp_path):
    source = made_videos.write(tmp_path / "in.mp4", made_videos.numbered(20), 20.0)
    made_videos.hold_frames(source, [(10, 512), (10, 3 * 512)])
    count = sum(1 for _ in video_files.frames(source))
    times = [seconds for seconds, _ in timeline.timed_frames(source, 0.05)]
    step = times[-1] / (count - 1)
    timeline.write_annotated(tmp_path / "out.mp4", source, NAMES, over(times[-1]), step)
    facts = video_files.facts(tmp_path / "out.mp4")
    assert facts.frames / facts.frames_per_second == pytest.approx(times[-1] + step, rel=0.05)
    greys = frames_of(tmp_path / "out.mp4")[:, :100].mean(axis=(1, 2, 3))
    assert (np.diff(greys) > -2).all()
    half = (greys < (greys[0] + greys[-1]) / 2).mean()
    assert half < 0.4  # the first half of the frames is over sooner


def test_a_copy_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    source = made_videos.write(tmp_path / "in.avi", made_videos.numbered(5))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.UserError, match="a file stands where a folder is needed"):
        timeline.write_annotated(tmp_path / "file" / "out.mp4", source, NAMES, over(1.0), 0.04)

    class Full:
        """What OpenCV's writer is on a full disk: it says nothing."""

        fourcc = staticmethod(copies.cv2.VideoWriter.fourcc)

        def __init__(self, partial, *_):
            Path(partial).write_bytes(b"begun")

        def isOpened(self):  # noqa: N802
            return True

        def write(self, frame):
            pass

        def release(self):
            pass

    monkeypatch.setattr(copies.cv2, "VideoWriter", Full)
    (tmp_path / "new").mkdir()
    with pytest.raises(errors.UserError, match=r"out\.mp4 cannot be written; is there space left"):
        timeline.write_annotated(tmp_path / "new" / "out.mp4", source, NAMES, over(1.0), 0.04)
    assert not list((tmp_path / "new").iterdir())
