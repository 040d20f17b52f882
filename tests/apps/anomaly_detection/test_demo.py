"""Measurements are scored by the export, and its alarms become events that a person can read."""

import numpy as np
import pytest

from apps.anomaly_detection import demo
from apps.suite import errors
from apps.suite.demo import asked_text
from apps.suite.export import asking
from apps.suite.tables import rows
from tests.apps.anomaly_detection import small_model

pytestmark = pytest.mark.slow
CHANNELS = list(small_model.NAMES)


@pytest.fixture(scope="module")
def model(small_exports):
    with asking.exports(small_exports / "anomaly_detection") as (found,):
        yield found


def csv_of(values):
    lines = [",".join("" if np.isnan(cell) else f"{cell:.6g}" for cell in row) for row in values]
    return "\n".join([",".join(CHANNELS), *lines])


def test_events_are_the_export_s_own_alarms(model):
    values = small_model.with_nan(small_model.a_series())
    watched = demo.watch(model, csv_of(values))
    answer = model.ask(values=watched.given.values[None])
    np.testing.assert_array_equal(watched.scores, answer["score"][0])
    assert watched.threshold == answer["threshold"][0]
    assert [event.start for event in watched.events] == np.flatnonzero(answer["alarm"][0]).tolist()
    assert watched.events
    inside = np.zeros(len(values), bool)
    for event in watched.events:
        inside[event.start : event.end] = True
        assert event.highest == watched.scores[event.start : event.end].max()
        assert event.highest > watched.threshold
        assert event.channel in CHANNELS
        assert 0 < event.share <= 1
    assert inside[answer["is_anomaly"][0]].all()


def test_a_usual_series_has_no_event(model):
    values = np.tile(small_model.MEAN, (1, 1))
    watched = demo.watch(model, csv_of(values))
    assert watched.events == []
    assert demo.table(watched) == ""
    assert "in 0 events" in demo.picture(watched)
    assert demo.summary(watched) == "nothing unusual in 1 step"


def test_the_example_fits_the_model_and_holds_a_fault(model):
    text = demo.example_csv(model)
    watched = demo.watch(model, text)
    assert watched.given.times is not None
    assert len(watched.scores) >= 240
    assert np.isnan(watched.given.values).any()
    assert demo.spacing(model, watched) == ""


def test_an_export_without_settings_has_an_example_too(model, monkeypatch):
    monkeypatch.setitem(model.__dict__, "settings", {})  # those of an export of before
    assert demo.channels_of(model) == CHANNELS
    watched = demo.watch(model, demo.example_csv(model))
    usual = np.nanmedian(watched.given.values, axis=0)
    np.testing.assert_allclose(usual, small_model.MEAN, atol=2 * small_model.DEVIATION.max())


def test_rows_that_are_further_apart_than_those_of_the_training_are_told_of(model):
    text = demo.example_csv(model)
    head, *rows = text.splitlines()
    watched = demo.watch(model, "\n".join([head, *rows[::2]]))
    assert "steps of" in demo.spacing(model, watched)


def test_events_are_a_table_with_times_or_steps():
    values = np.zeros((5, 1), np.float32)
    times = np.arange("2026-01-01T00:00", "2026-01-01T00:05", dtype="datetime64[ms]")[::60_000]
    event = demo.Event(1, 3, 4.2, "flow", 1.0)
    for given, told in ((times, "2026-01-01 00:01"), (None, "step 2")):
        watched = demo.Watched(
            rows.Measurements(values, given), ["flow"], values[:, 0], 1.0, [event]
        )
        assert told in demo.table(watched)
        assert "4.20" in demo.table(watched)
        assert "in 1 events" in demo.picture(watched)


def test_a_long_series_is_drawn_with_its_single_spike():
    scores = np.zeros(50_000, np.float32)
    scores[31_111] = 9
    x, y = demo.thinned(np.arange(len(scores)), scores)
    assert len(x) <= 4_100
    assert y.max() == 9


def test_bad_measurements_and_files_are_told(model, tmp_path):
    for text, told in (("", "no measurements yet"), ("a,b\n1,2\n", "lacks the column")):
        with pytest.raises(errors.UserError, match=told):
            demo.watch(model, text)
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    (tmp_path / "nul.csv").write_bytes(b"a,b\0\n")
    (tmp_path / "empty.csv").write_text("")
    for name, told in (("picture", "UTF-8"), ("nul", "binary"), ("empty", "is empty")):
        with pytest.raises(errors.UserError, match=told):
            asked_text.read(str(tmp_path / f"{name}.csv"))
