"""Files as users bring them become series, or are refused in a line that says where and why."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from apps.suite import errors
from apps.suite.tables import config as configs
from apps.suite.tables import series_files
from tests.apps.anomaly_detection import own_files

COUNT = 60
VALUES = np.random.default_rng(0).normal(size=(COUNT, 2)).round(4)


def table(header="timestamp,cpu,memory", *more, values=VALUES, times=None):
    times = own_files.times(len(values)) if times is None else times
    return own_files.rows(header, times, *values.T, *more)


def test_a_csv_with_times_and_columns_becomes_a_series(tmp_path):
    collection = own_files.load(own_files.written(tmp_path, table()))
    (one,) = collection.series
    assert (one.name, collection.feature_names, collection.scored_count) == (
        "mine",
        ("cpu", "memory"),
        2,
    )
    np.testing.assert_array_equal(one.values, VALUES.astype(np.float32))
    np.testing.assert_array_equal(one.times, own_files.seconds(COUNT))
    assert one.observed.all()
    assert one.labels is None
    assert (one.step_seconds, one.dated) == (300.0, True)
    assert (one.train_end, one.validation_end, len(one)) == (30, 42, 60)
    assert "first 50% of each series train" in collection.split


def test_csv_and_parquet_are_the_same_series(tmp_path):
    labels = np.arange(COUNT) > 50
    text = own_files.load(
        own_files.written(tmp_path, table("t,a,b,label", labels.astype(int)), "text.csv"),
        time_column="t",
    )
    moments = pa.array((own_files.seconds(COUNT) * 1e6).astype(np.int64), pa.timestamp("us"))
    columns = {"t": moments, "a": VALUES[:, 0], "b": VALUES[:, 1], "label": labels}
    parquet.write_table(pa.table(columns), tmp_path / "typed.parquet")
    typed = own_files.load(tmp_path / "typed.parquet")
    for field in ("times", "values", "observed", "labels"):
        one, other = (getattr(each.series[0], field) for each in (text, typed))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["time", "Date", "timestamp", "when was it"])
def test_the_time_is_found_by_its_name_or_by_what_it_holds(tmp_path, name):
    text = table(f"cpu,{name}", values=VALUES[:, :1])
    lines = [",".join(reversed(line.split(","))) for line in text.splitlines()]
    file = own_files.written(tmp_path, "\n".join([f"cpu,{name}", *lines[1:]]))
    collection = own_files.load(file)
    assert collection.feature_names == ("cpu",)
    np.testing.assert_array_equal(collection.series[0].times, own_files.seconds(COUNT))


def test_without_times_the_rows_are_the_steps(tmp_path):
    file = own_files.written(tmp_path, own_files.rows("a,b", *VALUES.T))
    (one,) = own_files.load(file).series
    assert (one.dated, one.step_seconds) == (False, 1.0)
    np.testing.assert_array_equal(one.times, np.arange(COUNT))
    dated = own_files.written(tmp_path, table("ts,a,b"), "dated.csv")
    collection = own_files.load(dated, time_column="none", ignored_columns=("ts",))
    assert not collection.series[0].dated


def test_empty_fields_are_not_observed_and_gaps_are_told(tmp_path):
    lines = table().splitlines()
    del lines[20:25]
    lines[10] = f"{lines[10].split(',')[0]},,1.5"
    collection = own_files.load(own_files.written(tmp_path, "\n".join(lines)))
    (one,) = collection.series
    assert len(one) == COUNT
    assert not one.observed[19:24].any()
    np.testing.assert_array_equal(one.observed[9], [False, True])
    assert (one.values[~one.observed] == 0).all()
    assert collection.notes == (
        "mine.csv: 55 rows became 60 steps of 300 seconds; 9.17% of the values are missing",
    )


def test_columns_of_text_are_left_out_and_that_is_told(tmp_path):
    host = ["web-1"] * COUNT
    collection = own_files.load(own_files.written(tmp_path, table("ts,a,b,host", host)))
    assert collection.feature_names == ("a", "b")
    assert collection.understood[0] == "mine.csv: scored: a, b; left out: host (text)"


def test_columns_that_are_only_read_come_last(tmp_path):
    command = np.arange(COUNT) % 3
    file = own_files.written(tmp_path, table("ts,command,a,b", values=np.c_[command, VALUES]))
    collection = own_files.load(file, input_columns=("command",))
    assert collection.feature_names == ("a", "b", "command")
    assert collection.scored_count == 2
    np.testing.assert_array_equal(collection.series[0].values[:, 2], command)


def test_a_column_says_which_rows_are_which_part(tmp_path):
    part = ["train"] * 20 + ["validation"] * 10 + ["test"] * 30
    collection = own_files.load(own_files.written(tmp_path, table("ts,a,b,part", part)))
    (one,) = collection.series
    assert (one.train_end, one.validation_end) == (20, 30)
    assert "column `part`" in collection.split


def test_a_folder_is_a_collection_and_one_of_it_can_be_picked(tmp_path):
    own_files.written(tmp_path, table(), "web/b.csv")
    own_files.written(tmp_path, table(), "a.csv")
    own_files.written(tmp_path, "notes", "read.me")
    collection = own_files.load(tmp_path)
    assert [one.name for one in collection.series] == ["a", "web/b"]
    assert [one.name for one in own_files.load(tmp_path, series="web/b").series] == ["web/b"]
    with pytest.raises(errors.UserError, match=r"no series c, .* there are a, web/b"):
        own_files.load(tmp_path, series="c")


def test_the_fingerprint_is_that_of_the_content(tmp_path):
    one, same = (own_files.written(tmp_path, table(), f"{folder}/x.csv") for folder in "ab")
    other = own_files.written(tmp_path, table(values=VALUES + 1), "c/x.csv")
    prints = [own_files.load(file).fingerprint for file in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]


CONSTANT = VALUES * [1, 0] + [0, 7]
EMPTY = np.where([False, True], np.nan, VALUES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (table("ts,a,b").splitlines()[0] + "\n", "has no rows"),
        ("ts,host\n2024-01-01,a\n2024-01-02,b\n", "no numeric column to score beside ts"),
        (table(values=CONSTANT), "column memory is 7 in the whole train part"),
        (table(values=EMPTY).replace("nan", ""), "column memory has no value in the train part"),
        (table(values=VALUES[:15]), "15 steps leave 8 for the train part, which needs 10"),
        (
            table(times=own_files.times(60)[:30] * 2),
            "line 32: .* is before the time above it",
        ),
        (
            table(times=own_files.times(60)[:30] + own_files.times(60)[29:59]),
            "line 32: timestamp 2024-03-01 02:25:00 UTC comes twice",
        ),
        (table().replace(str(VALUES[7, 0]), "ERR"), "line 9: cpu is 'ERR', which is not a number"),
        (table("ts,a,b,label", [0, 1, 2] * 20), "line 4: label is '2'; a label is 0 or 1"),
        (
            table("ts,a,b,part", ["train", "test"] * 30),
            "line 4: part is train after a later part",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line_that_says_where(tmp_path, text, message):
    file = own_files.written(tmp_path, text)
    with pytest.raises(errors.UserError, match=message) as caught:
        own_files.load(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_of_the_config_that_are_nowhere_are_refused(tmp_path):
    file = own_files.written(tmp_path, table())
    for field in ("time_column", "label_column"):
        with pytest.raises(errors.UserError, match=f"no column when, which data_format.{field}"):
            own_files.load(file, **{field: "when"})
    with pytest.raises(errors.UserError, match="no such file or folder"):
        own_files.load(tmp_path / "absent.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.UserError, match=r"no \.csv or .* file in this folder"):
        own_files.load(tmp_path / "empty")


def test_a_folder_s_files_must_have_the_same_columns(tmp_path):
    own_files.written(tmp_path, table(), "a.csv")
    file = own_files.written(tmp_path, table("timestamp,cpu,disk"), "b.csv")
    with pytest.raises(
        errors.UserError, match=f"{file}: lacks memory and has disk, unlike .*a.csv"
    ):
        own_files.load(tmp_path)


def test_a_constant_column_can_be_kept(tmp_path):
    file = own_files.written(tmp_path, table(values=CONSTANT))
    collection = own_files.load(file, constant_columns="keep")
    assert collection.feature_names == ("cpu", "memory")


def score(file, names=("cpu", "memory"), step_seconds=300.0, **settings):
    return series_files.read_to_score(
        file, configs.DataFormatConfig(**settings), names, 2, step_seconds
    )


def test_what_is_to_be_scored_needs_the_columns_that_were_learned_in_any_order(tmp_path):
    text = own_files.rows(
        "memory,disk,timestamp,cpu",
        VALUES[:, 1],
        VALUES[:, 0],
        own_files.times(COUNT),
        VALUES[:, 0],
    )
    collection = score(own_files.written(tmp_path, text))
    (one,) = collection.series
    np.testing.assert_array_equal(one.values, VALUES.astype(np.float32))
    assert (one.train_end, one.validation_end) == (0, 0)


def test_a_single_row_and_constant_columns_can_be_scored(tmp_path):
    file = own_files.written(tmp_path, table(values=VALUES[:1]))
    assert len(score(file).series[0]) == 1


def test_rows_to_score_are_brought_to_the_step_that_was_learned(tmp_path):
    file = own_files.written(tmp_path, table())
    (one,) = score(file, step_seconds=600.0).series
    assert (len(one), one.step_seconds) == (31, 600.0)


def test_columns_that_differ_from_training_are_named(tmp_path):
    file = own_files.written(tmp_path, table("timestamp,cpu,ram"))
    message = "lacks memory of the columns that were learned, has ram instead"
    with pytest.raises(errors.UserError, match=message):
        score(file)
