"""A folder of series is learned by one model in common, or by one for each series."""

import dataclasses
import json

import numpy as np
import pytest

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import export, own_models, predict, scoring, train, trained_model
from apps.suite import errors
from tests.apps.anomaly_detection import made_series, own_files, trained_runs

pytestmark = pytest.mark.slow
COUNT = 400


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run by a model for each of two series, which move at other paces."""
    folder = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    for name, pace in (("slow", 20.0), ("quick", 3.0)):
        values = np.sin(np.arange(COUNT) / pace) + 0.05 * random.normal(size=COUNT)
        labels = np.zeros(COUNT, int)
        labels[350:355] = 1
        values[350:355] += 4
        text = own_files.rows("time,p,label", own_files.times(COUNT, 60), values.round(4), labels)
        own_files.written(folder / "plant", text, f"{name}.csv")
    made = trained_runs.config(folder / "plant")
    made = dataclasses.replace(made, model=dataclasses.replace(made.model, networks="each"))
    train.train(made, folder / "run")
    return folder / "run"


def test_each_series_is_scored_by_its_own_model_at_the_threshold_of_the_run(run):
    trained = trained_model.load(run)
    assert set(trained.own) == {"slow", "quick"}
    for found in predict.predict(predict.Options(run=run)):
        own = trained.own[found.one.name]
        assert own.config.data_format.series == found.one.name
        scores = scoring.score(own, found.one).scores
        share = scores / own.threshold.value
        np.testing.assert_allclose(found.scores / found.threshold, share, rtol=1e-4, atol=1e-5)
    blocks = np.concatenate([each.scores for each in scoring.blocks(trained, found.one)])
    np.testing.assert_allclose(blocks, found.scores, rtol=1e-4, atol=1e-5)


def test_a_series_of_no_training_is_scored_by_the_model_in_common(run):
    trained = trained_model.load(run)
    new = made_series.one(columns=1, name="new", seed=3)
    common = dataclasses.replace(trained, choice=None)
    np.testing.assert_array_equal(
        scoring.score(trained, new).scores, scoring.score(common, new).scores
    )


def test_both_are_measured_and_shown_and_the_choice_is_said(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert own_models.COMMON in metrics["baselines"]
    assert own_models.EACH not in metrics["baselines"]
    assert own_models.COMMON in (run / "report.html").read_text()


def test_the_smaller_loss_on_the_validation_parts_decides(run):
    """Trains nothing twice."""
    trained = trained_model.load(run)
    model = dataclasses.replace(trained.config.model, networks="auto")
    config = dataclasses.replace(trained.config, model=model)
    collection = made_series.collection(
        *(made_series.one(columns=1, name=name) for name in trained.choice.folders)
    )

    def again(config, folder):
        raise AssertionError(f"{folder} is finished")

    for loss, chosen in ((1e9, "each"), (0.0, "common")):
        common = dict.fromkeys(trained.choice.folders, loss)
        found = own_models.train(again, config, run, collection, common)
        assert (found.chosen, found.folders) == (chosen, trained.choice.folders)
        assert found.each_loss == pytest.approx(trained.choice.each_loss)
        assert f"{loss:.4g}" in own_models.told(found)


def test_an_export_of_several_models_is_refused_with_the_folder_of_one(run, tmp_path):
    with pytest.raises(errors.UserError, match=r"--run .*series/000"):
        export.export(run, tmp_path)
    assert not trained_model.load(run / "series" / "000").own


def test_networks_of_series_need_a_scale_of_series():
    with pytest.raises(ValueError, match="need scale by_series"):
        configs.ModelConfig(networks="auto", scale="common")
