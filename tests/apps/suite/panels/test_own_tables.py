"""Own tables are read as they are meant, or refused by name with a way out."""

import dataclasses

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.panels import config as configs
from apps.suite.panels import histories, own_tables, panel

LONG = """\
store,day,sales,promo,heat
north,2024-01-01,12,0,3.5
south,2024-01-01,31,0,4
north,2024-01-02,,1,-
south,2024-01-03,29,1,5
north,2024-01-03,15,1,2
north,2024-01-04,,1,
south,2024-01-04,,0,
"""
SETTINGS = configs.PanelFormatConfig(
    series="store", time="day", known=("promo",), past=("heat",), test_steps=1, validation_steps=1
)


def write(folder, text, name="a.csv"):
    (folder / name).write_text(text)
    return folder / name


def read(folder, text, **changes):
    return own_tables.read(write(folder, text), dataclasses.replace(SETTINGS, **changes))


def test_rows_become_series_with_roles_gaps_and_a_future(tmp_path):
    found = read(tmp_path, LONG)
    assert [one.name for one in found.series] == ["north", "south"]
    assert (found.target_names, found.past_names) == (("sales",), ("heat",))
    north, south = found.series
    np.testing.assert_array_equal(north.target[:, 0], [12, np.nan, 15, np.nan])
    np.testing.assert_array_equal(south.target[:, 0], [31, np.nan, 29, np.nan])
    np.testing.assert_array_equal(south.known[:, 0], [0, np.nan, 1, 0])
    np.testing.assert_array_equal(north.past[:3, 0], [3.5, np.nan, 2])
    assert [(one.length, one.train_end, one.validation_end) for one in found.series] == [
        (3, 1, 2)
    ] * 2
    assert (found.step_seconds, found.dated) == (86_400.0, True)


def test_the_wide_form_reads_as_the_long_form_of_the_same_numbers(tmp_path):
    wide = "day,north,south,promo\n2024-01-01,12,31,0\n2024-01-02,,,1\n2024-01-03,15,29,1\n"
    found = read(tmp_path, wide, layout="wide", series="", past=())
    assert [one.name for one in found.series] == ["north", "south"]
    np.testing.assert_array_equal(found.series[1].target[:, 0], [31, np.nan, 29])
    np.testing.assert_array_equal(found.series[0].known[:, 0], [0, 1, 1])


def test_a_table_of_one_series_needs_no_name_and_semicolons_may_part_it(tmp_path):
    found = read(tmp_path, "day;sales\n01.02.2024;1,5\n02.02.2024;2\n03.02.2024;4\n", series="",
                 known=(), past=(), time_format="%d.%m.%Y")  # fmt: skip
    (one,) = found.series
    assert one.name == "a"
    np.testing.assert_array_equal(one.target[:, 0], [1.5, 2, 4])


def test_months_are_even_steps_though_they_are_not_equally_long(tmp_path):
    months = np.arange("2015-01", "2025-01", dtype="datetime64[M]")
    lines = [f"{month}-01,{at}" for at, month in enumerate(months) if at != 50]
    found = read(tmp_path, "\n".join(["day,sales", *lines]), series="", known=(), past=())
    (one,) = found.series
    assert len(one.target) == 120
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(one.target[:, 0])), [50])
    assert one.times[119] == np.datetime64("2024-12-01", "s").astype(float)


def test_clocks_of_a_zone_go_on_over_the_change_to_summer_time(tmp_path):
    hours = [f"2024-03-31T{hour:02}:00,{hour}" for hour in (0, 1, 3, 4)]
    found = read(tmp_path, "\n".join(["day,sales", *hours]), series="", known=(), past=(),
                 time_zone="Europe/Berlin")  # fmt: skip
    assert np.isfinite(found.series[0].target).all(), "the hour that does not exist is no gap"
    clocks = panel.windows(found, [(0, 4)], 4, 0)["times"][0]
    assert [int(time % 86_400 // 3600) for time in clocks] == [0, 1, 3, 4]


def test_a_file_of_what_is_known_ahead_goes_on_after_the_history(tmp_path):
    history = LONG.rpartition("north,2024-01-04")[0]
    known = write(tmp_path, "store,day,promo\nnorth,2024-01-04,1\nsouth,2024-01-04,0\n", "k.csv")
    columns = own_tables.Columns(("sales",), ("heat",), ("promo",), (), 86_400.0)
    found = own_tables.read_history(write(tmp_path, history), SETTINGS, columns, known)
    for one, other in zip(found.series, read(tmp_path, LONG).series, strict=True):
        np.testing.assert_array_equal(one.known, other.known)
    histories.check(found, 1)
    with pytest.raises(errors.UserError, match=r"promo is missing at 2024-01-05.*step 2 of 2"):
        histories.check(found, 2)


@pytest.mark.parametrize(
    ("text", "changes", "told"),
    [
        (LONG.replace("2024-01-03,15", "2024-01-01,15"), {}, r"line 6.*comes after 2024-01-02"),
        (LONG.replace("2024-01-03,15", "2024-01-02,15"), {}, r"line 6.*comes twice"),
        (LONG.replace("north,2024-01-03,15", "north,2024-01-03,x"), {}, r"line 6: sales is 'x'"),
        (LONG.replace("2024-01-03,15", "yesterday,15"), {}, r"line 6: day is 'yesterday'"),
        (LONG, {"series": "shop"}, r"no column shop, which data_format.series names"),
        (LONG, {"known": ("promotion",)}, r"no column promotion.*data_format.known"),
        (LONG, {"ignored": ("sales",)}, r"no column to forecast"),
        (LONG, {"static": "/no/such.csv"}, r"no such file of static columns"),
        ("day,sales\n", {"series": "", "known": (), "past": ()}, r"no rows"),
        (
            "day,sales\n2024-01-01,1\n2024-01-02,2\n2024-01-03,1\n2024-01-03T06:00,2\n",
            {"series": "", "known": (), "past": ()},
            r"2024-01-03 00:00:00 UTC and 2024-01-03 06:00:00 UTC fall into one step of 86400",
        ),
    ],
)  # fmt: skip
def test_bad_tables_are_refused_with_their_place(tmp_path, text, changes, told):
    with pytest.raises(errors.UserError, match=told):
        read(tmp_path, text, **changes)


def test_a_series_whose_steps_are_longer_than_the_others_is_named(tmp_path):
    days = [f"a,2024-01-{day:02},1" for day in range(1, 29)]
    weeks = [f"b,2024-{month:02}-{day:02},1" for month in range(1, 12) for day in (1, 15)]
    text = "\n".join(["s,day,sales", *days, *weeks])
    with pytest.raises(errors.UserError, match=r"b: 22 rows over .* steps of 86400 .* mixed"):
        read(tmp_path, text, series="s", known=(), past=())


def test_two_rows_of_one_series_in_the_static_file_are_refused(tmp_path):
    stores = write(tmp_path, "store,size\nnorth,big\nnorth,small\n", "stores.csv")
    with pytest.raises(errors.UserError, match=r"stores.csv: line 3: store north comes twice"):
        read(tmp_path, LONG, static=str(stores))


def test_a_column_with_two_roles_is_refused():
    with pytest.raises(ValueError, match="b is named for two roles"):
        configs.PanelFormatConfig(known=("a,b",), past=("b",))
