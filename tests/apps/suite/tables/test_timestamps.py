"""Times come out in UTC however they are written, and through both changes of the clocks."""

import datetime
import zoneinfo
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from apps.anomaly_detection import config as configs
from apps.suite import errors
from apps.suite.tables import reader, times

MICROSECONDS = 1_000_000


def read(*blocks, **settings):
    clock = times.Clock("t", configs.DataFormatConfig(**settings))
    found, first = [], 2
    for values in blocks:
        column = values if isinstance(values, pa.Array) else pa.array(values)
        found.append(clock.read(reader.Block(Path("mine.csv"), "line", first, {"t": column})))
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
        (["2024-01-01", "yesterday"], {}, "line 3: t is 'yesterday', no time such as"),
        (["2024-01-01 00:00:00Z", "yesterday"], {}, "line 3: t is 'yesterday', no time such as"),
        (["2024-13-01 00:00"], {}, "line 2: t is '2024-13-01 00:00', no time"),
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
def test_what_is_no_time_is_refused_by_its_place(values, settings, message):
    with pytest.raises(errors.UserError, match=message) as caught:
        read(values, **settings)
    assert "\n" not in str(caught.value)
