import types

import numpy as np
import pytest

from apps.sequence_regression import baselines, data, report, scoring, targets
from apps.suite.evaluation import evaluation, regression
from apps.suite.sequences import ragged
from tests.apps.sequence_regression import small_run


@pytest.mark.parametrize(
    ("errors", "score"),
    [([0.0], 0.0), ([10.0], np.e - 1), ([-13.0], np.e - 1), ([10.0, -13.0], 2 * np.e - 2)],
)
def test_nasa_s_score_is_that_of_its_equation(errors, score):
    assert scoring.nasa_score(np.array(errors)) == pytest.approx(score)


def test_a_late_answer_costs_more_than_an_early_one():
    assert scoring.nasa_score(np.array([30.0])) > 1.5 * scoring.nasa_score(np.array([-30.0]))


def test_the_capped_and_the_true_life_stand_side_by_side():
    config = small_run.config({"remaining": True, "cap": 50.0}, layer="lstm")
    truths = np.array([[40.0], [90.0]])
    value = np.array([[40.0], [50.0]])
    found = scoring.measures(config, regression.Answers(value, value - 1, value + 1), truths)
    assert found["rmse"] == 0
    assert found["rmse_of_true_life"] == pytest.approx(np.sqrt(1600 / 2))
    assert found["nasa_score_of_true_life"] == pytest.approx(np.exp(40 / 13) - 1)
    assert (found["coverage"], found["interval_width"]) == (1, 2)
    stages = scoring.by_stage(regression.Answers(value, value, value), truths)
    assert {name: each["cases"] for name, each in stages.items()} == {
        "25 to 75": 1,
        "75 and more": 1,
    }


@pytest.mark.parametrize("method", ["conformal", "quantiles"])
def test_offsets_make_validation_intervals_cover_what_was_asked_for(method):
    import dataclasses

    from apps.sequence_regression import config as configs

    draw = np.random.default_rng(0)
    outputs = np.zeros((200, 2, 4), np.float32)
    outputs[..., 1], outputs[..., 3] = -0.1, 0.1
    truths = draw.normal(size=(200, 2)) * [1.0, 5.0]
    config = dataclasses.replace(
        small_run.config(), intervals=configs.IntervalConfig(coverage=0.8, method=method)
    )
    empty = ragged.of_arrays([np.zeros((1, 2))] * 200, [str(n) for n in range(200)], ("a", "b"))
    offsets = scoring.offsets(config, outputs, targets.Part(empty, truths, np.arange(200)))
    if method == "quantiles":
        assert offsets == (0, 0)
        return
    for offset, column in zip(offsets, truths.T, strict=True):
        assert (np.abs(column) <= 0.1 + offset + 1e-6).mean() == pytest.approx(0.8, abs=0.011)


def part_of(arrays, truths):
    names = [f"u{at}" for at in range(len(arrays))]
    sequences = ragged.of_arrays(arrays, names, small_run.CHANNELS)
    return targets.Part(sequences, np.asarray(truths, float), np.arange(len(arrays)))


def corpus_of(train, test, names):
    return data.Corpus(
        name="made", source="made", licence="none", fingerprint="0", split="made",
        target_names=names, train=train, validation=test, test=test,
    )  # fmt: skip


def wandering(count, seed):
    return [small_run.a_sequence(20 + at % 7, seed + at, missing=0) for at in range(count)]


def test_baselines_learn_what_a_mean_can_tell():
    train, test = wandering(150, 0), wandering(50, 1_000)
    target = [[array[:, 0].mean() + array[-1, 1]] for array in train]
    truths = np.array([[array[:, 0].mean() + array[-1, 1]] for array in test])
    corpus = corpus_of(part_of(train, target), part_of(test, truths), ("sum",))
    found = baselines.predictions(corpus, small_run.config(), corpus.test)
    rmse = {name: regression.errors_of(each, truths)["rmse"] for name, each in found.items()}
    assert rmse["ridge"] < 0.2 * rmse["mean"]
    assert rmse["gradient boosting"] < 0.6 * rmse["mean"]


def test_baselines_of_steps_and_of_remaining_life_answer_each_case():
    train, test = wandering(20, 0), wandering(5, 1_000)
    of_steps = [np.concatenate(each)[:, :1] for each in (train, test)]
    corpus = corpus_of(part_of(train, of_steps[0]), part_of(test, of_steps[1]), ("flow",))
    by_step = baselines.predictions(corpus, small_run.config({"per": "step"}), corpus.test)
    assert regression.errors_of(by_step["ridge"], of_steps[1])["r2"] > 0.4
    lives = np.concatenate([np.arange(len(each))[::-1] for each in train])[:, None]
    fleet = corpus_of(part_of(train, lives), part_of(test, np.zeros((5, 1))), ("remaining",))
    config = small_run.config({"remaining": True, "cap": 6.0}, layer="lstm")
    answered = baselines.predictions(fleet, config, fleet.test)
    assert all(each.shape == (5, 1) for each in answered.values())
    assert all((each >= 0).all() and (each <= 6).all() for each in answered.values())


def test_baselines_of_texts_read_their_words():
    texts = [f"a {'good' if at % 2 else 'bad'} film number {at}" for at in range(60)]
    rows = ragged.words_of(texts, np.ones(60))
    sequences = ragged.Sequences(
        names=tuple(map(str, range(60))),
        channel_names=(),
        values=np.zeros((60, 0), np.float32),
        starts=np.arange(61),
        words={"text": rows},
    )
    part = targets.Part(sequences, np.arange(60)[:, None] % 2.0, np.arange(60))
    corpus = corpus_of(part, part, ("value",))
    found = baselines.predictions(corpus, small_run.config(), part)
    assert regression.errors_of(found["TF-IDF with ridge"], part.targets)["r2"] > 0.8


def test_a_channel_that_the_model_does_not_read_is_not_important():
    trained = small_run.trained()
    layer = trained.model.get_layer("recurrent_0")
    kernel = layer.trainable_weights[0]
    weights = kernel.numpy()
    weights[1] = weights[3] = 0  # heat, and whether it is there
    kernel.assign(weights)
    test = wandering(12, 0)
    part = part_of(test, [[array[:, 0].mean()] for array in test])
    corpus = corpus_of(part, part, ("wear",))
    folder = types.SimpleNamespace(config=trained.config, data={"fingerprint": "0"})
    run = evaluation.Run(folder, trained, corpus)
    rows = report.importance(run).rows
    by_name = {name: float(difference) for name, _, difference in rows}
    assert by_name["heat"] == 0
    assert by_name["flow"] != 0
