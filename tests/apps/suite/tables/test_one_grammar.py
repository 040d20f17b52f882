"""A cell, a file and a time mean the same to training, `predict`, bulk scoring and the demo."""

import datetime
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from apps.recommendation import config as recommendation_configs
from apps.recommendation import log
from apps.suite import errors
from apps.suite.demo import asked_text
from apps.suite.scoring import binding, inputs, pieces
from apps.suite.scoring import rows as scored_rows
from apps.suite.scoring import values as cell_values
from apps.suite.scoring.values import Wanted
from apps.suite.tables import config as configs
from apps.suite.tables import rows, series_files
from tests.apps.anomaly_detection import own_files

REFUSED = "refused"
STEPS = 60
CHANNELS = ("flow", "level")
START = datetime.datetime(2024, 3, 1, tzinfo=datetime.UTC)


def trained(file):
    """Reads for training: values float32 [steps, channels] and times."""
    return _of_series(own_files.load(file).series[0])


def predicted(file):
    """Reads for `predict`."""
    collection = series_files.read_to_score(file, configs.DataFormatConfig(), CHANNELS, 2, 60.0)
    return _of_series(collection.series[0])


def scored(file):
    """Reads for bulk scoring, which takes no times."""
    kind, paths = inputs.find([str(file)], file.parent / "scores")
    assert (kind, paths) == ("table", [str(file)])
    wanted = {"values": Wanted(np.dtype(np.float32), (None, 2))}
    bound = binding.Binding("x", "series", wanted, {"values": CHANNELS}, {}, {}, " ")
    (piece,) = pieces.pieces(str(file), 0, None)
    assert set(CHANNELS) <= set(pieces.columns(str(file)))
    (row,) = scored_rows.read(str(file), piece, bound, (), {})
    if isinstance(row, scored_rows.BadRow):
        raise errors.UserError(row.reason)
    return row.values["values"], None


def shown(file):
    """Reads for the demo page."""
    found = rows.read_text(asked_text.read(str(file)), CHANNELS, 1000)
    return found.values, None if found.times is None else found.times.astype("int64") / 1000


def _of_series(one):
    return np.where(one.observed, one.values, np.nan), one.times


READERS = (trained, predicted, scored, shown)


def constants_kept(file):
    return _of_series(own_files.load(file, constant_columns="keep").series[0])


def agreed(file, trained=trained):
    """Returns what all readers read, or REFUSED if all refuse; fails if they differ."""
    answers, messages = [], []
    for read in (trained, *READERS[1:]):
        try:
            answers.append(read(file))
        except errors.UserError as error:
            messages.append(str(error))
            answers.append(REFUSED)
    refused = [
        read.__name__ for read, answer in zip(READERS, answers, strict=True) if answer is REFUSED
    ]
    assert len(refused) in (0, len(READERS)), refused
    if refused:
        assert not any("\n" in message for message in messages)
        return REFUSED
    for values, times in answers[1:]:
        np.testing.assert_array_equal(values, answers[0][0])
        if times is not None:
            np.testing.assert_array_equal(times, answers[0][1])
    return answers[0]


def cells_of(count=STEPS):
    return [str(at % 7 + at / 100) for at in range(count)]


def table(flow, delimiter=",", times=None):
    times = times or [
        f"{START + datetime.timedelta(minutes=at):%Y-%m-%d %H:%M}" for at in range(STEPS)
    ]
    lines = zip(times, flow, cells_of(), strict=True)
    return "\n".join(delimiter.join(line) for line in [("time", *CHANNELS), *lines]) + "\n"


def a_cell(cell):
    """The cells of a column, one of them this."""
    flow = cells_of()
    flow[5] = cell
    return flow


MISSING = (
    "",
    " ",
    "NA",
    "na",
    "N/A",
    "n/a",
    "#N/A",
    "NaN",
    "nan",
    "-nan",
    "null",
    "NULL",
    "None",
    "-",
    "?",
    " NA ",
)


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *[(cell, np.nan) for cell in MISSING],
        *[
            ("1.5", 1.5),
            (" 1.5 ", 1.5),
            ("+1.5", 1.5),
            ("-2", -2),
            ("1.", 1),
            (".5", 0.5),
            ("1e-3", 1e-3),
        ],
        *[("2E3", 2000), ('"1.5"', 1.5), ("0007", 7), ("-0", 0), ("1e30", 1e30), ('""', np.nan)],
        *[(cell, REFUSED) for cell in ("x", "1_000", "0x10", "inf", "-Infinity", "1e39", "1e400")],
        *[
            (cell, REFUSED)
            for cell in ("1.2.3", "1 000", "true", "5%", "--", "nan(1)", "٣", "1d3", "NaT")
        ],
    ],
)
def test_a_cell_is_the_same_number_everywhere(tmp_path, cell, number, delimiter):
    file = own_files.written(tmp_path, table(a_cell(cell), delimiter))
    found = agreed(file)
    if number is REFUSED:
        assert found is REFUSED
    else:
        np.testing.assert_array_equal(found[0][5, 0], np.float32(number))


@pytest.mark.parametrize(
    ("cell", "delimiter", "number"),
    [
        ("1,5", ";", 1.5),
        (" -1,5e1", "\t", -15),
        ("1,5", "|", 1.5),
        ('"1,5"', ";", 1.5),
        ('"1,5"', ",", REFUSED),
        ('"1,234"', ",", 1234),  # the other cells have decimal points
        ('"-1,234.5"', ",", -1234.5),
        ('"1,234,567"', ",", 1234567),
        ('"12,34.5"', ",", REFUSED),
        ('"0,234"', ",", REFUSED),
        ("1.234,5", ";", REFUSED),
        ("1,234,5", ";", REFUSED),
        ("1,5", ",", REFUSED),  # a cell too many
    ],
)
def test_a_comma_stands_before_decimals_unless_it_parts_cells(tmp_path, cell, delimiter, number):
    found = agreed(own_files.written(tmp_path, table(a_cell(cell), delimiter)))
    assert (found if found is REFUSED else found[0][5, 0]) == number


GROUPED = {  # cells of one column, delimiter, the numbers
    "points in groups, a clear cell": (["956", "1.204", "1.204,5"], ";", [956, 1204, 1204.5]),
    "points in groups, another column is clear": (["956", "1.204", "12.000"], ";", None),
    "commas in groups": (['"1,204"', "956", '"-12,000"'], ",", [1204, 956, -12000]),
    "three decimals throughout": (["1.204", "1.875", "2.125"], ";", [1.204, 1.875, 2.125]),
    "three decimals after a comma": (["1,204", "1,875", "2,125"], ";", [1.204, 1.875, 2.125]),
    "quoted decimal commas": (['"1,5"', '"12,25"', "3"], ",", [1.5, 12.25, 3]),
    "either": (["1.204", "956", "955"], ";", REFUSED),
    "either, by commas": (['"1,204"', '"1,875"', '"2,125"'], ",", REFUSED),
}


@pytest.mark.parametrize("case", GROUPED)
def test_thousands_in_groups_are_thousands_or_refused_never_decimals(tmp_path, case):
    given, delimiter, numbers = GROUPED[case]
    flow = [given[at % len(given)] for at in range(STEPS)]
    level = ["3,25" if numbers is None else "7"] * STEPS  # decimals that tell the file's mark
    lines = zip(_iso(), flow, level, strict=True)
    text = "\n".join(delimiter.join(line) for line in [("time", *CHANNELS), *lines])
    file = own_files.written(tmp_path, text)
    found = agreed(file, trained=constants_kept)
    if numbers is REFUSED:
        assert found is REFUSED
        answers = [
            own_files.load(file, decimal_mark=mark, constant_columns="keep") for mark in ".,"
        ]
        first = [answer.series[0].values[0, 0] for answer in answers]
        assert sorted(first) == pytest.approx([1.204, 1204])
        return
    np.testing.assert_array_equal(found[0][:3, 0], np.float32(numbers or [956, 1204, 12000]))


@pytest.mark.parametrize("case", GROUPED)
def test_a_row_of_a_table_is_read_as_its_columns_are(tmp_path, case):
    """Bulk scoring of rows reads a cell at a time, and the cells beside it tell its mark too."""
    given, delimiter, numbers = GROUPED[case]
    flow = [given[at % len(given)] for at in range(STEPS)]
    level = ["3,25" if numbers is None else "7"] * STEPS
    lines = zip(_iso(), flow, level, strict=True)
    text = "\n".join(delimiter.join(line) for line in [("time", *CHANNELS), *lines])
    file = str(own_files.written(tmp_path, text))
    wanted = {"flow": Wanted(np.dtype(np.float32), ()), "both": Wanted(np.dtype(np.float32), (2,))}
    columns = {"flow": ("flow",), "both": ("flow", "level")}
    bound = binding.Binding("x", "rows", wanted, columns, {}, {}, " ")
    (piece,) = pieces.pieces(file, 0, None)
    read = [*scored_rows.read(file, piece, bound, (), {})][:3]
    if numbers is REFUSED:
        bad = [row for row in read if isinstance(row, scored_rows.BadRow)]
        assert bad
        assert all("no mark between thousands" in row.reason for row in bad)
        good = [row.values["flow"] for row in read if isinstance(row, scored_rows.Row)]
        assert set(good) <= {956, 955}
        return
    expected = numbers or [956, 1204, 12000]
    assert [row.values["flow"] for row in read] == pytest.approx(expected)
    assert [row.values["both"][0] for row in read] == pytest.approx(expected)


def test_whole_numbers_in_groups_are_whole_numbers():
    whole = np.dtype(np.int64)
    assert cell_values.one("1,204", whole, mark=".") == 1204
    assert cell_values.one("1.204.000", whole, mark=",") == 1_204_000
    for cell, mark in (("1,204", ""), ("1,204", ","), ("1,20", "."), ("1.5", ".")):
        with pytest.raises(cell_values.CellError, match="whole number"):
            cell_values.one(cell, whole, mark=mark)


def test_a_mark_that_is_given_is_taken_even_where_the_cells_show_another(tmp_path):
    flow = ["1.204", "956", "1.5"] * (STEPS // 3)
    file = own_files.written(tmp_path, table(flow, ";"))
    with pytest.raises(errors.UserError, match=r"line 4: flow is '1\.5'.*decimal_mark"):
        own_files.load(file, decimal_mark=",")


@pytest.mark.parametrize("words", [("True", "False"), ("TRUE", "FALSE"), ("true", "false")])
def test_truths_of_a_csv_are_numbers_as_those_of_a_parquet_file(tmp_path, words):
    flow = ["", *(words[at % 2] for at in range(1, STEPS))]
    found = agreed(own_files.written(tmp_path, table(flow)))
    np.testing.assert_array_equal(found[0][:3, 0], [np.nan, 0, 1])
    flow[7] = "1"
    assert agreed(own_files.written(tmp_path, table(flow))) is REFUSED


@pytest.mark.parametrize("name", ["mine.csv", "mine.CSV", "mine.tsv", "mine.csv.gz", "mine.tsv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n", " \n"])
def test_text_files_are_read_alike(tmp_path, name, end, start):
    delimiter = "\t" if "tsv" in name else ","
    text = (start + table(cells_of(), delimiter)).replace("\n", end).encode()
    file = own_files.written(tmp_path, gzip.compress(text) if name.endswith("gz") else text, name)
    np.testing.assert_array_equal(agreed(file)[0][:, 0], np.float32(cells_of()))


@pytest.mark.parametrize("name", ["mine.csv", "mine.csv.gz"])
@pytest.mark.parametrize("code", ["utf-16", "utf-16-be"])
def test_utf_16_is_read_where_a_byte_order_mark_says_so(tmp_path, name, code):
    mark = "\ufeff" if code == "utf-16-be" else ""
    text = (mark + table(cells_of())).encode(code)
    file = own_files.written(tmp_path, gzip.compress(text) if name.endswith("gz") else text, name)
    np.testing.assert_array_equal(agreed(file)[0][:, 0], np.float32(cells_of()))


def test_a_file_that_is_cut_off_is_refused_everywhere(tmp_path):
    text = gzip.compress(table(cells_of()).encode() * 50)
    for name, cut in (("mine.csv.gz", text[:-40]), ("other.csv.gz", text[:9])):
        assert agreed(own_files.written(tmp_path, cut, name)) is REFUSED


def test_names_may_hold_delimiters_and_line_breaks(tmp_path):
    head = 'time;"flow";"Temp, in, \n(C)";level'
    for third, names in (("x", CHANNELS), ("1", ("flow", "Temp, in, (C)", "level"))):
        columns = zip(_iso(), cells_of(), [third] * STEPS, cells_of(), strict=True)
        file = own_files.written(tmp_path, "\n".join([head, *map(";".join, columns)]))
        assert own_files.load(file, constant_columns="keep").feature_names == names
        if third == "x":
            np.testing.assert_array_equal(agreed(file)[0][:, 0], np.float32(cells_of()))


@pytest.mark.parametrize("end", ['"', '7",1', ""])
def test_a_quote_that_swallows_rows_is_refused_everywhere(tmp_path, end):
    """The quote may stand in a column that nobody reads, and a later quote may close it."""
    notes = ["fine"] * STEPS
    notes[20], notes[40] = '"5 inch', f"7{end}"
    lines = zip(_iso(), cells_of(), cells_of(), notes, strict=True)
    text = "\n".join(",".join(line) for line in [("time", *CHANNELS, "note"), *lines])
    for read in READERS:
        with pytest.raises(errors.UserError, match="line 22: a quote is opened"):
            read(own_files.written(tmp_path, text))


def test_a_quoted_note_of_several_lines_is_read(tmp_path):
    notes = ["fine"] * STEPS
    notes[20] = '"first, second\nthird, ""and"" 4\n\nfifth"'
    lines = zip(_iso(), cells_of(), cells_of(), notes, strict=True)
    text = "\n".join(",".join(line) for line in [("time", *CHANNELS, "note"), *lines])
    found = agreed(own_files.written(tmp_path, text))
    np.testing.assert_array_equal(found[0][:, 0], np.float32(cells_of()))


@pytest.mark.parametrize("first", ["2024-03-01 00:00", "2024-03-01"])
def test_a_file_without_names_is_refused_where_names_are_needed(tmp_path, first):
    lines = [",".join(line) for line in zip(_iso(), cells_of(), cells_of(), strict=True)]
    lines[0] = lines[0].replace("2024-03-01 00:00", first)
    file = own_files.written(tmp_path, "\n".join(lines))
    for read in (trained, predicted, scored):
        with pytest.raises(errors.UserError, match="line 1 holds values; put a line of names"):
            read(file)
    assert len(shown(file)[0]) == STEPS


def test_a_blank_line_of_one_column_is_a_missing_value_and_moves_nothing(tmp_path):
    flow = cells_of()
    flow[0] = flow[7] = flow[8] = ""
    file = own_files.written(tmp_path, "\n".join(["flow", *flow]) + "\n\n \n")
    expected = np.float32([value or "nan" for value in flow])
    training = _of_series(own_files.load(file).series[0])[0]
    page = rows.read_text(asked_text.read(str(file)), ["flow"], 1000).values
    wanted = {"values": Wanted(np.dtype(np.float32), (None, 1))}
    bound = binding.Binding("x", "series", wanted, {"values": ("flow",)}, {}, {}, " ")
    (piece,) = pieces.pieces(str(file), 0, None)
    (row,) = scored_rows.read(str(file), piece, bound, (), {})
    for found in (training, page, row.values["values"]):
        np.testing.assert_array_equal(found[:, 0], expected)


@pytest.mark.parametrize("name", ["mine.parquet", "mine.pq"])
@pytest.mark.parametrize(
    "column",
    [
        pa.array([None, *range(1, STEPS)], pa.int32()),
        pa.array([float("nan"), *range(1, STEPS)], pa.float64()),
        pa.array([None, *map(str, range(1, STEPS))]),
        pa.array(["NA", *map(str, range(1, STEPS))], pa.large_string()),
        pa.array(["?", *map(str, range(1, STEPS))]).dictionary_encode(),
    ],
)
def test_parquet_files_are_read_alike(tmp_path, name, column):
    columns = {"time": _minutes(), "flow": column, "level": list(map(float, cells_of()))}
    pa.parquet.write_table(pa.table(columns), tmp_path / name)
    found = agreed(tmp_path / name)
    np.testing.assert_array_equal(found[0][:, 0], [np.nan, *range(1, STEPS)])
    np.testing.assert_array_equal(found[1], [each.timestamp() for each in _minutes()])


def test_truths_of_a_parquet_file_are_numbers(tmp_path):
    truths = [None, *(at % 2 == 0 for at in range(1, STEPS))]
    columns = {"time": _minutes(), "flow": truths, "level": list(map(float, cells_of()))}
    pa.parquet.write_table(pa.table(columns), tmp_path / "mine.parquet")
    np.testing.assert_array_equal(agreed(tmp_path / "mine.parquet")[0][:3, 0], [np.nan, 0, 1])


@pytest.mark.parametrize(
    "text",
    [
        table(cells_of()).replace("\n", "\nx\n", 1),
        table(a_cell('"1')),
        table(cells_of()).replace("flow", "level"),
        table(cells_of()).replace("time", '"time', 1),
        table(cells_of()).encode("utf-16")[:-1],
        "\ufeff",
        table(cells_of()).encode().replace(b"flow", b"fl\xf6w"),
        "",
    ],
)
def test_files_that_are_not_tables_are_refused_everywhere(tmp_path, text):
    file = own_files.written(tmp_path, text)
    for read in READERS:
        with pytest.raises(errors.UserError):
            read(file)


TIMES = {
    "%Y-%m-%d %H:%M:%S": None,
    "%Y-%m-%dT%H:%M": None,
    "%Y-%m-%d %H:%M:%S.250": 0.25,
    "%Y-%m-%dT%H:%M:%SZ": None,
    " %Y-%m-%d %H:%M:%S+00:00 ": None,
    "%Y-%m-%d %H:%M:%S-0130": 5400,
    "%Y-%m-%d %H:%M:%S UTC": None,
    "%Y-%m-%d %H:%M:%S.250 GMT": 0.25,
    "%Y%m%d%H%M": None,
    "%Y%m%d%H%M%S": None,
    "{seconds}": None,
    "{seconds}.5": 0.5,
    "{seconds}000": None,
    "{seconds}000000": None,
    "{seconds}000000000": None,
    "%d.%m.%Y %H:%M": REFUSED,
    "%Y/%m/%d %H:%M": REFUSED,
    "%H:%M:%S": REFUSED,
}


@pytest.mark.parametrize("form", TIMES)
def test_a_time_is_the_same_moment_everywhere(tmp_path, form):
    """Bulk scoring hands times over as text; a log has whole seconds."""
    moments = _minutes()
    texts = [
        moment.strftime(form).replace("{seconds}", str(int(moment.timestamp())))
        for moment in moments
    ]
    offset = TIMES[form]
    file = own_files.written(tmp_path, table(cells_of(), times=texts))
    lines = [f"u{at % 3},i{at},{text}" for at, text in enumerate(texts)]
    events = own_files.written(tmp_path, "\n".join(["user,item,time", *lines]), "log.csv")
    if offset is REFUSED:
        for read in (trained, predicted, shown, _log_times):
            with pytest.raises(errors.UserError, match=r"time is"):
                read(events if read is _log_times else file)
        return
    expected = np.array([moment.timestamp() + (offset or 0) for moment in moments])
    np.testing.assert_array_equal(agreed(file)[1], expected)
    np.testing.assert_array_equal(_log_times(events), np.floor(expected))


@pytest.mark.parametrize("missing", ["", "NA", "?", " "])
def test_a_missing_time_is_refused_everywhere(tmp_path, missing):
    times = [str(int(moment.timestamp())) for moment in _minutes()]
    times[5] = missing
    file = own_files.written(tmp_path, table(cells_of(), times=times))
    events = own_files.written(tmp_path, f"user,item,time\nu,i,1\nu,j,{missing}\n", "log.csv")
    for read in (trained, predicted, shown):
        with pytest.raises(errors.UserError, match="line 7: time is empty"):
            read(file)
    with pytest.raises(errors.UserError, match="line 3: time is empty"):
        _log_times(events)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_log_of_events_is_read_as_other_tables_and_its_names_as_written(
    tmp_path, delimiter, suffix
):
    names = ["NA", "null", "-", "007", "1,5", " x ", "nan"]
    header, lines = ("user", "item", "time"), []
    for at, name in enumerate(names):
        lines.append((f'"{name}"', f"i{at}", str(at)))
    content = "\n".join(delimiter.join(line) for line in [header, *lines]).encode()
    if suffix.endswith("gz"):
        content = gzip.compress(content)
    file = own_files.written(tmp_path, content, f"log.{suffix}")
    found = _log(file, placeholders="keep")
    assert found.users.to_pylist() == names
    assert found.times.tolist() == list(range(len(names)))
    with pytest.raises(errors.UserError, match=r"line 2: user is 'NA'.*--columns\.placeholders"):
        _log(file)
    named = _log(file, placeholders="drop")
    assert named.users.to_pylist() == ["007", "1,5", " x "]
    assert named.times.tolist() == [3, 4, 5]
    assert "4 rows without a user" in named.notes[1]


def test_names_that_a_gap_made_floats_are_whole_numbers_everywhere(tmp_path):
    items = pa.array([4711271000004.0, 33.0, None, -5.0])
    table = pa.table({"user": ["a", "b", "c", "d"], "item": items, "time": [1, 2, 3, 4]})
    pa.parquet.write_table(table, tmp_path / "log.parquet")
    found = _log(tmp_path / "log.parquet", placeholders="drop")
    assert found.items.to_pylist() == ["4711271000004", "33", "-5"]
    wanted = {"item": Wanted(np.dtype(object), ())}
    bound = binding.Binding("x", "rows", wanted, {"item": ("item",)}, {}, {}, " ")
    (piece,) = pieces.pieces(str(tmp_path / "log.parquet"), 0, None)
    first = next(scored_rows.read(str(tmp_path / "log.parquet"), piece, bound, (), {}))
    assert first.values["item"] == b"4711271000004"
    with pytest.raises(errors.UserError, match="row 3: item is empty"):
        _log(tmp_path / "log.parquet")


def _log(file, **columns):
    return log.read(
        file,
        recommendation_configs.ColumnsConfig(**columns),
        recommendation_configs.SessionsConfig(),
    )


def _log_times(file):
    return _log(file).times


def _iso():
    return [f"{moment:%Y-%m-%d %H:%M}" for moment in _minutes()]


def _minutes():
    return [START + datetime.timedelta(minutes=at) for at in range(STEPS)]
