"""Folders and csv files list labelled files, and mistakes are told with file and line."""

import hashlib

import pytest

from apps.suite import errors
from apps.suite.data import labelled_files
from apps.suite.data.labelled_files import Kind

SOUNDS = Kind("recording", "speaker", (".flac", ".ogg", ".wav"), aside="_noise_")
VIDEOS = Kind("video", "group", whole_groups=True)


def touched(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def csv(folder, *rows, header="path,label", name="list.csv"):
    touched(folder, *(f"{n}.wav" for n in range(1, 5)))
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder / name


def names(found):
    return [example.name for example in found.examples]


def test_folders_are_labels(tmp_path):
    touched(tmp_path, "yes/b.wav", "yes/a.wav", "no/c.wav")
    found = labelled_files.find(tmp_path, SOUNDS)
    assert names(found) == ["no/c.wav", "yes/a.wav", "yes/b.wav"]
    assert found.examples[0] == ("no/c.wav", "no", "", "")
    assert found.paths[0] == tmp_path / "no" / "c.wav"
    assert (found.name, found.source) == (tmp_path.name, str(tmp_path))
    assert not found.divided_by


def test_hidden_files_and_those_of_systems_are_skipped(tmp_path):
    touched(tmp_path, "a/1.avi", "a/.hidden", "a/Thumbs.db", "b/2", ".git/3.avi")
    (tmp_path / "a" / "folder").mkdir()
    assert names(labelled_files.find(tmp_path, VIDEOS)) == ["a/1.avi", "b/2"]


def test_suffixes_of_any_case_choose_the_files(tmp_path):
    touched(tmp_path, "go/1.wav", "go/2.FLAC", "stop/3.ogg", "stop/notes.txt", "stop/.hidden.wav")
    assert names(labelled_files.find(tmp_path, SOUNDS)) == ["go/1.wav", "go/2.FLAC", "stop/3.ogg"]


def test_one_label_is_listed_apart(tmp_path):
    touched(tmp_path, "yes/1.wav", "_noise_/2.wav")
    found = labelled_files.find(tmp_path, SOUNDS)
    assert names(found) == ["yes/1.wav"]
    assert [file.name for file in found.aside] == ["2.wav"]
    found = labelled_files.find(csv(tmp_path, "1.wav,yes", "2.wav,_noise_"), SOUNDS)
    assert names(found) == ["1.wav"]
    assert [file.name for file in found.aside] == ["2.wav"]


def test_files_below_the_folder_of_a_label_have_the_topmost_label_and_are_told(tmp_path):
    touched(tmp_path, "yes/b.wav", "yes/a day/c.wav", "yes/a day/x/d.wav", "no/e.wav")
    touched(tmp_path, "yes/.trash/f.wav", "__MACOSX/yes/b.wav")
    found = labelled_files.find(tmp_path, SOUNDS)
    assert [(each.name, each.label) for each in found.examples] == [
        ("no/e.wav", "no"),
        ("yes/b.wav", "yes"),
        ("yes/a day/c.wav", "yes"),
        ("yes/a day/x/d.wav", "yes"),
    ]
    (note,) = found.notes
    assert "2 recordings" in note
    assert "yes/a day" in note


def test_files_that_are_not_read_are_listed(tmp_path):
    touched(tmp_path, "yes/a.wav", "yes/b.m4a", "no/c.wav", "no/x/d.amr", "_noise_/e.txt", "f.wav")
    found = labelled_files.find(tmp_path, SOUNDS)
    assert found.unread == ("_noise_/e.txt", "f.wav", "no/x/d.amr", "yes/b.m4a")
    touched(tmp_path, "maybe/g.m4a")
    with pytest.raises(errors.UserError, match=r"maybe: no flac, ogg or wav file .*g\.m4a"):
        labelled_files.find(tmp_path, SOUNDS)


@pytest.mark.parametrize("parts", [["train", "test"], ["Training", "VAL", "test"], ["train"]])
def test_folders_of_parts_are_not_taken_for_labels(tmp_path, parts):
    for part in parts:
        touched(tmp_path, f"{part}/yes/a.wav", f"{part}/no/b.wav")
    with pytest.raises(errors.UserError, match=r"parts and not labels; .*path,label,part"):
        labelled_files.find(tmp_path, SOUNDS)


def test_a_folder_around_the_labels_is_told_with_the_one_to_give(tmp_path):
    touched(tmp_path, "words/yes/a.wav", "words/no/b.wav")
    with pytest.raises(errors.UserError, match=f"give {tmp_path / 'words'} instead"):
        labelled_files.find(tmp_path, SOUNDS)
    assert len(labelled_files.find(tmp_path / "words", SOUNDS).examples) == 2


@pytest.mark.parametrize("kind", [SOUNDS, VIDEOS])
def test_a_list_of_which_no_line_names_a_file_is_refused(tmp_path, kind):
    touched(tmp_path, "yes/1.wav", "no/1.wav")
    (tmp_path / "validation_list.txt").write_text("yes/1.wav\n")
    (tmp_path / "testing_list.txt").write_text("words/yes/1.wav\nwords/no/1.wav\n")
    message = (
        r"testing_list\.txt: no line names a file .* a line is no/1\.wav, not words/yes/1\.wav"
    )
    with pytest.raises(errors.UserError, match=message):
        labelled_files.find(tmp_path, kind)
    (tmp_path / "testing_list.txt").write_text("\n")
    with pytest.raises(errors.UserError, match=r"testing_list\.txt: names no file"):
        labelled_files.find(tmp_path, kind)


def test_lines_of_lists_may_be_written_in_other_ways_and_those_that_fit_nothing_are_told(tmp_path):
    touched(tmp_path, "yes/1.wav", "yes/2.wav", "no/1.wav")
    (tmp_path / "testing_list.txt").write_text("./yes/1.wav\nno\\1.wav\nbed/1.wav\n", "utf-16")
    found = labelled_files.find(tmp_path, SOUNDS)
    assert [each.part for each in found.examples] == ["test", "test", ""]
    (note,) = found.notes
    assert "1 lines of testing_list.txt" in note
    assert "bed/1.wav" in note


@pytest.mark.parametrize("kind", [SOUNDS, VIDEOS])
def test_lists_in_a_folder_name_the_parts(tmp_path, kind):
    touched(tmp_path, "yes/1.wav", "yes/2.wav", "no/1.wav", "no/2.wav")
    (tmp_path / "validation_list.txt").write_text("yes/1.wav\nno/1.wav\n")
    (tmp_path / "testing_list.txt").write_text("yes/2.wav\r\nbed/2.wav\n")
    found = labelled_files.find(tmp_path, kind)
    assert {example.name: example.part for example in found.examples} == {
        "yes/1.wav": "validation",
        "no/1.wav": "validation",
        "yes/2.wav": "test",
        "no/2.wav": "",
    }
    assert found.divided_by == "validation_list.txt and testing_list.txt"


@pytest.mark.parametrize(
    ("lists", "place"),
    [
        ({"testing_list.txt": "yes/1.wav\nyes/9.wav\n"}, r"testing_list\.txt, line 2: yes/9\.wav"),
        (
            {"validation_list.txt": "yes/1.wav\n", "testing_list.txt": "\nyes/1.wav\n"},
            r"testing_list\.txt, line 2: yes/1\.wav is listed before",
        ),
    ],
)
def test_lists_that_do_not_fit_the_files_are_told_with_their_line(tmp_path, lists, place):
    touched(tmp_path, "yes/1.wav", "no/1.wav")
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(errors.UserError, match=place):
        labelled_files.find(tmp_path, SOUNDS)


@pytest.mark.parametrize("kind", [SOUNDS, VIDEOS])
def test_folders_without_files_and_other_files_are_told(tmp_path, kind):
    with pytest.raises(errors.UserError, match=f"{tmp_path}: no folder in it"):
        labelled_files.find(tmp_path, kind)
    (tmp_path / "maybe").mkdir()
    with pytest.raises(errors.UserError, match=f"maybe: no .*file in this folder; put {kind.noun}"):
        labelled_files.find(tmp_path, kind)
    (tmp_path / "clips.txt").touch()
    with pytest.raises(errors.UserError, match=r"clips\.txt: give a folder"):
        labelled_files.find(tmp_path / "clips.txt", kind)


def test_paths_begin_at_the_folder_of_the_csv(tmp_path, monkeypatch):
    file = csv(touched(tmp_path, "a/1.wav"), "a/1.wav,yes", "2.wav, no ")
    monkeypatch.chdir(tmp_path.parent)
    found = labelled_files.find(file, SOUNDS)
    assert found.examples == (("a/1.wav", "yes", "", ""), ("2.wav", "no", "", ""))
    assert found.paths == (tmp_path / "a" / "1.wav", tmp_path / "2.wav")
    assert found.name == "list.csv"


def test_groups_and_parts_are_taken_in_any_order_of_columns(tmp_path):
    rows = ("ann,train,yes,1.wav,loud", "bob,validation,no,2.wav,", "", "cy,test,yes,3.wav,soft")
    file = csv(tmp_path, *rows, header="Speaker,part, label,path,remark")
    found = labelled_files.find(file, SOUNDS)
    assert [each.group for each in found.examples] == ["ann", "bob", "cy"]
    assert [each.part for each in found.examples] == ["train", "validation", "test"]
    assert found.divided_by == "the column part of list.csv"
    assert {each.group for each in labelled_files.find(file, VIDEOS).examples} == {""}


def test_absolute_paths_a_byte_order_mark_and_quotes(tmp_path):
    touched(tmp_path, "else/where, loud.wav")
    loud = tmp_path / "else" / "where, loud.wav"
    (tmp_path / "a.csv").write_text(f'\ufeffpath,label\r\n"{loud}",yes\r\n', encoding="utf-8")
    found = labelled_files.find(tmp_path / "a.csv", SOUNDS)
    assert (found.examples[0].name, found.paths[0]) == (str(loud), loud)
    (tmp_path / "a.csv").write_text(f'path,label\r\n"{loud}",йес\r\n', encoding="utf-16")
    assert labelled_files.find(tmp_path / "a.csv", SOUNDS).examples[0].label == "йес"


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("path,word", ["1.wav,yes"], r"line 1: no column label; .*path,label\[,group\]\[,part\]"),
        ("label", ["yes"], "line 1: no column path"),
        ("path,label", ["1.wav,yes", "2.wav, "], "line 3: label is empty"),
        ("path,label", [",yes"], "line 2: path is empty"),
        ("path,label", ["1.wav,yes,ann"], "line 2: 3 values for 2 columns"),
        ("path,label", ["9.wav,yes"], r"line 2: no such file: .*9\.wav"),
        ("path,label", ["1.wav,yes", "", "1.wav,no"], r"line 4: 1\.wav stands in line 2"),
        ("path,label", ["1.wav,yes", "./1.wav,yes"], r"line 3: \./1\.wav stands in line 2"),
        ("path,label,part", ["1.wav,yes,dev"], "line 2: part is 'dev'"),
        ("path,label,part", ["1.wav,yes,"], "line 2: part is ''"),
        ("path,label", [], "lists no video"),
        ("path,label,group", ["1.wav,a,one", "2.wav,a,"], "line 3: group is empty"),
        (
            "path,label,group,part",
            ["1.wav,a,one,train", "2.wav,a,one,test"],
            "line 3: group 'one' is in test here and in train in line 2",
        ),
    ],
)
def test_a_mistake_in_a_csv_is_told_with_its_line(tmp_path, header, rows, message):
    file = csv(tmp_path, *rows, header=header)
    with pytest.raises(errors.UserError, match=message) as raised:
        labelled_files.find(file, VIDEOS)
    assert str(raised.value).startswith(str(file))


def test_speakers_may_be_unknown_and_be_in_two_parts(tmp_path):
    file = csv(tmp_path, "1.wav,a,ann,train", "2.wav,a,ann,test", "3.wav,a,,test",
               header="path,label,speaker,part")  # fmt: skip
    assert [each.group for each in labelled_files.find(file, SOUNDS).examples] == ["ann", "ann", ""]


def test_a_csv_that_is_not_text_or_empty_is_told(tmp_path):
    (tmp_path / "a.csv").write_bytes("path,label\n1.wav,öl\n".encode("latin-1"))
    with pytest.raises(errors.UserError, match=r"a\.csv: byte 0xf6 at offset 17 is not UTF-8 text"):
        labelled_files.find(tmp_path / "a.csv", SOUNDS)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(errors.UserError, match=r"a\.csv, line 1: no column path"):
        labelled_files.find(tmp_path / "a.csv", SOUNDS)


def test_a_pattern_finds_the_group_in_the_file_name(tmp_path):
    touched(tmp_path, "left/film0_0.avi", "left/film1_0.avi", "right/film1_1.avi")
    found = labelled_files.grouped(labelled_files.find(tmp_path, VIDEOS), r"^(film\d)_")
    assert [each.group for each in found.examples] == ["film0", "film1", "film1"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("film([0-9]+", r"own\.group_pattern 'film\(\[0-9\]\+'"),
        ("film", "own.group_pattern 'film' has no group"),
        (r"(film0)", r"finds no group in 1 of 2 names, the first is left/film1_0\.avi"),
    ],
)
def test_a_pattern_that_does_not_fit_is_told(tmp_path, pattern, message):
    touched(tmp_path, "left/film0_0.avi", "left/film1_0.avi")
    with pytest.raises(errors.UserError, match=message):
        labelled_files.grouped(labelled_files.find(tmp_path, VIDEOS), pattern)


def test_a_group_by_name_and_by_column_is_one_too_many(tmp_path):
    file = csv(tmp_path, "1.wav,go,one", "2.wav,stop,one", header="path,label,group")
    with pytest.raises(errors.UserError, match=r"1\.wav: has the group 'one'"):
        labelled_files.grouped(labelled_files.find(file, VIDEOS), "(.)")


def test_digests_are_those_of_the_content(tmp_path):
    touched(tmp_path, "a", "b")
    found = labelled_files.digests([tmp_path / "a", tmp_path / "b"])
    assert found == tuple(hashlib.sha256(text).hexdigest() for text in (b"a", b"b"))
    (tmp_path / "c").symlink_to(tmp_path / "gone")
    with pytest.raises(errors.UserError, match=f"{tmp_path / 'c'}: cannot be read"):
        labelled_files.digests([tmp_path / "c"])
