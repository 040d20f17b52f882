"""Measurements are read as people write them down, and what is wrong is told by line and column."""

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.tables import rows

CHANNELS = ("pressure", "flow")


def read(text, channels=CHANNELS, most=100):
    return rows.read_text(text, channels, most)


def refused(text, channels=CHANNELS, most=100):
    with pytest.raises(errors.UserError) as caught:
        read(text, channels, most)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "pressure,flow\n1,2\n3,4\n",
        "flow;pressure\r\n2;1\r\n4;3",
        "\ufeffnote\tflow\tpressure\nx\t2\t1\ny\t4\t3\n",
        "1,2\n\n3,4",
        "2026-01-01T00:00:00,1,2\n2026-01-01T00:10:00,3,4",
    ],
)
def test_delimiters_orders_heads_and_other_columns(text):
    np.testing.assert_array_equal(read(text).values, [[1, 2], [3, 4]])


def test_one_channel_needs_no_right_name():
    np.testing.assert_array_equal(read("whatever\n1.5\n-2e3\n", ["demand"]).values, [[1.5], [-2e3]])


def test_empty_cells_are_missing():
    values = read("pressure,flow\n1,\nNaN,2\n").values
    np.testing.assert_array_equal(values, [[1, np.nan], [np.nan, 2]])


def test_times_are_found_by_name_or_form_and_brought_to_utc():
    for head in ("time", "when it was"):
        found = read(f"{head},pressure,flow\n2026-01-01 01:00:00+01:00,1,2\n2026-01-01T00:30Z,3,4")
        expected = np.array(["2026-01-01T00:00", "2026-01-01T00:30"], "datetime64[ms]")
        np.testing.assert_array_equal(found.times, expected)
    assert read("pressure,flow,note\n1,2,early\n3,4,late").times is None


def test_what_is_wrong_is_told_by_line_and_column():
    assert "no measurements yet" in refused("  \n")
    assert "lacks the column flow; it has pressure, fluss" in refused("pressure,fluss\n1,2\n")
    assert "line 3: flow is 'high'" in refused("pressure,flow\n1,2\n3,high\n")
    assert "line 2: time is 'early'" in refused("time,pressure,flow\nearly,1,2\nlate,3,4")
    assert "line 3: 1 cells" in refused("pressure,flow\n1,2\n3\n")
    assert "no number in pressure, flow" in refused("pressure,flow\n,\nnan,?\n")
    assert "no rows" in refused("pressure,flow\n")
    assert "3 columns and no names" in refused("1,2,3\n")
    assert "quote" in refused('pressure,flow\n"1,2\n3,4\n')


def test_more_rows_than_a_page_can_show_are_refused():
    assert "3 rows; give 2 at most" in refused("1,2\n3,4\n5,6", most=2)
