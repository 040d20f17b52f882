"""Times come out in UTC however they are written, and through both changes of the clocks."""

import datetime
import zoneinfo

import numpy as np
import pyarrow as pa
import pytest

from apps.suite import errors
from apps.suite.tables import cells, times

MICROSECONDS = 1_000_000


def read(*blocks, **settings):
    clock = times.Clock("t", **settings)
    found, first = [], 1
    for values in blocks:
        column = values if isinstance(values, pa.Array) else pa.array(values)
        found.append(
            clock.read(cells.Block("mine.csv", first, {"t": column}, line_of=lambda row: row + 1))
        )
        first += len(column)
    return np.concatenate(found)


def utc(*arguments):
    return round(datetime.datetime(*arguments, tzinfo=datetime.UTC).timestamp() * MICROSECONDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-01 00:30:00", utc(2024, 7, 1, 0, 30)),
        ("2024-07-01T00:30", utc(2024, 7, 1, 0, 30)),
        ("2024-07-01", utc(2024, 7, 1)),
        ("2024-07-01 00:30:00.250", utc(2024, 7, 1, 0, 30, 0, 250_000)),
        ("2024-07-01T00:30:00Z", utc(2024, 7, 1, 0, 30)),
        ("2024-07-01 00:30:00+05:30", utc(2024, 6, 30, 19)),
        ("2024-07-01T00:30:00-0200", utc(2024, 7, 1, 2, 30)),
        ("1719793800", utc(2024, 7, 1, 0, 30)),
        ("1719793800.5", utc(2024, 7, 1, 0, 30, 0, 500_000)),
        ("1719793800250", utc(2024, 7, 1, 0, 30, 0, 250_000)),
        ("1719793800250000", utc(2024, 7, 1, 0, 30, 0, 250_000)),
        ("1719793800250000123", utc(2024, 7, 1, 0, 30, 0, 250_000)),
    ],
)
def test_times_of_every_writing_are_understood(text, expected):
    np.testing.assert_array_equal(read([text, text]), [expected, expected])


def test_typed_times_are_understood():
    moment = datetime.datetime(2024, 7, 1, 12)
    zoned = moment.replace(tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo"))
    for column, expected in (
        (pa.array([moment], pa.timestamp("ms")), utc(2024, 7, 1, 12)),
        (pa.array([zoned], pa.timestamp("us", "Asia/Tokyo")), utc(2024, 7, 1, 3)),
        (pa.array([moment.date()]), utc(2024, 7, 1)),
        (pa.array([1719835200], pa.int64()), utc(2024, 7, 1, 12)),
        (pa.array([1719835200.0]), utc(2024, 7, 1, 12)),
    ):
        np.testing.assert_array_equal(read(column), [expected])


def test_a_format_of_its_own_is_read_as_it_says():
    found = read(["31.12.2023 23:59"], time_format="%d.%m.%Y %H:%M")
    np.testing.assert_array_equal(found, [utc(2023, 12, 31, 23, 59)])


@pytest.mark.parametrize("cut", [0, 5, 6, 7, 10])
def test_a_year_s_clocks_come_out_evenly_spaced_wherever_a_block_ends(cut):
    # Half-hours through the night in which Berlin's clocks go back: 02:00 to 03:00 comes twice.
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    start = datetime.datetime(2023, 10, 28, 22, tzinfo=datetime.UTC)
    moments = [start + datetime.timedelta(minutes=30 * at) for at in range(12)]
    shown = [f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in moments]
    assert len(set(shown)) == 10
    found = (
        read(shown[:cut], shown[cut:], time_zone="Europe/Berlin")
        if cut
        else read(shown, time_zone="Europe/Berlin")
    )
    np.testing.assert_array_equal(np.diff(found), 1800 * MICROSECONDS)
    assert found[0] == utc(2023, 10, 28, 22)


def test_clocks_that_go_forward_leave_no_hole():
    shown = ["2024-03-31 01:30", "2024-03-31 03:00", "2024-03-31 03:30"]
    found = read(shown, time_zone="Europe/Berlin")
    np.testing.assert_array_equal(np.diff(found), 1800 * MICROSECONDS)


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        (["2024-01-01", None], {}, "line 3: t is empty"),
        (["2024-01-01", "yesterday"], {}, "line 3: t is 'yesterday', not a time such as"),
        (["2024-01-01 00:00:00Z", "yesterday"], {}, "line 3: t is 'yesterday', not a time such as"),
        (["2024-13-01 00:00"], {}, "line 2: t is '2024-13-01 00:00', not a time"),
        (
            ["2024-01-01 00:00:00Z", "2024-01-01 00:00:00"],
            {},
            "line 3: .* without an offset, unlike the times before it",
        ),
        (
            ["2024-01-01 00:00:00", "2024-01-01 00:00:00+01:00"],
            {},
            "line 3: .* with an offset, unlike the times before it",
        ),
        (["1.1.2024"], {"time_format": "%d/%m/%Y"}, "line 2: t is '1.1.2024'"),
        (["2024-03-31 02:30"], {"time_zone": "Europe/Berlin"}, "clocks were put forward"),
        (["2024-01-01 00:00"], {"time_zone": "Mars/Base"}, "time_zone: Mars/Base is not known"),
    ],
)
def test_a_bad_time_is_refused_by_its_place(values, settings, message):
    with pytest.raises(errors.UserError, match=message) as caught:
        read(values, **settings)
    assert "\n" not in str(caught.value)


NOON = 1_700_000_000


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)],
)
@pytest.mark.parametrize("write", [int, str])
def test_numbers_are_read_by_their_size_and_the_reading_is_said(unit, factor, write):
    clock = times.Clock("t")
    column = pa.array([write(NOON * factor), write((NOON + 90) * factor)])
    found = clock.read(cells.Block("log.csv", 1, {"t": column}))
    assert (found // MICROSECONDS).tolist() == [NOON, NOON + 90]
    assert clock.reading == f"numbers, read as {unit}"


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-01-31T19:05:00+01:00", "2024-01-31T18:05:09+00:00"],
        [" 2024-01-31 18:05:00 ", "2024-01-31 18:05:09"],
        ["1706724300000", " 1.706724309e12"],
        ["+1706724300", "1706724309.0"],
    ],
)
def test_space_and_exponents_do_not_count(texts):
    assert (read(texts) // MICROSECONDS).tolist() == [1_706_724_300, 1_706_724_309]


def test_times_before_1970_and_beyond_2262_are_understood():
    days = [datetime.date(1970, 1, 2), datetime.date(1969, 12, 31)]
    assert (read(pa.array(days)) // MICROSECONDS).tolist() == [86_400, -86_400]
    moments = [datetime.datetime(1969, 12, 31, 23, 59, 59)]
    for kind in (pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("ms", "UTC")):
        assert read(pa.array(moments, kind)).tolist() == [-MICROSECONDS]
    assert read(["-0.1"]).tolist() == [-100_000]
    np.testing.assert_array_equal(read(["2500-01-01 00:00"]), [utc(2500, 1, 1)])


@pytest.mark.parametrize(
    ("values", "place"),
    [
        (["2024-01-31", "yesterday", "?"], "line 4: t is empty"),
        (["12", "13", "14", "2024-01-31"], "line 5: t is '2024-01-31'"),
        (["31.01.2024"], "line 2: t is '31.01.2024'"),
        (pa.array([3.0, np.inf]), "line 3: t is 'inf'"),
        (pa.array([3.0, np.nan]), "line 3: t is empty"),
        (["3", "9e18"], "line 3: t is '9e18'"),
        (pa.array([True, False]), "line 2: t is 'True'"),
    ],
)
def test_other_values_are_refused_by_their_place(values, place):
    with pytest.raises(errors.UserError) as caught:
        read(values)
    assert f"mine.csv: {place}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("20240701", "", utc(2024, 7, 1)),
        ("2024070112", "", utc(2024, 7, 1, 12)),
        ("202407011230", "", utc(2024, 7, 1, 12, 30)),
        ("20240701123059", "", utc(2024, 7, 1, 12, 30, 59)),
        ("2024-07-01 00:30:00 UTC", "", utc(2024, 7, 1, 0, 30)),
        ("2024-07-01 00:30:00.5 GMT", "", utc(2024, 7, 1, 0, 30, 0, 500_000)),
        ("01.07.2024 00:30:00.250", "%d.%m.%Y %H:%M:%S.%f", utc(2024, 7, 1, 0, 30, 0, 250_000)),
        ("01/07/2024 02:30 +0200", "%d/%m/%Y %H:%M %z", utc(2024, 7, 1, 0, 30)),
        ("45474.5", "excel", utc(2024, 7, 1, 12)),
        ("1719793800", "seconds", utc(2024, 7, 1, 0, 30)),
        ("5", "milliseconds", 5_000),
    ],
)
def test_times_of_other_forms_are_read(text, form, expected):
    np.testing.assert_array_equal(read([text, text], time_format=form), [expected, expected])
    if text.isdigit():  # typed, as in a parquet file
        column = pa.array([int(text)] * 2)
        np.testing.assert_array_equal(read(column, time_format=form), [expected, expected])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1700000000"] * 3 + ["1700000000000"], "line 5: t is '1700000000000', milliseconds"),
        (["1700000000000"] * 3 + ["1700000000"], "line 5: t is '1700000000', seconds"),
        (["20240131", "20240230"], "line 3: t is '20240230'"),
        (["40000", "40001"], "line 2: t is 40000: days since 1899"),
        (["10:30", "10:40"], "line 2: t is '10:30', a time of day"),
    ],
)
def test_times_that_would_be_another_century_are_refused(values, told):
    with pytest.raises(errors.UserError) as caught:
        read(values)
    assert f"mine.csv: {told}" in str(caught.value)


def test_a_later_block_may_not_change_the_unit():
    with pytest.raises(errors.UserError, match=r"line 4: t is '1700000000000', milliseconds"):
        read(["1700000000", "1700000001"], ["1700000000000", "1700000000001"])


def test_an_offset_in_the_format_and_a_time_zone_exclude_each_other():
    with pytest.raises(errors.UserError, match=r"%z .* time_zone"):
        times.Clock("t", time_zone="Europe/Berlin", time_format="%d/%m/%Y %H:%M %z")


def test_a_text_of_another_form_than_the_given_one_is_told_so():
    with pytest.raises(errors.UserError, match=r"does not fit time_format %d\.%m"):
        read(["2024-01-31"], time_format="%d.%m.%Y")
