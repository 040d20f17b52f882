"""Videos become rows of frames, each spread over its stretch of the file."""

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.videos import video_frames
from tests.apps.video_classification import made_videos
from tests.apps.video_classification.made_videos import numbered, numbers_in


def rows(file, frames=None, clip_seconds=None):
    return [numbers_in(row).tolist() for row in video_frames.clips(str(file), frames, clip_seconds)]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """50 numbered frames, two seconds."""
    return made_videos.write(tmp_path_factory.mktemp("films") / "a.avi", numbered(50))


def test_a_row_of_a_whole_video(film):
    assert rows(film) == [list(range(50))]
    assert rows(film, 5) == [[5, 15, 25, 35, 45]]
    assert rows(film, 60) == [list(range(50))]


def test_a_row_for_each_stretch_of_so_many_seconds(film):
    assert rows(film, 2, 0.8) == [[5, 15], [25, 35]]  # and ten frames of no whole stretch
    assert rows(film, 2, 1.0) == [[6, 18], [31, 43]]
    assert rows(film, 2, 9.0) == [[12, 37]]


@pytest.mark.parametrize("promised", [40, 60])
def test_a_header_with_another_number_of_frames_misleads_nobody(tmp_path, promised):
    file = made_videos.write(tmp_path / "a.avi", numbered(50))
    made_videos.promise_frames(file, promised)
    assert rows(file, 5) == [[5, 15, 25, 35, 45]]


def test_frames_have_the_colours_and_the_size_of_the_video(tmp_path):
    frames = numbered(4, height=32, width=48)
    frames[..., 0] = 200
    (row,) = video_frames.clips(str(made_videos.write(tmp_path / "a.avi", frames)), None, None)
    assert (row.shape, row.dtype) == ((4, 32, 48, 3), np.uint8)
    assert row[..., 0].mean() > 180 > row[..., 2].mean()


def test_what_is_no_video_says_why(tmp_path, film):
    (tmp_path / "junk.mp4").write_text("no video")
    (tmp_path / "cut.avi").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    for name, reason in (("junk.mp4", "has no pictures"), ("cut.avi", "is cut off")):
        with pytest.raises(errors.UserError, match=reason):
            rows(tmp_path / name)


def test_more_pixels_than_fit_are_refused(film, monkeypatch):
    monkeypatch.setattr(video_frames, "_MOST_BYTES", 100_000)
    with pytest.raises(errors.UserError, match="more pixels than can be asked about at once"):
        rows(film)
    assert rows(film, 5) == [[5, 15, 25, 35, 45]]
