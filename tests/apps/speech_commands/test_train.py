"""The training ends the same though killed, and leaves what the next commands need."""

import csv
import dataclasses
import json
import multiprocessing
import signal

import keras
import numpy as np
import pytest

from apps.speech_commands import batches, train, trained_model
from apps.speech_commands import config as configs
from apps.suite import errors
from apps.suite.runs import run_folder
from apps.suite.sounds import feature_cache
from tests.apps import small_training
from tests.apps.speech_commands import small_set

pytestmark = pytest.mark.slow
COUNTS = {"train": 45, "validation": 12, "test": 12}
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tensorflow", "keras", "apps.suite.training.fit"])


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
    assert _ends(settings, folder) == 0
    return folder


def _ends(settings, folder, *before):
    """Exit status of a training in a process of its own."""
    child = _CONTEXT.Process(target=_child, args=(settings, folder, *before))
    child.start()
    child.join(300)
    return child.exitcode


def _child(settings, folder, before=None, *arguments):
    if before is not None:
        before(*arguments)
    train.train(settings, folder)


def weights(folder):
    return keras.models.load_model(folder / "model.keras", compile=False).get_weights()


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
    mean, variance = batches.statistics(learned)
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


def test_killed_and_resumed_it_ends_with_the_same_weights(run, settings, tmp_path):
    folder = tmp_path / "killed"
    # About as many accesses as come before the second checkpoint is whole
    killed = _ends(settings, folder, small_training.kill_at_access, folder, 40)
    assert killed == -signal.SIGKILL
    assert not (folder / "metrics.json").exists()
    kept = len(list((folder / "checkpoints").glob("[0-9]*.checkpoint")))
    assert kept
    assert _ends(settings, folder) == 0
    for weight, expected in zip(weights(folder), weights(run), strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert (folder / "history.csv").read_text() == (run / "history.csv").read_text()


def test_a_damaged_model_is_one_line(run, tmp_path):
    opened = run_folder.open_trained(run, train.TASK, configs.Config)
    opened.model_file = tmp_path / "model.keras"
    opened.model_file.write_bytes(b"no model")
    with pytest.raises(errors.UserError, match=r"model\.keras: cannot be read \(\w+\); train"):
        trained_model.read(opened)


def test_a_model_of_other_labels_is_one_line(run):
    opened = run_folder.open_trained(run, train.TASK, configs.Config)
    opened._record["data"]["label_names"] = ["high", "low"]
    with pytest.raises(errors.UserError, match=r"knows 3 labels, .*config\.json names 2"):
        trained_model.read(opened)
