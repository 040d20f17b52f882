"""An evaluation is complete, says who is better, and refuses what it cannot judge."""

import json
import re

import pytest

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import data, measures, scoring, trained_model
from apps.suite.runs import run_folder
from tests.apps.anomaly_detection import trained_runs

pytestmark = [
    pytest.mark.slow,
    # Of Keras, when it saves a model
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

BASELINES = {"moving z-score", "PCA", "isolation forest", "seasonal naive", "random scores"}
MEASURES = {
    "vus_pr", "auc_pr", "event_precision", "event_recall", "event_f1", "range_f1",
    "alarms_per_week", "false_alarms_per_week", "expected_alarms_per_week", "point_adjusted_f1",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    file = trained_runs.write_csv(folder / "plant.csv")
    printed = trained_runs.trained(folder / "run", file)
    return folder / "run", printed


def test_every_detector_has_its_measures(run):
    metrics = json.loads((run[0] / "metrics.json").read_text())
    assert metrics["data"]["unit"] == "steps"
    assert metrics["data"]["examples"] == {"train": 400, "validation": 160, "test": 240}
    assert metrics["baselines"].keys() == BASELINES
    for measured in (metrics["test"], *metrics["baselines"].values()):
        assert measured.keys() >= MEASURES
    primary = metrics["primary"]
    assert (primary["name"], primary["higher_is_better"]) == ("vus_pr", True)
    best = max(metrics["baselines"].values(), key=lambda each: each["vus_pr"])
    assert primary["baseline"]["value"] == best["vus_pr"]


def test_no_line_of_the_table_is_too_wide_for_a_terminal(run):
    wide = [line for line in run[1].splitlines() if "VUS PR" in line]
    assert wide
    assert all(len(line) <= 100 for line in wide)


def test_the_numbers_are_those_of_the_whole_series_read_once(run):
    folder = run_folder.open_finished(run[0], "anomaly_detection", configs.Config)
    metrics = folder.read_metrics()
    trained = trained_model.read(folder)
    (one,) = data.load(folder.config).series
    scored = scoring.score(trained, one)
    test = slice(one.validation_end, None)
    expected = measures.volume_under_precision_recall(one.labels[test], scored.scores[test])
    assert metrics["test"]["vus_pr"] == pytest.approx(expected, abs=1e-6)
    over = scored.scores > trained.threshold.value
    alarms = measures.ranges(over[test])
    events = [(start - one.validation_end, end - one.validation_end)
              for start, end in trained_runs.EVENTS]  # fmt: skip
    counts = measures.count_events(events, alarms)
    assert metrics["test"]["events"] == 2
    assert metrics["test"]["found_events"] == counts.found_events
    assert metrics["test"]["event_precision"] == pytest.approx(counts.precision)
    weeks = 240 * 600 / 604_800
    assert metrics["test"]["alarms_per_week"] == pytest.approx(len(alarms) / weeks)


def test_random_scores_do_not_pass(run):
    metrics = json.loads((run[0] / "metrics.json").read_text())
    assert metrics["baselines"]["random scores"]["vus_pr"] < 0.25
    assert metrics["test"]["vus_pr"] > metrics["baselines"]["random scores"]["vus_pr"]


def test_the_report_shows_alarms_thresholds_and_examples(run):
    page = (run[0] / "report.html").read_text()
    for said in (
        "Alarms, and how they relate to the labelled events",
        "The ways to a threshold",
        "an alarm budget, used",
        "peaks over threshold",
        "Random scores are uniform noise",
        "Events missed",
        "False alarms",
        "plant.csv",
    ):
        assert said in page
    assert not re.search(r">\s*(nan|undefined)\s*<", page)
    names = {file.stem for file in (run[0] / "plots").glob("*.png")}
    assert names >= {"learning_curve", "model_and_baselines", "test_part"}


def test_without_labels_faults_are_made_and_the_report_says_so(tmp_path):
    file = trained_runs.write_csv(tmp_path / "plant.csv", labelled=False)
    printed = trained_runs.trained(tmp_path / "run", file)
    assert "no labels in the test part: faults are made into it" in printed
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["events"] > 2
    assert (
        "faults were made into test parts without labels"
        in (tmp_path / "run" / "report.html").read_text()
    )


def test_a_folder_of_series_is_judged_together_and_one_by_one(tmp_path):
    for seed, name in enumerate(("north", "south")):
        trained_runs.write_csv(tmp_path / "plants" / f"{name}.csv", seed=seed)
    trained_runs.trained(tmp_path / "run", tmp_path / "plants")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["events"] == 4
    page = (tmp_path / "run" / "report.html").read_text()
    assert "VUS-PR by series; this model is best in" in page
    assert "north" in page
    assert "south" in page


@pytest.mark.parametrize("kind", ["encoder_decoder", "autoencoder"])
def test_the_kinds_that_reconstruct_windows_are_evaluated_alike(tmp_path, kind):
    file = trained_runs.write_csv(tmp_path / "plant.csv")
    trained_runs.trained(tmp_path / "run", file, kind=kind)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"].keys() >= MEASURES
