"""A run is taken up as it was left, and a damaged one is a line that says what to do."""

import json

import numpy as np
import pytest

from apps.anomaly_detection import scoring, trained_model
from apps.suite import errors
from tests.apps.anomaly_detection import small_model, small_run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def run(tmp_path):
    small_run.write(tmp_path / "run", small_model.trained())
    return tmp_path / "run"


@pytest.mark.parametrize("kind", small_model.KINDS)
def test_it_is_the_detector_that_was_written(kind, tmp_path):
    trained = small_model.trained(**small_model.KINDS[kind])
    small_run.write(tmp_path / "run", trained)
    loaded = trained_model.load(tmp_path / "run")
    assert loaded.threshold == trained.threshold
    assert loaded.config == trained.config
    assert loaded.feature_names == small_model.NAMES
    assert (loaded.scored_count, loaded.step_seconds) == (small_model.SCORED, 60.0)
    one = small_model.a_series()
    found, wanted = (scoring.score(each, one) for each in (loaded, trained))
    for got, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_network_that_is_cut_short_is_a_line(run):
    file = run / "model.keras"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(errors.UserError, match=r"model\.keras: cannot be read"):
        trained_model.load(run)


def test_a_missing_or_damaged_detector_is_a_line(run):
    file = run / "detector.json"
    whole = json.loads(file.read_text())
    for damaged in ("{", json.dumps({"threshold": {}}), json.dumps({**whole, "scored_count": "x"})):
        file.write_text(damaged)
        with pytest.raises(errors.UserError, match=r"detector\.json"):
            trained_model.load(run)
    file.unlink()
    with pytest.raises(errors.UserError, match=r"detector\.json is missing"):
        trained_model.load(run)


def test_a_detector_of_other_columns_than_its_network_s_is_a_line(run):
    file = run / "detector.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps({**whole, "feature_names": ["a", "b"]}))
    with pytest.raises(errors.UserError, match="reads 3 columns"):
        trained_model.load(run)


def test_a_run_of_before_the_season_counted_answers_as_it_did(tmp_path):
    trained = small_model.trained(layer_count=1, season_steps=8)
    run = tmp_path / "run"
    small_run.write(run, trained)
    for name, group, fields in (
        ("config.json", ("config", "score"), ("season_share", "level_steps")),
        ("detector.json", ("normaliser",), ("alone", "level")),
    ):
        kept = json.loads((run / name).read_text())
        inner = kept
        for key in group:
            inner = inner[key]
        for field in fields:
            del inner[field]
        (run / name).write_text(json.dumps(kept))
    loaded = trained_model.load(run)
    one = small_model.a_series()
    found = scoring.score(loaded, one)
    assert found.season_errors.shape == (len(one), 0)
    usual = np.abs(found.residuals[:, :2] - [0.1, -0.2]) / [0.8, 1.5]
    assert "score_level" not in loaded.detector.initial_states(1)
    np.testing.assert_allclose(found.scores, scoring.score(trained, one).scores, atol=1e-6)
    assert found.scores.max() <= usual.max()


def test_a_normaliser_without_the_season_that_the_config_asks_for_is_a_line(tmp_path):
    run = tmp_path / "run"
    small_run.write(run, small_model.trained(**small_model.KINDS["forecaster and season"]))
    file = run / "detector.json"
    kept = json.loads(file.read_text())
    kept["normaliser"] |= {"location": [0.0, 0.0], "scale": [1.0, 1.0]}
    file.write_text(json.dumps(kept))
    with pytest.raises(errors.UserError, match="train the model again"):
        trained_model.load(run)
