"""An evaluation is complete, says who is better, and refuses what it cannot judge."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

from apps.recommendation import config as configs
from apps.recommendation import data, evaluate, model, ranking, trained_model
from apps.suite import errors
from apps.suite.runs import run_folder
from tests.apps import evaluations
from tests.apps.recommendation import logs

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def trained_run(folder, exclude_seen=False):
    """A run folder as a training leaves it, with a model that has learned nothing."""
    folder.mkdir(exist_ok=True)
    rows = [(user, item.replace("item 3", "<b>3</b>"), time) for user, item, time in logs.drawn()]
    file = logs.write_csv(folder / "log.csv", rows)
    config = dataclasses.replace(
        configs.PRESETS["tiny"],
        data=str(file),
        evaluation=configs.EvaluationConfig(exclude_seen=exclude_seen, validation_queries=100),
    )
    keras.utils.set_random_seed(0)
    dataset = data.load(config)
    noted = {"name": dataset.name, "fingerprint": dataset.fingerprint}
    with run_folder.start(folder / "run", "recommendation", config, noted) as run:
        items = trained_model.Items(dataset.item_names, dataset.titles, dataset.item_counts)
        trained_model.write_items(run.path, items)
        model.build(config, len(dataset.item_names)).save(run.model_file)
        run.history_file.write_text(
            "step,loss,validation_ndcg_at_10\n5,3.0,0.1\n10,2.9,0.2\n", encoding="utf-8"
        )
        run.finish_training(12.3)
    return run


quietly = functools.partial(evaluations.quietly, evaluate.evaluate)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    run = trained_run(tmp_path_factory.mktemp("evaluated"))
    return run, *quietly(run)


def test_every_ranker_has_its_measures(evaluated):
    _, metrics, _ = evaluated
    assert metrics["data"]["counts"]["test_cold_users"] >= 0
    primary = metrics["primary"]
    assert (primary["name"], primary["higher_is_better"]) == ("ndcg_at_10", True)
    assert {"popularity", "recent popularity", "markov", "session knn"} <= set(metrics["baselines"])
    for scores in (metrics["test"], *metrics["baselines"].values()):
        for cutoff in (5, 10, 20):
            assert {f"{name}_at_{cutoff}" for name in ("recall", "mrr", "ndcg")} <= set(scores)
        assert {"coverage_at_10", "popularity_at_10"} <= set(scores)


def test_the_numbers_are_those_of_all_test_queries(evaluated):
    run, metrics, _ = evaluated
    trained, dataset = trained_model.read(run), data.load(run.config)
    found = ranking.ranked(trained.scorer, dataset.test, len(dataset.item_names))
    test = metrics["test"]
    for name, value in ranking.measures_of_ranks(found.ranks).items():
        assert test[name] == pytest.approx(value)
    known = dataset.test.targets > 0
    expected = ranking.measures_of_ranks(found.ranks[known])["ndcg_at_10"]
    assert test["ndcg_at_10_known_items"] == pytest.approx(expected)
    assert test["right_items"] == len(dataset.test.targets)


def test_the_other_way_of_seen_items_stands_beside(evaluated, tmp_path):
    _, metrics, _ = evaluated
    other = trained_run(tmp_path / "other", exclude_seen=True)
    excluded = quietly(other)[0]
    assert excluded["test"]["ndcg_at_10"] == metrics["test"]["ndcg_at_10_seen_excluded"]
    assert excluded["test"]["ndcg_at_10_seen_included"] == metrics["test"]["ndcg_at_10"]


def test_the_report_shows_what_was_found_and_escapes_the_names(evaluated):
    run, metrics, _ = evaluated
    page = run.report_file.read_text()
    for said in (
        "Successes and failures",
        "The next item was ranked far down",
        "What the validation part has chosen",
        "By the length of the history",
        "By the popularity of the right item",
        "New in the test part",
        f"{metrics['primary']['model']:#.4g} against",
        "&lt;b&gt;3&lt;/b&gt;",
    ):
        assert said in page
    assert "<b>" not in page
    names = {"learning_curve", "model_and_baselines", "ndcg_by_length", "ndcg_by_popularity"}
    assert {file.stem for file in run.plots.glob("*.png")} >= names


def test_a_damaged_list_of_items_is_one_line(tmp_path):
    run = trained_run(tmp_path)
    for text, said in (("{", "items.json"), ('{"names": ["a"]}', "is damaged")):
        (run.path / trained_model.ITEMS_FILE).write_text(text)
        with pytest.raises(errors.UserError, match=said):
            evaluate.evaluate(run.path)
    short = trained_model.Items(("a",), None, np.array([3]))
    trained_model.write_items(run.path, short)
    with pytest.raises(errors.UserError, match=r"knows 40 items, .*items\.json names 1"):
        evaluate.evaluate(run.path)
