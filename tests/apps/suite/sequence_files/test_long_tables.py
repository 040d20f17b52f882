"""Long tables become sequences, whatever the order of their rows, and faults are told by line."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from apps.suite import errors
from apps.suite.sequence_files import long_tables
from apps.suite.sequences import config, ragged

TABLE = """\
recording;cycle;Subject;part;kind;note;x;y;target
a;1;anna;train;walk;;0,5;1;9
b;1;ben;test;stand;hm;3;NA;
a;2;anna;train;walk;;1,5;;8
b;5;ben;test;;hm;4;2;7
"""


def read(folder, text=TABLE, settings=None, further=None, name="table.csv", **options):
    path = folder / name
    path.write_text(text)
    return long_tables.read(
        path, settings or config.SequenceFormatConfig(), further or {}, **options
    )


def refused(folder, text, **options):
    with pytest.raises(errors.UserError) as caught:
        read(folder, text, **options)
    return str(caught.value)


def check(found):
    nan = np.nan
    assert found.names == ("a", "b")
    assert found.channel_names == ("x", "y")
    assert found.groups == ("anna", "ben")
    assert found.parts == ("train", "test")
    np.testing.assert_array_equal(found.starts, [0, 2, 4])
    np.testing.assert_array_equal(found.at(0), np.float32([[0.5, 1], [1.5, nan]]))
    np.testing.assert_array_equal(found.at(1), np.float32([[3, nan], [4, 2]]))
    np.testing.assert_array_equal(found.steps, [1, 2, 1, 5])
    np.testing.assert_array_equal(found.numbers["target"], [9, 8, nan, 7])
    kind = found.words["kind"]
    assert [kind.text(row) for row in range(4)] == ["walk", "walk", "stand", ""]
    assert any("left out" in note and "note" in note for note in found.notes)


FURTHER = {"kind": "word", "target": "number"}


def test_rows_of_sequences_may_be_mixed(tmp_path):
    check(read(tmp_path, further=FURTHER))


def test_a_large_table_is_the_same_from_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(long_tables, "LARGE_BYTES", 10)
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "cache"))
    found = read(tmp_path, further=FURTHER)
    assert isinstance(found.values, np.memmap)
    check(found)
    check(found.taken([0, 1]))
    kept = [entry for entry in (tmp_path / "cache" / "sequences").iterdir() if entry.is_dir()]
    assert kept == []


def test_parquet_is_read_like_csv(tmp_path):
    table = {
        "recording": ["a", "b", "a", "b"],
        "cycle": [1, 1, 2, 5],
        "Subject": ["anna", "ben", "anna", "ben"],
        "part": ["train", "test", "train", "test"],
        "kind": ["walk", "stand", "walk", None],
        "note": ["", "hm", "", "hm"],
        "x": [0.5, 3, 1.5, 4],
        "y": [1, None, None, 2],
        "target": [9, None, 8, 7],
    }
    parquet.write_table(pa.table(table), tmp_path / "table.parquet")
    check(long_tables.read(tmp_path / "table.parquet", config.SequenceFormatConfig(), FURTHER))


def test_times_serve_as_steps(tmp_path):
    text = "unit,time,x\n1,2024-01-01 00:00,1\n1,2024-01-01 00:10,2\n"
    np.testing.assert_array_equal(np.diff(read(tmp_path, text).steps), [600])


def test_the_channels_of_the_training_are_taken_in_their_order(tmp_path):
    found = read(tmp_path, "unit,y,x,z\n1,1,2,3\n", learned=("x", "y"))
    np.testing.assert_array_equal(found.values, [[2, 1]])
    assert "lacks the column w" in refused(tmp_path, "unit,y\n1,1\n", learned=("w",))


def test_sequences_are_taken_with_all_their_columns(tmp_path):
    found = read(tmp_path, further=FURTHER).taken([1])
    assert (found.names, found.groups, found.parts) == (("b",), ("ben",), ("test",))
    np.testing.assert_array_equal(found.numbers["target"], [np.nan, 7])
    assert found.word("kind", 0) == "stand"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("step,x\n1,2\n", "no column names the sequences"),
        ("unit,kind\n1,walk\n", "no column of numbers beside unit"),
        ("unit,x\n", "no rows"),
        ("unit,cycle,x\n7,3,1\n7,2,1\n", "line 3: cycle 2 comes after 3 in unit '7'"),
        ("unit,cycle,x\n7,3,1\n8,1,0\n7,3,1\n", "line 4: cycle 3 comes twice in unit '7'"),
        ("unit,cycle,x\n7,,1\n", "line 2: cycle is empty"),
        ("unit,subject,x\n7,anna,1\n7,ben,1\n", "line 3: subject is 'ben', and it was 'anna'"),
        ("unit,subject,x\n7,,1\n", "subject of '7' is empty"),
        ("unit,part,x\n7,exam,1\n", "part is 'exam'; write train, validation or test"),
        ("unit,x\n7,1\n7,high\n", "line 3: x is 'high'"),
        (",unit,x\n0,,1\n", "line 2: unit is empty"),
    ],
)
def test_faults_are_told_by_file_line_and_column(tmp_path, text, told):
    message = refused(tmp_path, text)
    assert "table.csv" in message
    assert told in message


def test_a_column_that_has_to_be_constant_is_checked(tmp_path):
    text = "unit,kind,x\n7,walk,1\n7,stand,1\n"
    assert read(tmp_path, text, further={"kind": "word"}).word("kind", 0) == "walk"
    told = refused(tmp_path, text, further={"kind": "word"}, constant=("kind",))
    assert "line 3: kind is 'stand', and it was 'walk' before in unit '7'" in told


def test_a_column_of_the_config_that_is_missing_is_told_with_its_field(tmp_path):
    settings = config.SequenceFormatConfig(group_column="who")
    told = refused(tmp_path, "unit,x\n7,1\n", settings=settings)
    assert "lacks the column who of --data_format.group_column; there are unit, x" in told


def test_a_changed_value_changes_the_fingerprint(tmp_path):
    first = ragged.fingerprint(read(tmp_path, further=FURTHER))
    assert first == ragged.fingerprint(read(tmp_path, further=FURTHER))
    for one, other in (("0,5", "0,6"), ("walk", "run"), ("anna", "eve"), (";9", ";8")):
        changed = read(tmp_path, TABLE.replace(one, other), further=FURTHER)
        assert ragged.fingerprint(changed) != first, one
