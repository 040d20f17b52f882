"""Runs over seeds are compared in pairs, against scipy's paired test."""

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy import stats

from apps.suite import errors
from apps.suite.evaluation import repeated_runs


def run(folder, value, baseline=0.5, losses=(3.0, 1.5, 2.0), metric="accuracy"):
    """Writes what is read of a finished run; returns its folder."""
    folder.mkdir(parents=True)
    primary = {"name": metric, "higher_is_better": True, "model": value}
    baselines = {"weak": {metric: 0.1}, "strong": {metric: baseline}, "other": {"else": 1.0}}
    metrics = {"primary": primary, "train_seconds": 10.0, "baselines": baselines}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    rows = [f"{at},{loss}" for at, loss in enumerate(losses)]
    (folder / "history.csv").write_text("\n".join(["step,validation_loss", *rows]))
    return folder


@pytest.fixture
def found(tmp_path):
    values = {"64": [0.60, 0.64, 0.58], "128": [0.66, 0.67, 0.65]}
    losses = {"64": 1.0, "128": 2.0}
    return repeated_runs.read(
        {
            name: {
                seed: run(tmp_path / name / str(seed), value, 0.5 + 0.01 * seed, (9, losses[name]))
                for seed, value in enumerate(each)
            }
            for name, each in values.items()
        }
    )


def test_a_difference_is_that_of_the_paired_t_test(found):
    *_, last = repeated_runs.differences(found)
    one, other = (list(each.test.values()) for each in found.settings)
    assert (last.one, last.other, last.seeds, last.better) == ("64", "128", 3, 0)
    assert last.p == pytest.approx(stats.ttest_rel(one, other).pvalue)
    interval = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert (last.low, last.high) == pytest.approx((interval.low, interval.high))


def test_every_setting_is_set_against_the_best_baseline_of_its_own_runs(found):
    first, second, _ = repeated_runs.differences(found)
    assert (first.one, first.other) == ("64", "strong")
    assert (second.one, second.other, second.better) == ("128", "strong", 3)
    assert first.mean == pytest.approx(np.mean([0.10, 0.13, 0.06]))


def test_the_validation_loss_chooses_and_not_the_test_part(found):
    assert repeated_runs.chosen(found) == "64"
    assert "64 (chosen: lowest validation loss)" in repeated_runs.tables(found, "title")


def test_only_seeds_that_both_have_are_compared():
    each = repeated_runs.difference(("a", {0: 1.0, 1: 2.0}), ("b", {1: 3.0, 2: 9.0}), False)
    assert (each.seeds, each.better, each.mean) == (1, 1, -1.0)
    assert math.isnan(each.p)
    assert repeated_runs.difference(("a", {0: 1.0}), ("b", {1: 1.0}), True) is None


def test_equal_differences_have_no_test(tmp_path):
    each = repeated_runs.difference(("a", {0: 1.0, 1: 2.0}), ("b", {0: 0.5, 1: 1.5}), True)
    assert (each.mean, each.low, each.high) == (0.5, 0.5, 0.5)
    assert math.isnan(each.p)


def test_the_plot_says_what_it_shows_and_has_both_themes(found, tmp_path):
    plot = repeated_runs.plot(tmp_path, found)
    assert plot.light.exists()
    assert plot.dark.exists()
    assert "128 0.6600 ± 0.01" in plot.alternative


def test_runs_of_other_metrics_and_damaged_ones_are_refused(tmp_path):
    one = run(tmp_path / "one", 0.5)
    other = run(tmp_path / "other", 0.5, metric="loss")
    with pytest.raises(errors.UserError, match="the metric is loss"):
        repeated_runs.read({"a": {0: one, 1: other}})
    (other / "metrics.json").write_text('{"primary": 3}')
    with pytest.raises(errors.UserError, match="is damaged"):
        repeated_runs.read({"a": {0: other}})


def test_without_a_validation_loss_the_primary_metric_of_the_validation_part_chooses(tmp_path):
    folders = {"64": tmp_path / "64", "128": tmp_path / "128"}
    for (name, folder), best in zip(folders.items(), (0.7, 0.8), strict=True):
        run(folder, 0.9 if name == "64" else 0.5)
        (folder / "history.csv").write_text(f"step,validation_accuracy\n1,0.1\n2,{best}\n3,0.2\n")
    found = repeated_runs.read({name: {0: folder} for name, folder in folders.items()})
    assert found.validation_metric == "validation_accuracy"
    assert repeated_runs.chosen(found) == "128"
    assert "128 (chosen: highest validation accuracy)" in repeated_runs.tables(found, "title")


def test_of_a_chosen_setting_only_its_own_differences_are_told(found):
    for of, other in (("64", "128"), ("128", "64")):
        pairs = [(each.one, each.other) for each in repeated_runs.differences(found, of)]
        assert pairs == [(of, "strong"), (of, other)]


def test_settings_are_ordered_by_the_validation_part(found):
    turned = dataclasses.replace(found, settings=found.settings[::-1])
    ordered = repeated_runs.by_validation(turned)
    assert [each.name for each in ordered.settings] == ["64", "128"], "losses 1 and 2"
