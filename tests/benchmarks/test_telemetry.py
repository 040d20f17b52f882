"""The telemetry benchmark: its corpus is whole, its counts are right, its alarms find a fault."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import telemetry_alarms, telemetry_forecasts
from benchmarks.telemetry_forecasts import Channel, Errors

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "smap_msl"


def channel(name, events, test_steps=3_000, train_steps=500):
    values = np.zeros((train_steps + test_steps, 2), np.float32)
    return Channel(name, "SMAP", values, train_steps, events)


def errors(test_steps=3_000, faults=(), seed=0):
    draw = np.random.default_rng(seed)
    test = draw.normal(0, 0.1, test_steps)
    for start, end in faults:
        test[start:end] += 1.0
    return Errors(draw.normal(0, 0.1, 500), test)


def test_the_corpus_is_whole():
    if not FOLDER.is_dir():
        pytest.skip(f"the benchmark's data are not in {FOLDER.resolve()}")
    channels = telemetry_forecasts.read(FOLDER)
    missions = [each.mission for each in channels]
    assert (missions.count("SMAP"), missions.count("MSL")) == (54, 27)
    assert sum(len(each.events) for each in channels) == 105
    assert {each.values.shape[1] for each in channels} == {55}
    for each in channels:
        assert each.events == sorted(each.events)
        assert all(0 <= start < end <= len(each.test) for start, end in each.events)


def test_events_and_false_alarms_are_counted_by_any_overlap():
    channels = [channel("a", [(100, 200), (300, 310)]), channel("b", [(50, 60)])]
    found = {"a": [(150, 160), (190, 290), (400, 500)], "b": [(60, 70)]}
    judged = telemetry_alarms.judge(channels, found)
    assert (judged.counts.events, judged.counts.found_events) == (3, 1)
    assert judged.counts.false_alarms == 2
    assert judged.counts.precision == pytest.approx(1 / 3)
    assert judged.share_outside == pytest.approx((90 + 100 + 10) / (2 * 3_000 - 120))


def test_a_fault_is_found_and_noise_is_not():
    for setting in (telemetry_alarms.PAPER, telemetry_alarms.Setting(60, 0.2, 1.0)):
        assert telemetry_alarms.alarms(errors(), setting) == []
        ((start, end),) = telemetry_alarms.alarms(errors(faults=[(2_500, 2_600)]), setting)
        assert 2_300 < start < 2_600 < end <= 3_000


def test_no_alarm_is_below_what_the_train_part_has_shown():
    usual = errors(faults=[(2_500, 2_600)])
    troubled = Errors(np.where(np.arange(500) > 300, 2.0, 0.1), usual.test)
    paper = telemetry_alarms.PAPER
    assert telemetry_alarms.alarms(troubled, paper) == telemetry_alarms.alarms(usual, paper) != []
    assert telemetry_alarms.alarms(troubled, paper._replace(train_share=1.0)) == []


def test_the_setting_is_chosen_by_the_events_of_the_channels_that_are_given(monkeypatch):
    channels = [channel("a", [(2_500, 2_600)])]
    deaf = telemetry_alarms.Setting(60, 0.99, 1.0)
    hearing = telemetry_alarms.Setting(60, 0.2, 1.0)
    monkeypatch.setattr(telemetry_alarms, "SETTINGS", [deaf, hearing])
    found = telemetry_alarms.choose(channels, {"a": errors(faults=[(2_500, 2_600)])})
    assert found == hearing
