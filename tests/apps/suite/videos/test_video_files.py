"""Videos are decoded frame by frame as they are numbered, and bad files say why."""

import shutil

import numpy as np
import pytest
import soundfile

from apps.suite import errors
from apps.suite.videos import sampling, video_files
from apps.suite.videos.opencv import cv2
from apps.video_classification.config import ClipConfig
from tests.apps.video_classification import made_videos
from tests.apps.video_classification.made_videos import numbered, numbers_in, write

EIGHT = ClipConfig(frames=8, height=24, width=32)


def test_frames_are_spread_over_the_whole_clip_and_only_these_are_returned(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(40))
    video = video_files.read(path, EIGHT, clips=1)
    assert video.frames.shape == (1, 8, 24, 32, 3)
    assert video.frames.dtype == np.uint8
    assert (video.length, video.frame_count) == (8, 40)
    assert numbers_in(video.frames[0]).tolist() == [2, 7, 12, 17, 22, 27, 32, 37]
    assert abs(video.seconds - 40 / 25) < 1e-6


def test_several_clips_of_a_video_lie_side_by_side(tmp_path):
    video = video_files.read(write(tmp_path / "a.mp4", numbered(48)), EIGHT, clips=3)
    found = numbers_in(video.frames)
    assert found[1].tolist() == [3, 9, 15, 21, 27, 33, 39, 45]
    np.testing.assert_array_equal(found[0], found[1] - 2)
    np.testing.assert_array_equal(found[2], found[1] + 2)


def test_a_short_clip_keeps_all_its_frames_with_black_behind(tmp_path):
    video = video_files.read(write(tmp_path / "a.mp4", numbered(5)), EIGHT, clips=3)
    assert video.frames.shape[0] == 1  # three would be the same
    assert video.length == 5
    assert numbers_in(video.frames[0]).tolist() == [0, 1, 2, 3, 4, -1, -1, -1]
    assert not video.frames[0, 5:].any()


@pytest.mark.parametrize("promised", [31, 45, 70, 1, 0])
def test_a_wrong_count_in_the_header_changes_nothing(tmp_path, promised):
    path = write(tmp_path / "a.avi", numbered(40))
    right = video_files.read(path, EIGHT, 1)
    made_videos.promise_frames(path, promised)
    assert video_files.facts(path).frames == promised  # the lie is read as it stands
    wrong = video_files.read(path, EIGHT, 1)
    assert wrong.frame_count == 40
    np.testing.assert_array_equal(wrong.frames, right.frames)


def test_of_uneven_times_frames_are_taken_at_even_distances_in_time(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(40), 25)
    # The first 20 frames last as long as 60 of the others
    made_videos.hold_frames(path, [(20, 1536), (20, 512)])
    found = numbers_in(video_files.read(path, EIGHT, 1).frames[0])
    assert (found < 20).sum() == 6
    assert (np.diff(found[:6]) < np.diff(found[5:]).min()).all()


def test_a_portrait_clip_is_turned_upright_as_its_header_says(tmp_path):
    frames = numbered(12)
    frames[:, :12] = 250  # bright at the top; turned clockwise, at the right
    path = write(tmp_path / "a.mp4", frames)
    made_videos.turn(path)
    header = video_files.facts(path)
    assert (header.height, header.width) == (64, 48)
    clip = video_files.read(path, ClipConfig(frames=4, height=64, width=48), 1).frames[0]
    assert clip[:, :, 40:].mean() > 200
    assert clip[:, :, :30].mean() < 100


def test_colours_are_red_green_blue(tmp_path):
    frames = np.zeros((4, 48, 64, 3), np.uint8)
    frames[..., 0] = 220
    clip = video_files.read(write(tmp_path / "a.avi", frames), EIGHT, 1).frames[0, :4]
    assert clip[..., 0].mean() > 200
    assert clip[..., 2].mean() < 30


def test_all_frames_come_in_order_with_their_seconds(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(10), 10)
    seconds, frames = zip(*video_files.frames(path), strict=True)
    np.testing.assert_allclose(seconds, np.arange(10) / 10, atol=1e-6)
    assert numbers_in(np.stack(frames)).tolist() == list(range(10))


def test_windows_are_stretches_of_the_wanted_seconds(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(60), 10)
    config = ClipConfig(frames=5, height=24, width=32, sampling="window", clip_seconds=1.0)
    found = numbers_in(video_files.read(path, config, 2).frames)
    assert found.tolist() == [[13, 15, 17, 19, 21], [38, 40, 42, 44, 46]]


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_told(tmp_path, suffix, share):
    path = write(tmp_path / f"a{suffix}", numbered(40))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(video_files.UnreadableError, match=r"is cut off: [\d,]+ bytes are missing"):
        video_files.read(path, EIGHT, 1)


def test_a_file_with_far_fewer_frames_than_promised_is_damaged(tmp_path):
    path = write(tmp_path / "a.avi", numbered(40))
    made_videos.promise_frames(path, 100)
    with pytest.raises(video_files.UnreadableError, match="gives 40 frames of 100: it is damaged"):
        video_files.read(path, EIGHT, 1)


DAMAGED = {".avi": "MJPG", ".mkv": "MJPG", ".webm": "VP80", ".mpg": "MPG1", ".flv": "FLV1",
           ".mov": "mp4v"}  # fmt: skip


@pytest.mark.parametrize("suffix", DAMAGED)
def test_damage_in_the_middle_of_a_film_is_told_with_its_place(tmp_path, suffix):
    """A twelfth of the bytes are zeros, at two thirds: most frames are there, before and after."""
    file = tmp_path / f"film{suffix}"
    moving_film(file, DAMAGED[suffix])
    assert len(list(video_files.frames(file))) == 120
    video_files.read(file, EIGHT, clips=1)
    content = bytearray(file.read_bytes())
    place, length = len(content) * 2 // 3, len(content) // 12
    content[place : place + length] = bytes(length)
    file.write_bytes(content)
    for ask in (lambda: video_files.read(file, EIGHT, clips=1), lambda: rows(file, 4, 1.0)):
        with pytest.raises(
            video_files.UnreadableError, match=r"of 120 frames .* from \d\.\d+ s on"
        ):
            ask()


def moving_film(file, codec):
    """120 frames of noise that moves, 25 a second."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    code = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(file), cv2.CAP_FFMPEG, code, 25, (64, 64))
    for at in range(120):
        frame = np.roll(noise, at, axis=1)
        frame[at % 60 : at % 60 + 4] = 255
        writer.write(frame)
    writer.release()


def test_pauses_of_an_uneven_film_are_not_damage():
    even = np.arange(100) * 40.0
    paused = np.where(np.arange(100) < 50, even, even + 400)
    assert video_files._lost_between(even.tolist()) == (0, even[-1])
    assert video_files._lost_between(paused.tolist()) == (10, even[49])
    uneven = paused + np.random.default_rng(0).uniform(0, 15, 100)
    assert video_files._lost_between(uneven.tolist())[0] == 0


def test_what_is_no_video_is_told_by_what_it_is(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film" * 100)
    soundfile.write(tmp_path / "sound.wav", np.zeros(8_000), 8_000)
    shutil.copy(tmp_path / "sound.wav", tmp_path / "sound.mp4")
    write(tmp_path / "none.avi", numbered(0))
    picture = tmp_path / "picture.png"
    import cv2

    cv2.imwrite(str(picture), numbered(1)[0])
    for name, why in {
        "empty.mp4": "is empty",
        "text.mp4": "has no pictures",
        "sound.wav": "has no pictures",
        "sound.mp4": "has no pictures",
        "none.avi": "has no (pictures|frame)",
        "picture.png": "is a picture, not a video",
    }.items():
        with pytest.raises(video_files.UnreadableError, match=why):
            video_files.read(tmp_path / name, EIGHT, 1)


def test_a_video_much_larger_than_its_clips_is_never_in_memory(tmp_path):
    import tracemalloc

    path = write(tmp_path / "a.avi", numbered(50, 480, 640))  # 46 MB of frames
    video_files.read(path, EIGHT, 3)  # what is loaded once
    tracemalloc.start()
    video_files.read(path, EIGHT, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def rows(file, frames=None, clip_seconds=None):
    return [numbers_in(row).tolist() for row in video_files.rows(file, frames, clip_seconds)]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """50 numbered frames, two seconds."""
    return write(tmp_path_factory.mktemp("films") / "a.avi", numbered(50))


def test_a_row_of_a_whole_video(film):
    assert rows(film) == [list(range(50))]
    assert rows(film, 5) == [[5, 15, 25, 35, 45]]
    assert rows(film, 60) == [list(range(50))]


def test_the_clips_of_a_whole_video_are_those_that_are_read_for_training(film, tmp_path):
    found = numbers_in(video_files.clips(film, 8, 3))
    np.testing.assert_array_equal(found, numbers_in(video_files.read(film, EIGHT, 3).frames))
    short = write(tmp_path / "short.avi", numbered(3))
    assert numbers_in(video_files.clips(short, 8, 3)).tolist() == [[0, 1, 2]]


def test_a_row_for_each_stretch_of_so_many_seconds(film):
    assert rows(film, 2, 0.8) == [[5, 15], [25, 35]]  # and ten frames of no whole stretch
    assert rows(film, 2, 1.0) == [[6, 18], [31, 43]]
    assert rows(film, 2, 9.0) == [[12, 37]]


@pytest.mark.parametrize("promised", [40, 60])
def test_rows_do_not_depend_on_the_count_in_the_header(tmp_path, promised):
    file = write(tmp_path / "a.avi", numbered(50))
    made_videos.promise_frames(file, promised)
    assert rows(file, 5) == [[5, 15, 25, 35, 45]]


def test_frames_have_the_colours_and_the_size_of_the_video(tmp_path):
    frames = numbered(4, height=32, width=48)
    frames[..., 0] = 200
    (row,) = video_files.rows(write(tmp_path / "a.avi", frames), None, None)
    assert (row.shape, row.dtype) == ((4, 32, 48, 3), np.uint8)
    assert row[..., 0].mean() > 180 > row[..., 2].mean()


def test_rows_of_uneven_times_are_stretches_of_time(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(40), 25)
    # The first 20 frames last as long as 60 of the others: 1.5 times and a half of 40 ms
    made_videos.hold_frames(path, [(20, 1536), (20, 512)])
    whole, *rest = rows(path, 8)
    assert not rest
    assert (np.array(whole) < 20).sum() == 6
    one = video_files.read(path, EIGHT, 1)
    assert whole == numbers_in(one.frames[0]).tolist()
    halves = rows(path, 4, one.seconds / 2)
    assert [row[-1] < 20 for row in halves] == [True, False]


def test_files_without_rows_say_why(tmp_path, film):
    (tmp_path / "junk.mp4").write_text("no video")
    (tmp_path / "cut.avi").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    for name, reason in (("junk.mp4", "has no pictures"), ("cut.avi", "is cut off")):
        for seconds in (None, 0.8):
            with pytest.raises(errors.UserError, match=reason):
                rows(tmp_path / name, 5, seconds)


def test_more_pixels_than_fit_are_refused(film, monkeypatch):
    monkeypatch.setattr(video_files, "_MOST_BYTES", 100_000)
    for seconds in (None, 1.0):
        with pytest.raises(errors.UserError, match="more pixels than fit"):
            rows(film, None, seconds)
    assert rows(film, 5) == [[5, 15, 25, 35, 45]]
    assert len(rows(film, 5, 0.4)) == 5


def test_longer_videos_than_allowed_are_refused(film):
    def plan(count, _):
        return sampling.frame_indices(count, 2)

    found = video_files.choose(film, plan, lambda frame: frame[:2], most_frames=50)
    assert sorted(found.frames) == [12, 37]
    assert found.frames[12].shape == (2, 64, 3)
    np.testing.assert_allclose(found.times, np.arange(50) / 25, atol=1e-6)
    with pytest.raises(errors.UserError, match="over 49 frames"):
        video_files.choose(film, plan, lambda frame: frame, most_frames=49)
