"""The training learns, ends the same though killed, and leaves what the next commands need."""

import csv
import dataclasses
import json
import multiprocessing
import signal

import keras
import numpy as np
import pytest

from apps.recommendation import config as configs
from apps.recommendation import data, train, trained_model
from tests.apps import small_training
from tests.apps.recommendation import logs

pytestmark = pytest.mark.slow
USERS, ITEMS, DAY_SECONDS = 40, 12, 86_400
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tensorflow", "keras", "apps.suite.training.fit"])


def walks():
    """Each user goes round the items from a place of their own: the last item tells the next."""
    return [
        (f"user {user}", f"item {(user + day) % ITEMS}", day * DAY_SECONDS)
        for user in range(USERS)
        for day in range(30)
    ]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    file = logs.write_csv(tmp_path_factory.mktemp("data") / "walks.csv", walks())
    return dataclasses.replace(
        configs.PRESETS["tiny"],
        data=str(file),
        model=configs.ModelConfig(units=16, embedding_units=16, dropout=0.1, item_dropout=0.05),
        training=configs.TrainingConfig(
            batch_size=16, steps=60, steps_per_checkpoint=20, learning_rate=0.02
        ),
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
    assert float(rows[-1]["validation_ndcg_at_10"]) > 0.95
    test = json.loads((run / "metrics.json").read_text())["test"]
    assert test["mrr_at_5"] > 0.9


def test_the_run_holds_model_items_and_where_the_data_came_from(run, settings):
    trained = trained_model.load(run)
    dataset = data.load(settings)
    assert trained.item_names == dataset.item_names
    assert trained.titles is None
    np.testing.assert_array_equal(trained.item_counts, dataset.item_counts)
    assert trained.config == settings
    noted = json.loads((run / "config.json").read_text())["data"]
    assert {"name", "fingerprint", "licence", "source"} == noted.keys()


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


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr_max", "top1_max"])
def test_sampled_losses_learn_it_too_session_by_session(settings, loss, tmp_path):
    changed = dataclasses.replace(
        settings,
        training=dataclasses.replace(
            settings.training, loss=loss, negatives=32, batches="session_parallel", window_items=5
        ),
    )
    assert _ends(changed, tmp_path / "run") == 0
    test = json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]
    assert test["ndcg_at_10"] > 0.6
