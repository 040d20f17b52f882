"""A timeline asks about the frames that a clip would have, at the pace of a clip, in order."""

import numpy as np
import pytest

from apps.suite.export import asking
from apps.suite.videos import video_files
from apps.video_classification import config as configs
from apps.video_classification import predict, timeline
from tests.apps.video_classification import made_videos, small_run

NAMES = ("a", "b")


class Listed:
    """Keeps the frames that it is asked about."""

    def __init__(self, **clips):
        self.clips = configs.ClipConfig(height=8, width=8, **clips)
        self.seen = []

    def over_time(self, frames):
        for frame in frames:
            self.seen.append(int(made_videos.numbers_in(frame)))
            yield np.array([0.25, 0.75], np.float32)


def asked_of(path, clip_seconds=None, **clips):
    """Which frames were asked about, and the timeline."""
    listed = Listed(**clips)
    video = video_files.read(path, listed.clips, 1)
    return timeline.of_video(listed, path, video, clip_seconds), listed.seen, video


@pytest.fixture(scope="module")
def models():
    """A recogniser of windows and one of streams, both of a run."""
    from apps.video_classification import serving

    found = {}
    for per_frame in (False, True):
        config = small_run.config(per_frame=per_frame)
        served = serving.ServedVideo(small_run.built(config), small_run.NAMES, config)
        found[per_frame] = predict.Recogniser(asking.of_served(predict.TASK, served))
    return found


@pytest.mark.parametrize("frames", [1, 3, 16, 17, 31, 32, 48, 59])
@pytest.mark.parametrize("rate", [25.0, 30_000 / 1001, 7.0])
def test_without_windows_the_frames_are_those_of_the_clip(tmp_path, frames, rate):
    path = made_videos.write(tmp_path / "video.avi", made_videos.numbered(frames), rate)
    found, seen, video = asked_of(path)
    assert seen == made_videos.numbers_in(video.frames[0, : video.length]).tolist()
    np.testing.assert_allclose(found.seconds, np.array(seen) / rate, atol=1e-3)
    assert found.end_seconds == pytest.approx(frames / rate, rel=1e-3)


def test_a_window_s_frames_come_at_its_pace_over_the_whole_video(tmp_path):
    path = made_videos.write(tmp_path / "video.avi", made_videos.numbered(58), 20.0)
    _, seen, _ = asked_of(path, sampling="window", clip_seconds=0.8, frames=4)
    assert seen == list(range(2, 58, 4))
    _, also, _ = asked_of(path, clip_seconds=0.8, frames=4)  # told by whoever asks
    assert also == seen


def test_no_frame_is_asked_about_twice_however_short_the_clip(tmp_path):
    path = made_videos.write(tmp_path / "video.avi", made_videos.numbered(20), 10.0)
    _, seen, _ = asked_of(path, clip_seconds=0.2, frames=16)
    assert seen == list(range(20))


def test_uneven_times_are_kept(tmp_path):
    path = made_videos.write(tmp_path / "video.mp4", made_videos.numbered(20), 20.0)
    even = video_files.read(path, configs.ClipConfig(), 1).seconds
    made_videos.hold_frames(path, [(10, 512), (10, 5 * 512)])
    found, seen, video = asked_of(path, frames=6)
    assert video.seconds > 2 * even
    assert sum(number >= 10 for number in seen) > sum(number < 10 for number in seen)
    # On the screen in the middle of each of six stretches
    assert found.end_seconds == pytest.approx(video.seconds)


def test_frames_without_useful_times_get_even_ones(monkeypatch):
    frames = [np.zeros((2, 2, 3), np.uint8)] * 3
    monkeypatch.setattr(video_files, "frames", lambda _: ((7.0, frame) for frame in frames))
    times = [seconds for seconds, _ in timeline.timed_frames("video", 0.5)]
    assert times == [0.0, 0.5, 1.0]


def test_an_answer_holds_until_the_next_and_neighbours_of_a_label_are_one_segment():
    likely = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.6, 0.4]], np.float32)
    found = timeline.Timeline(np.array([0.5, 1.0, 2.0, 3.0]), likely, 4.0)
    assert found.at(0.4) is None
    assert found.at(0.5) is not None
    assert found.at(1.9)[0] == np.float32(0.7)
    assert found.at(99)[0] == np.float32(0.6)
    segments = found.segments(NAMES)
    assert [(part.start_seconds, part.end_seconds, part.label) for part in segments] == [
        (0.5, 2.0, "a"),
        (2.0, 3.0, "b"),
        (3.0, 4.0, "a"),
    ]
    assert [part.probability for part in segments] == pytest.approx([0.8, 0.8, 0.6])


def test_a_model_of_clips_judges_at_each_frame_the_clip_that_ends_there(models):
    asked, frames = models[False], small_run.video(30)
    found = list(asked.over_time(iter(frames)))
    assert len(found) == 30
    for at in (0, 3, small_run.FRAMES - 1, 17, 29):
        window = frames[max(0, at + 1 - small_run.FRAMES) : at + 1]
        np.testing.assert_allclose(found[at], asked.probabilities(window[None])[0], atol=1e-5)


def test_a_model_that_streams_is_asked_with_its_states(models):
    asked, frames = models[True], small_run.video(30)
    found = np.stack(list(asked.over_time(iter(frames))))
    again = np.stack(list(asked.over_time(iter(frames[:11]))))
    np.testing.assert_allclose(found[:11], again, atol=1e-6)  # nothing to come, nothing left over
    alone = np.stack([next(asked.over_time(iter(frames[at:]))) for at in range(30)])
    assert np.abs(found - alone)[1:].max() > 0.01  # what was seen before counts


@pytest.mark.parametrize("per_frame", [False, True])
def test_frames_are_asked_about_as_they_come(models, per_frame):
    given = []

    def frames():
        for number, frame in enumerate(small_run.video(200)):
            given.append(number)
            yield frame

    answers = models[per_frame].over_time(frames())
    for _ in range(40):
        next(answers)
    assert len(given) < 40 + 20  # a video may be longer than the memory
