import datetime

import numpy as np
import pyarrow as pa
import pytest

from apps.suite import errors
from apps.suite.tables import event_times

NOON = 1_700_000_000


def seconds(values, kind=None):
    return event_times.seconds(pa.chunked_array([pa.array(values, kind)]), "when", "log.csv")


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)],
)
def test_numbers_are_read_by_their_size_and_the_reading_is_said(unit, factor):
    found, note = seconds([NOON * factor, (NOON + 90) * factor])
    assert found.tolist() == [NOON, NOON + 90]
    assert note.endswith(f"read as {unit}")


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-01-31 18:05:00", "2024-01-31 18:05:09"],
        ["2024-01-31T18:05:00Z", "2024-01-31T18:05:09Z"],
        ["2024-01-31T19:05:00+01:00", "2024-01-31T18:05:09+00:00"],
        [" 2024-01-31 18:05:00.25 ", "2024-01-31 18:05:09.75"],
        ["1706724300", "1706724309"],
        ["1706724300000", " 1.706724309e12"],
    ],
)
def test_text_is_an_iso_time_or_a_number(texts):
    assert seconds(texts)[0].tolist() == [1_706_724_300, 1_706_724_309]


def test_dates_and_timestamps_of_parquet_are_what_they_are():
    days = [datetime.date(1970, 1, 2), datetime.date(1969, 12, 31)]
    assert seconds(days)[0].tolist() == [86_400, -86_400]
    moments = [datetime.datetime(1970, 1, 2, 0, 0, 1), datetime.datetime(1969, 12, 31, 23, 59, 59)]
    for kind in (pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("ms", "UTC")):
        assert seconds(moments, kind)[0].tolist() == [86_401, -1]


def test_fractions_are_cut_off_downwards_before_1970_as_well():
    assert seconds([1.9, -0.1])[0].tolist() == [1, -1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["2024-01-31", "yesterday", "?"], "row 2 of data: when 'yesterday' cannot be read"),
        (["12", "13", "14", "2024-01-31"], "row 4 of data: when '2024-01-31' cannot be read"),
        (["31.01.2024"], "row 1 of data: when '31.01.2024' cannot be read"),
        ([3, None], "row 2 of data has no when"),
        ([3.0, np.inf], "row 2 of data: when inf is no time"),
        ([True, False], "column when is of type bool"),
    ],
)
def test_what_is_no_time_is_named_with_its_row(values, message):
    with pytest.raises(errors.UserError, match=message) as refusal:
        seconds(values)
    assert str(refusal.value).startswith("log.csv: ")
    assert "\n" not in str(refusal.value)
