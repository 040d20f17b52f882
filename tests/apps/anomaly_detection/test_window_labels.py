"""A json of windows labels the steps from start to end, both included."""

import json

import numpy as np
import pytest

from apps.suite import errors
from tests.apps.anomaly_detection import own_files

COUNT = 60
TIMES = own_files.times(COUNT)
VALUES = np.arange(COUNT) % 7


@pytest.fixture
def folder(tmp_path):
    own_files.written(tmp_path / "data", own_files.rows("ts,a", TIMES, VALUES), "web/one.csv")
    return tmp_path


def labelled(folder, content, data="data", **settings):
    file = own_files.written(folder, json.dumps(content), "windows.json")
    return own_files.load(folder / data, labels=str(file), **settings).series[0].labels


@pytest.mark.parametrize("key", ["web/one.csv", "web/one", "one.csv", "one"])
def test_a_series_is_found_by_its_path_or_name(folder, key):
    labels = labelled(folder, {key: [[TIMES[5], TIMES[8]], [TIMES[50], TIMES[50]]]})
    np.testing.assert_array_equal(np.flatnonzero(labels), [5, 6, 7, 8, 50])


def test_times_of_windows_follow_the_data_s_clock(folder):
    text = own_files.rows("ts,a", [f"{time}+02:00" for time in TIMES], VALUES)
    file = own_files.written(folder, text, "zoned.csv")
    windows = [[f"{TIMES[5]}+02:00", f"{TIMES[6]}+02:00"]]
    np.testing.assert_array_equal(np.flatnonzero(labelled(folder, windows, file)), [5, 6])


def test_a_window_between_two_steps_labels_the_nearer_one(folder):
    start = own_files.seconds(COUNT)[5]
    np.testing.assert_array_equal(
        np.flatnonzero(labelled(folder, {"one": [[start + 20, start + 40]]})), [5]
    )


def test_rows_that_are_steps_are_labelled_by_their_own_times(folder):
    labels = labelled(folder, {"one": [[TIMES[5], TIMES[8]]]}, resample=False)
    np.testing.assert_array_equal(np.flatnonzero(labels), [5, 6, 7, 8])


def test_without_times_windows_count_steps(folder):
    file = own_files.written(folder, own_files.rows("a", VALUES), "plain.csv")
    np.testing.assert_array_equal(np.flatnonzero(labelled(folder, [[3, 5]], file)), [3, 4, 5])
    with pytest.raises(errors.UserError, match="not the number of a step"):
        labelled(folder, [[TIMES[0], TIMES[1]]], file)


def test_no_window_means_no_anomaly(folder):
    assert not labelled(folder, {"one": []}).any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"two": []}, 'no entry for web/one.csv; write "web/one.csv": \\[\\]'),
        ({"one": 3}, "one must hold a list of windows"),
        ({"one": [[TIMES[3]]]}, "web/one: window 1 is .*, not \\[.start., .end.\\]"),
        ({"one": [[TIMES[3], TIMES[2]]]}, "window 1 ends before it starts"),
        (
            {"one": [[TIMES[3], "2030-01-01"]]},
            "lies outside the series, which goes from 2024-03-01",
        ),
        ({"one": [[TIMES[3], TIMES[4]], ["soon", "later"]]}, "window 2: 'soon' is not a time"),
        (3, "must hold"),
    ],
)
def test_windows_that_cannot_be_are_refused_in_one_line(folder, content, message):
    with pytest.raises(errors.UserError, match=message) as caught:
        labelled(folder, content)
    assert str(folder / "windows.json") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_json_is_refused(folder):
    file = own_files.written(folder, "{", "windows.json")
    for path, message in (
        (file, "not valid JSON"),
        (folder / "absent.json", "cannot be read: No such"),
    ):
        with pytest.raises(errors.UserError, match=message):
            own_files.load(folder / "data", labels=str(path))
