"""Tables are divided and read row by row as a plain reader reads them, in little memory."""

import csv
import datetime
import tracemalloc

import pyarrow
import pyarrow.parquet
import pytest

from apps.suite import errors
from apps.suite.scoring import pieces as table_pieces
from tests.apps.scoring_job_files import write_csv

AWKWARD = '\ufeffa,b\n1,"x\ny"\n\n2,"""q"""\r\n3,\n"4\n\n",5" pipe\n müsli ,"a,b"\n'


def plainly(file):
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return [[row["a"], row["b"]] for row in csv.DictReader(opened)]


@pytest.mark.parametrize("rows_per_piece", [None, 1, 2, 3, 100])
def test_pieces_of_a_csv_give_the_rows_of_a_plain_reader(tmp_path, rows_per_piece):
    file = tmp_path / "a.csv"
    file.write_text(AWKWARD, "utf-8", newline="")
    pieces = table_pieces.pieces(str(file), 4, rows_per_piece)
    found = [row for piece in pieces for row in table_pieces.read(str(file), piece, ["a", "b"])]
    assert found == list(enumerate(plainly(file), 1))
    assert sum(piece.rows for piece in pieces) == 5
    assert {piece.file for piece in pieces} == {4}
    if rows_per_piece:
        assert all(piece.rows == rows_per_piece for piece in pieces[:-1])


def test_columns_in_any_order_and_files_with_tabs(tmp_path):
    file = tmp_path / "a.TSV"
    file.write_text("a\tb c\n1,5\tx\n")
    assert list(table_pieces.columns(str(file))) == ["a", "b c"]
    (piece,) = table_pieces.pieces(str(file), 0, None)
    assert list(table_pieces.read(str(file), piece, ["b c", "a"])) == [(1, ["x", "1,5"])]


def test_a_row_of_another_length_says_so(tmp_path):
    file = write_csv(tmp_path / "a.csv", ["a", "b"], [[1], [1, 2], [1, 2, 3]])
    (piece,) = table_pieces.pieces(str(file), 0, None)
    found = list(table_pieces.read(str(file), piece, ["a"]))
    assert found == [
        (1, "has 1 cells, and there are 2 columns"),
        (2, ["1"]),
        (3, "has 3 cells, and there are 2 columns"),
    ]


@pytest.mark.parametrize("rows_per_piece", [1, 7, 1000, 5000])
def test_pieces_of_parquet_cross_its_row_groups(tmp_path, rows_per_piece):
    file = str(tmp_path / "a.parquet")
    table = pyarrow.table({"a": range(3000), "b": [[at] * (at % 3) for at in range(3000)]})
    pyarrow.parquet.write_table(table, file, row_group_size=1100)
    pieces = table_pieces.pieces(file, 0, rows_per_piece)
    if rows_per_piece == 1:
        pieces = [*pieces[:2], *pieces[1098:1102], *pieces[-1:]]
    found = [row for piece in pieces for row in table_pieces.read(file, piece, ["b", "a"])]
    expected = [piece.first_row + at for piece in pieces for at in range(piece.rows)]
    assert found == [(at + 1, [[at] * (at % 3), at]) for at in expected]


def test_times_of_parquet_are_kept_to_the_microsecond(tmp_path):
    when = pyarrow.array([1_700_000_000_123_456_789], pyarrow.timestamp("ns"))
    pyarrow.parquet.write_table(pyarrow.table({"when": when}), tmp_path / "a.parquet")
    assert table_pieces.columns(str(tmp_path / "a.parquet")) == {"when": pyarrow.timestamp("us")}
    (piece,) = table_pieces.pieces(str(tmp_path / "a.parquet"), 0, None)
    ((_, [cell]),) = table_pieces.read(str(tmp_path / "a.parquet"), piece, ["when"])
    assert cell == datetime.datetime(2023, 11, 14, 22, 13, 20, 123_456)


def test_a_quote_that_swallows_the_rest_of_a_file_is_found(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('a\n1\n"2\n3\n4\n')
    with pytest.raises(errors.UserError, match=r"a\.csv: line 3: a quote is opened and never"):
        table_pieces.pieces(str(file), 0, None)
    file.write_text('a\n5" pipe\n')  # a quote in the middle of a cell is a letter like others
    assert table_pieces.pieces(str(file), 0, None)[0].rows == 1


def test_a_csv_is_read_in_the_memory_of_a_line(tmp_path):
    file = write_csv(tmp_path / "a.csv", ["a"], [["x" * 5000] for _ in range(3000)])
    (piece,) = table_pieces.pieces(str(file), 0, None)
    tracemalloc.start()
    try:
        assert sum(1 for _ in table_pieces.read(str(file), piece, ["a"])) == 3000
        assert table_pieces.pieces(str(file), 0, 100)[-1].rows == 100
        assert tracemalloc.get_traced_memory()[1] < 1_000_000  # of 15 MB
    finally:
        tracemalloc.stop()
