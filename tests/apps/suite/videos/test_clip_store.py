import re

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.videos import clip_store, video_files
from apps.video_classification import clips
from apps.video_classification.config import ClipConfig, OwnConfig
from tests.apps.video_classification import made_videos

CLIPS = ClipConfig(frames=6, height=24, width=32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    return made_videos.write_folder(tmp_path / "films")


def decoded(folder, clips_per_video=2, **options):
    source = clips.find_files(folder, OwnConfig())
    return source, clip_store.decoded(source, CLIPS, clips_per_video, **options)


def test_the_store_holds_each_video_s_own_clips_in_order(folder, capsys):
    source, store = decoded(folder)
    assert store.frames.shape == (24, 6, 24, 32, 3)
    assert isinstance(store.frames, np.memmap)
    assert store.video.tolist() == np.repeat(np.arange(12), 2).tolist()
    for number, path in enumerate(source.paths):
        alone = video_files.read(path, CLIPS, 2)
        np.testing.assert_array_equal(store.frames[2 * number : 2 * number + 2], alone.frames)
    line = r"clips of 12 videos, 2 each, in \d+ s\n"
    assert re.fullmatch(line, capsys.readouterr().out)


def test_a_second_call_decodes_nothing(folder, capsys):
    _, first = decoded(folder)
    content = first.frames.tobytes()
    made_videos.write(folder / "left" / "new.avi", made_videos.numbered(9))  # other content,
    (folder / "left" / "new.avi").unlink()  # and gone again
    _, second = decoded(folder)
    assert second.frames.tobytes() == content
    assert capsys.readouterr().out.splitlines()[1] == "clips of 12 videos, 2 each, are kept"


def test_other_settings_and_other_files_are_decoded_anew(folder, capsys):
    decoded(folder)
    decoded(folder, 3)
    made_videos.write(folder / "left" / "film0_0.avi", made_videos.numbered(9))
    decoded(folder)
    assert "kept" not in capsys.readouterr().out


def test_threads_and_interruptions_change_nothing(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(clip_store, "_SHARD_VIDEOS", 5)
    _, one = decoded(folder, threads=1)
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "second"))
    read, seen = video_files.read, []

    def interrupted(path, *settings):
        if len(seen) == 8:
            raise KeyboardInterrupt
        seen.append(path)
        return read(path, *settings)

    with monkeypatch.context() as patch:
        patch.setattr(video_files, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            decoded(folder, threads=1)
        patch.setattr(
            video_files, "read", lambda path, *rest: seen.append(path) or read(path, *rest)
        )
        del seen[:]
        _, two = decoded(folder, threads=3)
    assert len(seen) == 7  # of the first shard's five nothing is decoded again
    np.testing.assert_array_equal(one.frames, two.frames)
    np.testing.assert_array_equal(one.video, two.video)
    files = {file.name for file in (tmp_path / "second").rglob("*") if file.is_file()}
    assert files == {".lock", "frames.uint8", "index.npz"}


def test_unreadable_files_are_named_counted_and_left_out_only_if_told_so(folder, capsys):
    whole = (folder / "left" / "film0_0.avi").read_bytes()
    (folder / "left" / "film0_0.avi").write_bytes(whole[:-100])
    (folder / "right" / "notes.txt").write_text("no film")
    with pytest.raises(errors.UserError) as told:
        decoded(folder)
    assert "2 of 13 files cannot be decoded: left/film0_0.avi is cut off: 100 bytes" in str(
        told.value
    )
    assert "right/notes.txt has no pictures" in str(told.value)
    assert str(told.value).endswith("--own.skip_unreadable True leaves them out")
    assert "\n" not in str(told.value)
    source, store = decoded(folder, skip_unreadable=True)
    assert sorted(set(store.video.tolist())) == list(range(1, 12))
    assert [bool(reason) for reason in store.facts["reason"]] == [True] + [False] * 11 + [True]
    assert (
        "clips of 11 videos, 2 each, are kept, 2 left out"
        in capsys.readouterr().out.splitlines()[-1]
    )
    alone = video_files.read(source.paths[11], CLIPS, 2)
    np.testing.assert_array_equal(store.frames[-2:], alone.frames)


def test_where_nothing_can_be_decoded_there_is_nothing_to_leave_out(tmp_path):
    for label in ("a", "b"):
        (tmp_path / "bad" / label).mkdir(parents=True)
        (tmp_path / "bad" / label / "1.mp4").write_text(label)
    with pytest.raises(errors.UserError, match=r"2 of 2 files cannot be decoded: .*; none is"):
        decoded(tmp_path / "bad", skip_unreadable=True)


def test_a_damaged_store_is_not_taken_for_a_whole_one(folder, tmp_path):
    _, store = decoded(folder)
    content = store.frames.tobytes()
    [file] = (tmp_path / "cache").rglob("frames.uint8")
    file.write_bytes(content[:-1])
    assert clip_store.read(file.parent, CLIPS) is None
    _, again = decoded(folder)
    assert again.frames.tobytes() == content
