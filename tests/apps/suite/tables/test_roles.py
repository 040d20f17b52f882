"""Columns that are no measurements are not scored, and what was understood is told."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from apps.suite import errors
from tests.apps.anomaly_detection import own_files

COUNT = 60
VALUES = np.random.default_rng(1).normal(size=COUNT).round(3)
TIMES = own_files.times(COUNT, 600)
MOMENTS = own_files.seconds(COUNT, 600)
DAYS = [str(np.datetime64("2024-01-01") + at).replace("-", "") for at in range(COUNT)]


def loaded(folder, header, *columns, **settings):
    return own_files.load(own_files.written(folder, own_files.rows(header, *columns)), **settings)


def refused(folder, header, *columns, **settings):
    with pytest.raises(errors.UserError) as caught:
        loaded(folder, header, *columns, **settings)
    return str(caught.value)


LEFT_OUT = {
    "": (range(COUNT), "row numbers"),
    "Unnamed: 0": (range(7, COUNT + 7), "row numbers"),
    "id": (np.arange(COUNT) ** 2, "row numbers"),
    "changepoint": ([int(at == 7) for at in range(COUNT)], "looks like a label"),
    "is_outlier_manual": ([int(at % 9 == 0) for at in range(COUNT)], "looks like a label"),
    "unix_time": (MOMENTS.astype(int), "a second column of times"),
    "date": (np.arange(COUNT) * 0.5, "a second column of times"),
    "host": (["web"] * COUNT, "text"),
    "read_at": (TIMES, "times"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_no_measurement_is_left_out_and_told_with_its_reason(tmp_path, name):
    column, reason = LEFT_OUT[name]
    labels = [int(at > 50) for at in range(COUNT)]
    found = loaded(tmp_path, f"time,flow,anomaly,{name}", TIMES, VALUES, labels, column)
    assert found.feature_names == ("flow",)
    assert f"left out: {name or 'column_4'} ({reason})" in found.understood[0]
    if reason not in ("text", "times"):
        wanted = {"scored_columns": ("flow", name or "column_4")}
        found = loaded(
            tmp_path, f"time,flow,anomaly,{name}", TIMES, VALUES, labels, column, **wanted
        )
        assert found.feature_names == ("flow", name or "column_4")


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("n", VALUES),
        ("pump_on", np.arange(COUNT) % 2),
        ("label_printer_ink", VALUES),
        ("level", np.arange(COUNT)),
        ("uptime", np.arange(COUNT) * 600),
    ],
)
def test_measurements_with_names_of_that_kind_are_scored(tmp_path, name, column):
    assert loaded(tmp_path, f"time,{name}", TIMES, column).feature_names == (name,)


def test_only_the_columns_to_score_are_scored(tmp_path):
    found = loaded(tmp_path, "time,a,b", TIMES, VALUES, VALUES, scored_columns=("b",))
    assert found.feature_names == ("b",)
    assert "left out: a (not among scored_columns)" in found.understood[0]
    assert "no column x" in refused(tmp_path, "time,a", TIMES, VALUES, scored_columns=("x",))


DAY_AND_CLOCK = list(zip(*(each.split() for each in TIMES), strict=True))


@pytest.mark.parametrize(
    ("header", "columns", "step", "start"),
    [
        ("unix_time,flow", [(MOMENTS * 1000).astype(int)], 600, "2024-03-01"),
        ("timestamp,time,flow", [TIMES, np.arange(COUNT) / 2], 600, "2024-03-01"),
        ("time,timestamp,flow", [np.arange(COUNT) / 2, TIMES], 600, "2024-03-01"),
        ("date,flow", [DAYS], 86400, "2024-01-01"),
        ("date,flow", [np.arange(45413, 45413 + COUNT)], 86400, "2024-05-01"),
        ("Date,flow", [45413 + np.arange(COUNT) / 144], 600, "2024-05-01"),
        ("date,time,flow", DAY_AND_CLOCK, 600, "2024-03-01"),
        ("time,date,flow", DAY_AND_CLOCK[::-1], 600, "2024-03-01"),
    ],
)
def test_the_column_that_holds_dates_gives_the_times(tmp_path, header, columns, step, start):
    found = loaded(tmp_path, header, *columns, VALUES)
    (one,) = found.series
    assert found.feature_names == ("flow",)
    assert one.step_seconds == pytest.approx(step, rel=1e-6)
    assert str(np.datetime64(int(one.times[0]), "s").astype("datetime64[D]")) == start
    assert len(one) == COUNT


def test_days_and_times_of_day_of_a_parquet_file_are_joined(tmp_path):
    moments = pa.array((MOMENTS * 1e6).astype(np.int64), pa.timestamp("us"))
    days, clock = moments.cast(pa.date32(), safe=False), moments.cast(pa.time64("us"))
    table = pa.table({"d": days, "t": clock, "flow": VALUES})
    parquet.write_table(table, tmp_path / "a.parquet")
    (one,) = own_files.load(tmp_path / "a.parquet", date_column="d").series
    np.testing.assert_array_equal(one.times, MOMENTS)
    parquet.write_table(table.select(["t", "flow"]), tmp_path / "b.parquet")
    with pytest.raises(errors.UserError, match=r"row 1: t is .*a time of day without a date"):
        own_files.load(tmp_path / "b.parquet", time_column="t")
    assert len(own_files.load(tmp_path / "b.parquet", time_column="none").series[0]) == COUNT


FOREIGN = {
    "%d.%m.%Y %H:%M": '"%d.%m.%Y %H:%M"',
    "%m/%d/%Y %I:%M %p": '"%d/%m/%Y %I:%M %p" or "%m/%d/%Y %I:%M %p"',
    "%Y/%m/%d %H:%M:%S": '"%Y/%m/%d %H:%M:%S"',
    "%d/%m/%Y %H:%M +0200": '"%d/%m/%Y %H:%M %z" or "%m/%d/%Y %H:%M %z"',
}


@pytest.mark.parametrize("name", ["time", "Datum"])
@pytest.mark.parametrize("form", FOREIGN)
def test_dates_of_another_form_are_refused_by_the_option_that_reads_them(tmp_path, name, form):
    texts = np.datetime_as_string(np.datetime64("2024-03-01T00:00") + np.arange(COUNT) * 10)
    shown = [own_files.datetime.datetime.fromisoformat(text).strftime(form) for text in texts]
    told = refused(tmp_path, f"{name},flow", shown, VALUES)
    assert f"--data_format.time_format {FOREIGN[form]}" in told
    hint = FOREIGN[form].split('" or "')[-1].strip('"')
    column = {} if name == "time" else {"time_column": name}
    (one,) = loaded(tmp_path, f"{name},flow", shown, VALUES, time_format=hint, **column).series
    assert len(one) > 1
    rows = loaded(tmp_path, f"{name},flow", shown, VALUES, time_column="none")
    assert not rows.series[0].dated


def test_dates_and_times_of_day_of_another_form_are_refused_by_all_their_options(tmp_path):
    moments = [own_files.datetime.datetime.fromisoformat(text) for text in TIMES]
    day, clock = (
        [moment.strftime(form) for moment in moments] for form in ("%d.%m.%Y", "%H:%M:%S")
    )
    told = refused(tmp_path, "Tag,Zeit,flow", day, clock, VALUES)
    options = {"date_column": "Tag", "time_column": "Zeit", "time_format": "%d.%m.%Y %H:%M:%S"}
    for option, value in options.items():
        assert f"--data_format.{option} " in told
        assert value in told
    (one,) = loaded(tmp_path, "Tag,Zeit,flow", day, clock, VALUES, **options).series
    np.testing.assert_array_equal(one.times, MOMENTS)


def test_several_machines_in_one_table_are_series_of_their_own(tmp_path):
    machines = ["north"] * COUNT + ["south"] * COUNT
    values = np.r_[VALUES, VALUES + 5]
    for order in (np.arange(2 * COUNT), np.argsort(np.tile(np.arange(COUNT), 2), kind="stable")):
        columns = [np.array(each)[order] for each in (TIMES * 2, machines, values)]
        told = refused(tmp_path, "time,machine,flow", *columns)
        assert "--data_format.series_column machine" in told
        found = loaded(tmp_path, "time,machine,flow", *columns, series_column="machine")
        assert [one.name for one in found.series] == ["mine/north", "mine/south"]
        assert found.feature_names == ("flow",)
        for one, expected in zip(found.series, (VALUES, VALUES + 5), strict=True):
            np.testing.assert_array_equal(one.values[:, 0], expected.astype(np.float32))
        settings = {"series_column": "machine", "series": "mine/south"}
        (one,) = loaded(tmp_path, "time,machine,flow", *columns, **settings).series
        assert one.name == "mine/south"
    columns[2] = columns[2].astype(object)
    columns[2][17] = "x"
    told = refused(tmp_path, "time,machine,flow", *columns, series_column="machine")
    assert "line 19: flow is 'x'" in told


def test_an_hour_that_came_twice_is_told_with_the_option_that_reads_it(tmp_path):
    hours = [0, 1, 2, 2, 3, *range(4, 24)]
    texts = [f"2024-10-27 {hour:02d}:00" for hour in hours]
    texts += [f"2024-10-28 {hour:02d}:00" for hour in range(24)]
    told = refused(tmp_path, "time,flow", texts, VALUES[: len(texts)])
    assert "--data_format.time_zone" in told
    settings = {"time_zone": "Europe/Berlin"}
    (one,) = loaded(tmp_path, "time,flow", texts, VALUES[: len(texts)], **settings).series
    assert (len(one), one.step_seconds) == (len(texts), 3600)


def test_what_was_understood_is_told_in_a_few_lines(tmp_path):
    labels = [int(at > 50) for at in range(COUNT)]
    for name in ("a", "north/a", "south/a"):
        own_files.written(
            tmp_path, own_files.rows("ts,b,a,label", TIMES, VALUES, VALUES, labels), f"{name}.csv"
        )
    own_files.written(tmp_path, own_files.rows("ts,a,b", TIMES, VALUES, VALUES), "south/a.csv")
    own_files.written(tmp_path, "hello", "south/notes.xlsx")
    found = own_files.load(tmp_path)
    assert found.understood == (
        "a.csv and 1 more: scored: b, a; label: label",
        "south/a.csv: scored: a, b",
        "times: ts (ISO times), 2024-03-01 00:00:00 UTC to 2024-03-01 09:50:00 UTC, "
        "a step each 600 s",
        "steps: train 90, validation 36, test 54; 18 labelled",
        "files: 3 read; not read: south/notes.xlsx",
    )
    assert [one.values[0, 0] for one in found.series] == [np.float32(VALUES[0])] * 3
    lines = own_files.rows("ts,b,a", TIMES, VALUES, VALUES).splitlines()
    own_files.written(tmp_path, "\n".join(lines[:20] + lines[24:]), "south/a.csv")
    (note,) = own_files.load(tmp_path).notes
    assert note.startswith("south/a.csv: 56 rows became 60 steps")
