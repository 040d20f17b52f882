"""Csv and parquet files are read in blocks, and what is wrong with them is said by its place."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from apps.suite import errors
from apps.suite.tables import cells, reader
from tests.apps.anomaly_detection import own_files


def column(file, name):
    table = reader.open_table(file)
    return np.concatenate([cells.numbers(block, name) for block in table.blocks()])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    text = own_files.rows("a,b", [1, 2], [3.5, -4e-3]).replace(",", delimiter)
    file = own_files.written(tmp_path, text)
    assert reader.open_table(file).names == ("a", "b")
    np.testing.assert_array_equal(column(file, "b"), [3.5, -4e-3])


def test_quotes_spaces_byte_order_mark_line_ends_and_decimal_commas_are_understood(tmp_path):
    text = '\ufeff"a; b";c\r\n"1,5"; 2 \r\n-3;4\r\n'
    file = own_files.written(tmp_path, text)
    np.testing.assert_array_equal(column(file, "a; b"), [1.5, -3.0])
    np.testing.assert_array_equal(column(file, "c"), [2, 4])


def test_what_stands_for_missing_is_missing(tmp_path):
    values = ["1", "", "NA", "nan", "NaN", "null", "-", "?", "2"]
    file = own_files.written(tmp_path, own_files.rows("a,b", values, range(9)))
    np.testing.assert_array_equal(column(file, "a"), [1, *[np.nan] * 7, 2])


def test_packed_files_are_read_as_others(tmp_path):
    text = own_files.rows("a,b", [1, 2], [3, 4]).encode()
    file = own_files.written(tmp_path, gzip.compress(text), "mine.csv.gz")
    np.testing.assert_array_equal(column(file, "b"), [3, 4])


@pytest.mark.parametrize(
    "typed",
    [
        pa.array([1, None, 3], pa.int64()),
        pa.array([1.0, float("nan"), 3.0], pa.float32()),
        pa.array(["1", None, "3"]),
    ],
)
def test_parquet_columns_are_numbers_by_their_type(tmp_path, typed):
    file = tmp_path / "mine.parquet"
    parquet.write_table(pa.table({"a": typed, "flag": [True, False, None]}), file)
    np.testing.assert_array_equal(column(file, "a"), [1, np.nan, 3])
    np.testing.assert_array_equal(column(file, "flag"), [1, 0, np.nan])


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
def test_blocks_put_together_are_the_file(tmp_path, name, monkeypatch):
    monkeypatch.setattr(reader, "_BLOCK_BYTES", 1000)
    monkeypatch.setattr(reader, "_BLOCK_NUMBERS", 90)
    values = np.random.default_rng(0).normal(size=700).round(6)
    file = own_files.written(tmp_path, own_files.rows("a", values))
    if name.endswith("parquet"):
        file = tmp_path / name
        parquet.write_table(pa.table({"a": values}), file)
    blocks = list(reader.open_table(file).blocks())
    assert len(blocks) > 5
    assert blocks[1].first == len(blocks[0].columns["a"]) + 1
    assert blocks[1].place(0) == f"{file}: {'line' if name.endswith('csv') else 'row'} " + str(
        blocks[1].first + name.endswith("csv")
    )
    np.testing.assert_array_equal(column(file, "a"), values)


def test_a_bad_number_is_named_by_its_line_in_a_late_block_too(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_BLOCK_BYTES", 1000)
    values = [*map(str, range(500)), "1.2.3", *map(str, range(50))]
    file = own_files.written(tmp_path, own_files.rows("a,b", values, range(551)))
    with pytest.raises(errors.UserError, match=r"mine\.csv: line 502: a is '1\.2\.3'"):
        column(file, "a")


@pytest.mark.parametrize("value", ["1e400", "-1e39", "1e39"])
def test_what_a_float_cannot_hold_is_refused(tmp_path, value):
    file = own_files.written(tmp_path, own_files.rows("a", [1, value, 2]))
    with pytest.raises(errors.UserError, match=r"line 3: a is .*leave it empty"):
        column(file, "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "mine.csv: empty"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "damaged, or cut off"),
        ("\ufeff".encode(), "mine.csv: empty"),
        (b"caf\xe9,b\n1,2\n", "line 1 is not UTF-8"),
        (b"a,b\n1,\xe9\n", "line 2 is not UTF-8"),
        (b"a\0b\n1,2\n", "binary, not a table"),
        (b"1,2\n3,4\n", "line 1 holds values"),
        (b"a,b,a\n1,2,3\n", "two columns are named 'a'"),
        (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells"),
        (b"a,b\n1,2\n1\n", "line 3: 1 cells"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content, message):
    file = own_files.written(tmp_path, content)
    with pytest.raises(errors.UserError, match=message) as caught:
        column(file, "b")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_parquet_file_is_refused(tmp_path):
    file = own_files.written(tmp_path, b"a,b\n1,2\n", "mine.parquet")
    with pytest.raises(errors.UserError, match=r"mine\.parquet: is not a valid parquet"):
        reader.open_table(file)
    with pytest.raises(errors.UserError, match=r"absent\.csv: cannot be read: No such file"):
        reader.open_table(tmp_path / "absent.csv")
