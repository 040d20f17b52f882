"""The training learns, and leaves what the next commands need."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from apps.recommendation import config as configs
from apps.recommendation import data, joining, train, trained_model
from apps.suite.runs import run_folder
from tests.apps.recommendation import logs

pytestmark = pytest.mark.slow
USERS, ITEMS, DAY_SECONDS = 40, 12, 86_400


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
        model=configs.ModelConfig(
            units=16, embedding_units=16, dropout=0.1, item_dropout=0.05, transitions=4
        ),
        training=configs.TrainingConfig(
            batch_size=16, steps=60, steps_per_checkpoint=20, learning_rate=0.02
        ),
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
    assert float(rows[-1]["validation_ndcg_at_10"]) > 0.95
    metrics = json.loads((run / "metrics.json").read_text())
    for scores in (metrics["test"], metrics["baselines"]["network alone"]):
        assert scores["mrr_at_5"] > 0.9


def test_the_counts_are_joined_once_and_stand_beside_their_network(run, settings):
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"network alone", "transitions alone"} <= set(metrics["baselines"])
    before = trained_model.load(run).model
    counts = before.get_layer("transitions").weights[0].numpy()
    folder = run_folder.open_trained(run, train.TASK, configs.Config)
    assert joining.join(folder, data.load(settings)).startswith("transitions: NDCG@10 ")
    after = trained_model.load(run).model
    assert [layer.name for layer in after.layers] == [layer.name for layer in before.layers]
    np.testing.assert_array_equal(after.get_layer("transitions").weights[0].numpy(), counts)


def test_the_run_holds_model_items_and_where_the_data_came_from(run, settings):
    trained = trained_model.load(run)
    dataset = data.load(settings)
    assert trained.item_names == dataset.item_names
    assert trained.titles is None
    np.testing.assert_array_equal(trained.item_counts, dataset.item_counts)
    assert trained.config == settings
    noted = json.loads((run / "config.json").read_text())["data"]
    assert {"name", "fingerprint", "licence", "source"} == noted.keys()


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr_max", "top1_max"])
def test_sampled_losses_learn_it_too_session_by_session(settings, loss, tmp_path):
    changed = dataclasses.replace(
        settings,
        training=dataclasses.replace(
            settings.training, loss=loss, negatives=32, batches="session_parallel", window_items=5
        ),
    )
    train.train(changed, tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["baselines"]["network alone"]["ndcg_at_10"] > 0.6
