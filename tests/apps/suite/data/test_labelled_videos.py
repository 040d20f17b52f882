import pytest

from apps.suite import errors
from apps.suite.data import labelled_videos
from apps.video_classification.config import OwnConfig
from tests.apps.video_classification.made_videos import numbered, write, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("own") / "films", frames=3)


def csv(folder, text, name="clips.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_one_label_alone_is_told_before_anything_is_decoded(tmp_path):
    for name in ("1.avi", "2.avi"):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / name).write_text("not even a video")
    with pytest.raises(errors.UserError, match="all 2 videos have the label 'run'; two labels or"):
        labelled_videos.find(tmp_path, OwnConfig())


def test_folders_are_labels(folder):
    source = labelled_videos.find(folder, OwnConfig())
    assert source.label_names == ("left", "right")
    assert source.videos[0] == ("left/film0_0.avi", "left", "", "")
    assert len(source.videos) == len(source.paths) == len(set(source.digests)) == 12
    assert (source.name, source.source, source.divided_by) == ("films", str(folder), "")


def test_a_pattern_finds_the_group_in_the_file_name(folder):
    source = labelled_videos.find(folder, OwnConfig(group_pattern=r"^(film\d)_"))
    assert {video.group for video in source.videos} == {"film0", "film1", "film2"}
    assert source.videos[-1].group == "film2"


def test_hidden_files_and_those_of_systems_are_no_clips(tmp_path):
    for label in ("a", "b"):
        write(tmp_path / label / "1.avi", numbered(2))
        (tmp_path / label / ".hidden").touch()
        (tmp_path / label / "Thumbs.db").touch()
    assert len(labelled_videos.find(tmp_path, OwnConfig()).videos) == 2


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("film([0-9]+", r"own\.group_pattern 'film\(\[0-9\]\+': missing \)"),
        ("film", "has no group in brackets; write for instance"),
        (r"(film[01])", r"finds no group in 4 of 12 names, the first is left/film2_0\.avi"),
    ],
)
def test_a_pattern_that_does_not_fit_is_told(folder, pattern, message):
    with pytest.raises(errors.UserError, match=message):
        labelled_videos.find(folder, OwnConfig(group_pattern=pattern))


def test_an_empty_folder_and_other_files_are_told(tmp_path):
    with pytest.raises(errors.UserError, match="no folder in it; make one for each label"):
        labelled_videos.find(tmp_path, OwnConfig())
    (tmp_path / "run").mkdir()
    with pytest.raises(errors.UserError, match="run: no file in this folder; put videos of 'run'"):
        labelled_videos.find(tmp_path, OwnConfig())
    (tmp_path / "clips.txt").touch()
    with pytest.raises(errors.UserError, match="give a folder with a folder for each label, or"):
        labelled_videos.find(tmp_path / "clips.txt", OwnConfig())


def test_a_csv_lists_paths_labels_groups_and_parts(folder):
    text = "Path,label,group,part\nleft/film0_0.avi,go,one,train\n"
    text += f"{folder}/right/film1_0.avi, stop ,two,test\n\n"
    source = labelled_videos.find(csv(folder, text, "four.csv"), OwnConfig())
    assert source.videos[0] == ("left/film0_0.avi", "go", "one", "train")
    assert source.videos[1][1:] == ("stop", "two", "test")
    assert source.divided_by == "the column part of four.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n", r"line 1: no column path; the header is path,label\[,group\]\[,part\]"),
        ("path,label\n", "lists no video below its header"),
        ("path,label\nleft/film0_0.avi\n", "line 2: 1 values for 2 columns"),
        ("path,label\nleft/film0_0.avi,\n", "line 2: label is empty"),
        ("path,label\nleft/film9_0.avi,go\n", r"line 2: no such file: .*film9_0\.avi"),
        (
            "path,label\nleft/film0_0.avi,go\nright/../left/film0_0.avi,go\n",
            "line 3: .* stands in line 2 already",
        ),
        ("path,label,part\nleft/film0_0.avi,go,dev\n", "line 2: part is 'dev', not one of train"),
        (
            "path,label,group\nleft/film0_0.avi,go,one\nleft/film0_1.avi,go,\n",
            "line 3: group is empty, here and in 0 other lines, and not in all",
        ),
        (
            "path,label,group,part\nleft/film0_0.avi,go,one,train\nleft/film0_1.avi,go,one,test\n",
            "line 3: group 'one' is in test here and in train in line 2",
        ),
    ],
)
def test_a_mistake_in_a_csv_is_told_with_its_line(folder, text, message):
    with pytest.raises(errors.UserError, match=message):
        labelled_videos.find(csv(folder, text, "bad.csv"), OwnConfig())


def test_a_csv_that_is_no_text_is_told(tmp_path):
    (tmp_path / "clips.csv").write_bytes(b"path,label\n\xff\xfe")
    with pytest.raises(errors.UserError, match="not UTF-8 text"):
        labelled_videos.find(tmp_path / "clips.csv", OwnConfig())


def test_a_group_by_name_and_by_column_is_one_too_many(folder):
    text = "path,label,group\nleft/film0_0.avi,go,one\nleft/film0_1.avi,stop,one\n"
    path = csv(folder, text, "groups.csv")
    with pytest.raises(errors.UserError, match="has the group 'one' by the csv's column"):
        labelled_videos.find(path, OwnConfig(group_pattern="(film.)"))
