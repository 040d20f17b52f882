"""Videos of a folder or a csv are found with labels, groups and checksums."""

import pytest

from apps.suite import errors
from apps.suite.data.config import OwnConfig
from apps.video_classification import clips
from tests.apps.video_classification.made_videos import write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("own") / "films", frames=3)


def test_folders_are_labels(folder):
    source = clips.find_files(folder, OwnConfig())
    assert source.label_names == ("left", "right")
    assert source.videos[0] == ("left/film0_0.avi", "left", "", "")
    assert len(source.videos) == len(source.paths) == len(set(source.digests)) == 12
    assert (source.name, source.source, source.divided_by) == ("films", str(folder), "")


def test_a_pattern_finds_the_group_in_the_file_name(folder):
    source = clips.find_files(folder, OwnConfig(group_pattern=r"^(film\d)_"))
    assert {video.group for video in source.videos} == {"film0", "film1", "film2"}


def test_a_csv_lists_paths_labels_groups_and_parts(folder):
    text = "Path,label,group,part\nleft/film0_0.avi,go,one,train\n"
    text += f"{folder}/right/film1_0.avi, stop ,two,test\n\n"
    (folder / "four.csv").write_text(text)
    source = clips.find_files(folder / "four.csv", OwnConfig())
    assert source.videos[0] == ("left/film0_0.avi", "go", "one", "train")
    assert source.videos[1][1:] == ("stop", "two", "test")
    assert source.divided_by == "the column part of four.csv"


def test_one_label_alone_is_told_before_anything_is_decoded(tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("1.avi", "2.avi"):
        (tmp_path / "run" / name).write_text("not even a video")
    with pytest.raises(errors.UserError, match=f"{tmp_path}: all 2 videos have the label 'run'"):
        clips.find_files(tmp_path, OwnConfig())
