import csv
import json

import numpy as np
import pytest

from apps.anomaly_detection import events
from apps.suite import errors
from apps.suite.tables import series

FOUND = [
    events.Event(2, 5, 3, 7.25, ("flow", "heat")),
    events.Event(8, 9, 8, 4.0, ()),
]


def one_series(dated=True):
    return series.Series(
        name="plant/a",
        times=np.arange(10) * 600.0 + 1_704_067_200 if dated else np.arange(10.0),
        dated=dated,
        step_seconds=600.0 if dated else 1.0,
        values=np.zeros((10, 2), np.float32),
        observed=np.ones((10, 2), bool),
        labels=None,
        train_end=0,
        validation_end=0,
    )


def test_times_are_utc_and_the_end_is_the_last_anomalous_step():
    first, second = events.event_rows(one_series(), FOUND)
    assert (first.start, first.end) == ("2024-01-01T00:20:00Z", "2024-01-01T00:40:00Z")
    assert (first.peak, first.steps) == ("2024-01-01T00:30:00Z", 3)
    assert (second.start, second.end, second.steps) == (second.peak, second.peak, 1)


def test_without_times_they_are_numbers_of_steps():
    first, _ = events.event_rows(one_series(dated=False), FOUND)
    assert (first.start, first.end, first.peak) == (2, 4, 3)


def test_csv_and_json_hold_the_same(tmp_path):
    listed = events.event_rows(one_series(), FOUND)
    for name in ("events.csv", "events.json"):
        events.write_events(tmp_path / name, listed)
    with (tmp_path / "events.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    objects = json.loads((tmp_path / "events.json").read_text())
    assert [row["start"] for row in rows] == [each["start"] for each in objects]
    assert [float(row["score"]) for row in rows] == [7.25, 4.0]
    assert objects[0]["worst_columns"] == ["flow", "heat"]
    assert rows[0]["worst_columns"] == "flow heat"
    assert rows[1]["worst_columns"] == ""


def test_no_event_is_a_header_and_an_empty_list(tmp_path):
    events.write_events(tmp_path / "none.csv", [])
    events.write_events(tmp_path / "none.json", [])
    assert (tmp_path / "none.csv").read_text().strip() == ",".join(events.EventRow._fields)
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match="file: a file stands where a folder"):
        events.write_events(tmp_path / "file" / "events.csv", [])


def test_the_printed_table_counts_and_aligns():
    listed = events.event_rows(one_series(), FOUND)
    title, header, first, second = events.events_text(one_series(), 10, listed).splitlines()
    assert title == "plant/a: 2 events in 10 steps"
    assert header.index("score") == first.index("7.25") == second.rindex("4")
    assert events.events_text(one_series(), 10, []) == "plant/a: 0 events in 10 steps"
