"""Every format of own sequences and texts is read alike, and faults are told by file and line."""

import json

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.data.config import OwnConfig
from apps.suite.sequences import config, own_files, ts_files

WANTED = {"label": "word"}
TS = """\
#a remark
@problemName small
@timeStamps false
@univariate false
@classLabel true a b
@data
1,2,?:0.5,0,1:a

3,4:5,NaN:b
"""


def read(path, further=WANTED, **options):
    return own_files.read(path, config.SequenceFormatConfig(), further, **options)


def written(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def labels(found, column="label"):
    return [found.word(column, at) for at in range(len(found))]


def refused(path, *parts, **options):
    with pytest.raises(errors.UserError) as caught:
        read(path, **options)
    for part in (str(path), *parts):
        assert part in str(caught.value), caught.value
    assert "\n" not in str(caught.value)


def test_a_ts_file_has_unequal_lengths_and_missing_values(tmp_path):
    found = read(written(tmp_path / "small.ts", TS))
    np.testing.assert_array_equal(found.lengths, [3, 2])
    np.testing.assert_array_equal(found.at(0), [[1, 0.5], [2, 0], [np.nan, 1]])
    np.testing.assert_array_equal(found.at(1), [[3, 5], [4, np.nan]])
    assert labels(found) == ["a", "b"]
    assert set(found.parts) == {""}


def test_the_files_of_training_and_test_are_a_pair(tmp_path):
    train = written(tmp_path / "X_TRAIN.ts", TS)
    written(tmp_path / "X_TEST.ts", TS)
    for path in (train, tmp_path):
        assert read(path).parts == ("train", "train", "test", "test")


def test_a_target_is_a_number(tmp_path):
    text = TS.replace("@classLabel true a b", "@targetLabel true")
    text = text.replace(":a", ":2.5").replace(":b", ":-1")
    found = ts_files.read(written(tmp_path / "small.ts", text))
    np.testing.assert_array_equal(found.numbers["target"], [2.5, 2.5, 2.5, -1, -1])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("@classLabel true a b", "@classLabel false", ["@classLabel"]),
        ("1:a", "1:c", ["line 7", "'c'", "a, b"]),
        ("3,4:5,NaN:b", "3,4:b", ["line 9", "1 channels", "2"]),
        ("3,4:5,NaN:b", "3,4:5:b", ["line 9", "1 and 2 steps"]),
        ("1,2,?", "1,two,?", ["line 7", "'two'"]),
        ("1,2,?", "1,inf,?", ["line 7", "'inf'"]),
        ("3,4:5,NaN:b", "?,?:?,?:b", ["line 9", "without any value"]),
        ("@timeStamps false", "@timeStamps true", ["time stamps"]),
        ("@data", "", ["line 7", "@data"]),
    ],
)
def test_a_ts_file_with_a_fault_is_told_by_line(tmp_path, old, new, told):
    refused(written(tmp_path / "small.ts", TS.replace(old, new)), *told)


LINES = [
    {"values": [[1, 0.5], [None, 1]], "label": "a", "group": "anna", "part": "train"},
    {"values": [[3, 5]], "label": 7, "group": "ben", "part": "test", "id": "last"},
]


def as_lines(file, rows):
    return written(file, "\n\n".join(map(json.dumps, rows)) + "\n")


def test_json_lines_hold_values(tmp_path):
    found = read(as_lines(tmp_path / "a.jsonl", LINES))
    np.testing.assert_array_equal(found.at(0), [[1, 0.5], [np.nan, 1]])
    assert labels(found) == ["a", "7"]
    assert found.groups == ("anna", "ben")
    assert found.parts == ("train", "test")
    assert found.names == ("line 1", "last")


def test_json_lines_hold_labels_by_step_and_targets(tmp_path):
    rows = [{"values": [1, 2, 3], "label": ["a", "b", "b"], "target": 2}]
    found = read(as_lines(tmp_path / "a.jsonl", rows), {"label": "word", "target": "number"})
    assert [found.words["label"].text(row) for row in range(3)] == ["a", "b", "b"]
    np.testing.assert_array_equal(found.numbers["target"], [2, 2, 2])


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"values": [[1, 2]]}, ["line 3", "label"]),
        ({"values": [[1]], "label": "a"}, ["line 3", "1 numbers", "2"]),
        ({"values": [[1, "x"]], "label": "a"}, ["line 3", "'x'"]),
        ({"values": [[1, True]], "label": "a"}, ["line 3", "True"]),
        ({"values": [], "label": "a"}, ["line 3", "values"]),
        ({"values": [[1, 2], [1]], "label": "a"}, ["line 3", "1 and 2"]),
        ({"values": [[None, None]], "label": "a"}, ["line 3", "finite"]),
        ({"values": [[1, 2]], "label": ["a", "b"]}, ["line 3", "2 entries", "1 steps"]),
        ({"text": "words", "label": "a"}, ["line 3", "values"]),
        ({"values": [[1, 2]], "label": "a", "part": "tset"}, ["line 3", "'tset'"]),
        ({"values": [[1, 2]], "label": "a"}, ["no group"]),
        ([1], ["line 3", "object"]),
    ],
    ids=str,
)
def test_json_lines_with_a_fault_are_told_by_line(tmp_path, row, told):
    refused(as_lines(tmp_path / "a.jsonl", [LINES[0], row]), *told)


def test_text_that_is_not_json_is_told(tmp_path):
    refused(written(tmp_path / "a.jsonl", "{'label'"), "line 1", "not JSON")
    refused(written(tmp_path / "a.json", ""), "empty")
    (tmp_path / "b.jsonl").write_bytes("{}".encode("utf-16"))
    refused(tmp_path / "b.jsonl", "UTF-8")


TEXTS = 'text,label,group,part\n"a film, and what a film",good,anna,train\nbad,bad,ben,test\n'


def test_tables_and_lines_of_texts_are_read_alike(tmp_path):
    lines = [{"text": "a film, and what a film", "label": "good", "group": "anna", "part": "train"},
             {"text": "bad", "label": "bad", "group": "ben", "part": "test"}]  # fmt: skip
    for path in (
        written(tmp_path / "a.csv", TEXTS),
        written(tmp_path / "a.tsv", TEXTS.replace('"', "").replace(",", "\t").replace("\t ", ", ")),
        as_lines(tmp_path / "a.jsonl", lines),
    ):
        found = read(path)
        assert found.channel_names == ()
        assert labels(found, "text") == ["a film, and what a film", "bad"]
        assert labels(found) == ["good", "bad"]
        assert found.groups == ("anna", "ben")
        assert found.parts == ("train", "test")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TEXTS.replace("label", "kind"), ["label", "text, kind"]),
        (TEXTS.replace("bad,bad", " ,bad"), ["line 3", "text"]),
        (TEXTS.replace("bad,bad", "bad,"), ["line 3", "label"]),
        (TEXTS.replace("test", "tset"), ["line 3", "'tset'"]),
        ("text,label\n", ["no rows"]),
    ],
)
def test_a_table_of_texts_with_a_fault_is_told_by_line(tmp_path, text, told):
    refused(written(tmp_path / "a.csv", text), *told)


def folder_of(path, files):
    for name, text in files.items():
        written(path / name, text)
    return path


FILES = {
    "walk/anna_1.csv": "step,x,y\n1,0.5,1\n2,,2\n",
    "walk/ben_1.csv": "y,x\n1,2\n",
    "stand/anna_2.csv": "x,y,note\n3,4,hm\n",
}


def test_a_folder_for_each_label_is_read(tmp_path):
    found = read(folder_of(tmp_path, FILES), own=OwnConfig(group_pattern="^([a-z]+)_"))
    assert found.channel_names == ("x", "y")
    assert labels(found) == ["stand", "walk", "walk"]
    assert found.groups == ("anna", "anna", "ben")
    np.testing.assert_array_equal(found.at(1), [[0.5, 1], [np.nan, 2]])
    np.testing.assert_array_equal(found.at(2), [[2, 1]])


def test_folders_of_parts_hold_folders_of_labels(tmp_path):
    for part in ("train", "test"):
        folder_of(tmp_path / part, FILES)
    found = read(tmp_path)
    assert found.parts == ("train",) * 3 + ("test",) * 3
    assert len(set(found.names)) == 6


def test_a_file_that_lacks_a_channel_is_named_or_left_out(tmp_path):
    folder_of(tmp_path, {**FILES, "walk/bad.csv": "x\n1\n"})
    with pytest.raises(errors.UserError, match=r"bad\.csv: lacks the column y"):
        read(tmp_path)
    found = read(tmp_path, own=OwnConfig(skip_unreadable=True))
    assert len(found) == 3
    assert any("1 left out" in note for note in found.notes)


def test_a_file_of_another_kind_is_told_which_there_are(tmp_path):
    refused(written(tmp_path / "a.docx", "x"), ".ts", ".csv", ".jsonl")


def test_what_is_asked_needs_no_label_and_the_channels_in_any_order(tmp_path):
    one = written(tmp_path / "one.csv", "y,x\n1,2\n3,\n")
    long = written(tmp_path / "long.csv", "id,step,y,x\nb,0,1,2\na,0,5,6\nb,1,3,\n")
    folder_of(tmp_path / "folder", {"1.csv": "x,y\n2,1\n,3\n", "deep/2.csv": "x,y\n6,5\n"})
    lines = as_lines(tmp_path / "a.jsonl", [{"values": [[2, 1], [None, 3]]}])
    b = [[2, 1], [np.nan, 3]]
    for path in (one, long, tmp_path / "folder", lines):
        found = own_files.asked(path, ["x", "y"])
        np.testing.assert_array_equal(found.at(0), b)
    with pytest.raises(errors.UserError, match="lacks the column z"):
        own_files.asked(one, ["x", "z"])
    with pytest.raises(errors.UserError, match="2 channels, the model has learned 1"):
        own_files.asked(lines, ["x"])
    with pytest.raises(errors.UserError, match="no such file"):
        own_files.asked(tmp_path / "none.csv", ["x"])


def test_asked_texts_are_words_lines_or_rows(tmp_path):
    assert own_files.asked_texts("some words") == [("text", "some words")]
    assert own_files.asked_texts("long " * 5_000)[0][1].startswith("long")
    lines = written(tmp_path / "a.txt", "one\n\ntwo\n")
    assert [text for _, text in own_files.asked_texts(str(lines))] == ["one", "two"]
    table = written(tmp_path / "a.csv", TEXTS)
    assert [text for _, text in own_files.asked_texts(str(table))][1] == "bad"
    numbers = as_lines(tmp_path / "a.jsonl", LINES)
    with pytest.raises(errors.UserError, match="numbers"):
        own_files.asked_texts(str(numbers))
