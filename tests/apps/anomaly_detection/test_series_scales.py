"""Series at different levels are scaled each by itself, by the model and the baselines alike."""

import dataclasses
import json

import numpy as np
import pytest

from apps.anomaly_detection import predict, series_scales, train
from apps.suite.tables import scaling
from tests.apps.anomaly_detection import made_series, own_files

COUNT = 400


def pumps(missing=0.1):
    """Two pumps of one kind at different pressures, and a third column that one never moves."""
    made = [made_series.one(columns=2, missing=missing, seed=seed) for seed in (0, 1)]
    low, high = made
    values = np.where(high.observed, 50 * high.values + 1000, 0).astype(np.float32)
    values[:, 1] = np.where(high.observed[:, 1], 7, 0)
    high = dataclasses.replace(high, name="north/high", values=values)
    return dataclasses.replace(low, name="north/low"), high


def test_each_train_part_has_the_common_mean_and_deviation():
    low, high = pumps()
    collection = made_series.collection(low, high)
    common = scaling.statistics_of_training(collection.series)
    scales = series_scales.of_training(collection, common)
    for one in series_scales.brought_together(collection, scales, common).series:
        found = scaling.statistics_of_training([one])
        np.testing.assert_allclose(found.mean, common.mean, rtol=1e-4)
        np.testing.assert_allclose(found.deviation[0], common.deviation[0], rtol=1e-3)
        assert (one.values[~one.observed] == 0).all()
    assert scales["north/high"].deviation[1] == pytest.approx(common.deviation[1])


def test_a_series_is_known_by_its_name_and_a_new_one_scaled_by_its_own_rows():
    low, high = pumps()
    collection = made_series.collection(low, high)
    common = scaling.statistics_of_training(collection.series)
    scales = series_scales.of_training(collection, common)
    mean, deviation = common.mean, common.deviation
    same = dataclasses.replace(high, name="high")
    by_name = series_scales.brought(high, scales, mean, deviation)[0].values
    np.testing.assert_array_equal(
        series_scales.brought(same, scales, mean, deviation)[0].values, by_name
    )
    new = dataclasses.replace(high, name="east", values=high.values * 3)
    made, level = series_scales.brought(new, scales, mean, deviation)
    assert level == 1
    assert made.values[made.observed[:, 0], 0].mean() == pytest.approx(mean[0], rel=1e-3)
    assert series_scales.of_training(made_series.collection(low), common) == {}
    assert series_scales.brought(low, {}, mean, deviation) == (low, 1.0)


def test_levels_bring_scores_of_series_to_one_height():
    random = np.random.default_rng(0)
    scores = [random.exponential(size=500) * height for height in (1, 10, 100)]
    found = series_scales.levels([*scores, np.ones(3)])
    assert found[1] == 1
    assert found[0] == pytest.approx(0.1, rel=0.3)
    assert found[2] == pytest.approx(10, rel=0.3)
    assert found[3] == 1


@pytest.mark.slow
def test_a_folder_of_pumps_is_trained_measured_and_asked_series_by_series(tmp_path, capsys):
    random = np.random.default_rng(0)
    times = own_files.times(COUNT, 60)
    for at, level in enumerate((1.0, 100.0, 5000.0)):
        values = level * (1 + 0.05 * random.normal(size=COUNT)).round(4)
        labels = np.zeros(COUNT, int)
        labels[350:355] = 1
        values[350:355] *= 2
        own_files.written(
            tmp_path / "plant", own_files.rows("time,p,label", times, values, labels), f"{at}.csv"
        )
    options = [
        "--preset",
        "tiny",
        "--data",
        str(tmp_path / "plant"),
        "--run",
        str(tmp_path / "run"),
    ]
    assert train.main(options) == 0
    told = capsys.readouterr().out
    assert "each series is scaled by its own train part" in told
    kept = json.loads((tmp_path / "run" / "detector.json").read_text())["series"]
    means = [kept[name]["mean"][0] for name in kept]
    assert means == pytest.approx([1, 100, 5000], rel=0.02)
    assert "Scale and level by series" in (tmp_path / "run" / "report.html").read_text()
    found = list(predict.predict(predict.Options(run=tmp_path / "run")))
    for one in found:
        assert any(each.start < 355 and each.end > 350 for each in one.events), one.one.name


@pytest.mark.slow
def test_a_short_series_without_labels_is_measured_and_a_winner_told_with_reasons(tmp_path, capsys):
    random = np.random.default_rng(0)
    values = (np.sin(np.arange(200) / 8) + random.normal(0, 0.1, 200)).round(4)
    file = own_files.written(tmp_path, own_files.rows("time,p", own_files.times(200, 600), values))
    run = tmp_path / "run"
    assert train.main(["--preset", "tiny", "--data", str(file), "--run", str(run)]) == 0
    told = capsys.readouterr().out
    primary = json.loads((run / "metrics.json").read_text())["primary"]
    wins = primary["baseline"]["value"] >= primary["model"]
    assert ("Likely why" in told) == wins
    assert ("steps are few" in told) == wins
    assert json.loads((run / "metrics.json").read_text())["test"]["events"] >= 1


def test_a_test_part_without_room_for_a_fault_is_refused_before_training(tmp_path, capsys):
    values = np.random.default_rng(0).normal(size=200).round(3)
    file = own_files.written(tmp_path, own_files.rows("time,p", own_files.times(200), values))
    options = ["--preset", "tiny", "--data", str(file), "--run", str(tmp_path / "run")]
    assert train.main([*options, "--data_format.test_fraction", "0.02"]) == 2
    assert "data_format.test_fraction" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
