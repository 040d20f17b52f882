"""The training learns, and leaves what the next commands need."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from apps.speech_commands import config as configs
from apps.speech_commands import train, trained_model
from apps.suite import errors
from apps.suite.runs import run_folder
from apps.suite.sounds import feature_cache
from tests.apps.speech_commands import small_set

pytestmark = pytest.mark.slow
COUNTS = {"train": 45, "validation": 12, "test": 12}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    file = small_set.write_csv(tmp_path_factory.mktemp("data"), COUNTS)
    return dataclasses.replace(
        configs.PRESETS["tiny"],
        data=str(file),
        audio=small_set.AUDIO,
        training=configs.TrainingConfig(batch_size=8, steps=60, steps_per_checkpoint=20),
    )


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train.train(settings, folder)
    return folder


def test_it_learns_what_is_easy(run):
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [20, 40, 60]
    assert float(rows[-1]["validation_accuracy"]) > 0.9
    assert float(rows[-1]["validation_loss"]) < float(rows[0]["validation_loss"])
    assert json.loads((run / "metrics.json").read_text())["test"]["accuracy"] > 0.8


def test_the_run_holds_model_label_names_statistics_and_thresholds(run, settings):
    trained = trained_model.load(run)
    assert trained.label_names == small_set.LABELS
    assert trained.config == settings
    assert trained.thresholds.keys() == set(small_set.LABELS)
    corpus = json.loads((run / "config.json").read_text())["data"]
    assert {"name", "fingerprint", "licence", "source", "label_names"} == corpus.keys()
    normalisation = trained.model.get_layer("normalisation")
    learned = _features(settings)
    mean, variance = feature_cache.statistics(learned)
    np.testing.assert_allclose(np.ravel(normalisation.mean), mean, rtol=1e-5)
    np.testing.assert_allclose(np.ravel(normalisation.variance), variance, rtol=1e-5)


def _features(settings):
    from apps.speech_commands import data

    corpus = data.load(settings)
    return feature_cache.extracted(
        corpus.train,
        corpus.label_names,
        settings,
        fingerprint=corpus.fingerprint,
        title="training",
        copies=settings.augmentation.copies,
        noise=corpus.noise,
    )


def test_a_model_of_other_labels_is_one_line(run):
    opened = run_folder.open_trained(run, train.TASK, configs.Config)
    opened._record["data"]["label_names"] = ["high", "low"]
    with pytest.raises(errors.UserError, match=r"knows 3 labels, .*config\.json names 2"):
        trained_model.read(opened)
