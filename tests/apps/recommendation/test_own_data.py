import dataclasses

import pyarrow as pa
import pyarrow.parquet
import pytest

from apps.recommendation import config as configs
from apps.recommendation import log
from apps.suite import errors
from tests.apps.recommendation import logs

AWKWARD = (
    "two words", 'a "quoted" one', "牛乳", "لبن", " blanks ", "a,b", "null", "NaN", "007", "7",
    "line\u2028separator", "🥛",
)  # fmt: skip


def read(path, columns=None, sessions=None):
    return log.read(path, columns or configs.ColumnsConfig(), sessions or configs.SessionsConfig())


def rows(log):
    times = log.times.tolist() if log.times is not None else [None] * len(log.users)
    return list(zip(log.users.to_pylist(), log.items.to_pylist(), times, strict=True))


def test_csv_keeps_every_name_as_it_is_written(tmp_path):
    wanted = [
        (name, other, at)
        for at, (name, other) in enumerate(zip(AWKWARD, AWKWARD[::-1], strict=True))
    ]
    columns = configs.ColumnsConfig(placeholders="keep")
    assert rows(read(logs.write_csv(tmp_path / "log.csv", wanted), columns)) == wanted


def test_parquet_and_csv_of_the_same_table_are_the_same_log(tmp_path):
    table = logs.drawn(200)
    users, items, times = map(list, zip(*table, strict=True))
    moments = pa.array([time * 1000 for time in times], pa.timestamp("ms"))
    # A dictionary with a name that no row has, as a filtered table keeps it
    names = pa.array(["never bought", *sorted(set(items))])
    codes = pa.array([names.to_pylist().index(item) for item in items], pa.int32())
    item_column = pa.DictionaryArray.from_arrays(codes, names)
    pyarrow.parquet.write_table(
        pa.table({"time": moments, "item": item_column, "user": users, "more": times}),
        tmp_path / "log.parquet",
    )
    log = read(tmp_path / "log.parquet")
    assert rows(log) == rows(read(logs.write_csv(tmp_path / "log.csv", table))) == table
    assert "never bought" not in log.items.dictionary.to_pylist()


def test_whole_numbers_of_parquet_are_names(tmp_path):
    pyarrow.parquet.write_table(
        pa.table({"user": [3, 3], "item": [10, 9], "time": [1, 2]}), tmp_path / "log.parquet"
    )
    assert rows(read(tmp_path / "log.parquet")) == [("3", "10", 1), ("3", "9", 2)]


def test_a_parquet_column_that_holds_no_names_is_refused(tmp_path):
    pyarrow.parquet.write_table(
        pa.table({"user": [["a"]], "item": ["b"], "time": [1]}), tmp_path / "log.parquet"
    )
    with pytest.raises(errors.UserError, match=r"column user is of type list<.*must be text or"):
        read(tmp_path / "log.parquet")


def test_columns_have_the_names_that_the_config_gives_them(tmp_path):
    file = logs.write_csv(
        tmp_path / "log.tsv",
        [("milk", "Ann", "Fresh, whole", 5, "x"), ("milk", "Bob", "", 6, "y")],
        header=("product", "customer", "label", "when", "visit"),
        delimiter="\t",
    )
    columns = configs.ColumnsConfig("customer", "product", "when", "visit", "label")
    log = read(file, columns, configs.SessionsConfig(by="column"))
    assert rows(log) == [("Ann", "milk", 5), ("Bob", "milk", 6)]
    assert log.sessions.to_pylist() == ["x", "y"]
    assert log.titles.tolist() == ["Fresh, whole"]


def test_inter_files_name_their_columns_with_types(tmp_path):
    file = tmp_path / "games.inter"
    file.write_text('item_id:token\tuser_id:token\ttimestamp:float\n5\t"u\t1.5\n6\tv w\t2\n')
    assert rows(read(file)) == [('"u', "5", 1), ("v w", "6", 2)]


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_a_name(tmp_path):
    file = tmp_path / "log.csv"
    file.write_bytes(b"\xef\xbb\xbfuser,item,time\r\nu,i,1\r\n")
    assert rows(read(file)) == [("u", "i", 1)]


def test_lines_are_histories_in_their_order_without_times(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text("u a b a\r\n\nv  c\tb\nu d\n", encoding="utf-8")
    log = read(file)
    assert rows(log) == [
        ("u", "a", None), ("u", "b", None), ("u", "a", None), ("v", "c", None), ("v", "b", None),
        ("u", "d", None),
    ]  # fmt: skip


def test_two_fields_in_every_line_are_events_in_the_order_of_time(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text("u a\nv b\nu a")
    log = read(file)
    assert rows(log) == [("u", "a", 0), ("v", "b", 1), ("u", "a", 2)]
    assert "line's number is its time" in log.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", "", "log.csv: empty"),
        ("log.csv", "user,item,time\n", "no events"),
        ("log.csv", "user,item,when\n1,2,3\n", "no column 'time', it has 'user', 'item', 'when'"),
        ("log.csv", "who,item,time\n1,2,3\n", "with --columns.user"),
        ("log.csv", "user,item,time\n1,2,3\n1,,3\n", "line 3: item is empty"),
        ("log.csv", 'user,item,time\n1,"",3\n', "line 2: item is empty"),
        ("log.csv", 'user,item,time\n1,"a\nb",3\n', "column item has a line break in 'a"),
        ("log.csv", "user,item,time\n1,2,3\n1,2\n", "line 3: 2 cells"),
        ("log.csv", "user,item,time\n1,2,soon\n", "line 2: time is 'soon'"),
        ("log.csv", b"user,item,time\n1,caf\xe9,3\n", "log.csv: line 2 is not UTF-8"),
        ("log.csv", b"us\xe9r,item,time\n", "is not UTF-8"),
        ("log.csv", "user,item,item,time\n1,2,2,3\n", "two columns are named 'item'"),
        ("log.parquet", "user,item,time\n1,2,3\n", "log.parquet: is not a valid parquet"),
        ("log.txt", " \n", "empty"),
        ("log.txt", "u a\nv\n", "the line 'v' has no item"),
        ("log.txt", b"u a\nv caf\xe9\n", "line 2 is not UTF-8"),
        ("log.json", "{}", "of unknown kind; give .csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, message):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(errors.UserError, match=message) as refusal:
        read(file)
    assert "\n" not in str(refusal.value)
    assert str(file) in str(refusal.value)


def test_no_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(errors.UserError, match="no such file"):
        read(tmp_path / "log.csv")
    with pytest.raises(errors.UserError, match="is a folder; give the file"):
        read(tmp_path)


def test_a_session_column_that_is_missing_is_refused(tmp_path):
    file = logs.write_csv(tmp_path / "log.csv", [("u", "a", 1)])
    columns = dataclasses.replace(configs.ColumnsConfig(), session="visit")
    with pytest.raises(errors.UserError, match=r"no column 'visit'.*--columns.session"):
        read(file, columns, configs.SessionsConfig(by="column"))
