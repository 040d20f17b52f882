"""One step after the other, many at once, alone or side by side: the scores are the same."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.anomaly_detection import detector, scoring
from tests.apps.anomaly_detection import small_model

every_kind = pytest.mark.parametrize("kind", small_model.KINDS)
SETTINGS = {"score": {"smoothing_steps": 3.0}, "events": {"merge_steps": 1, "cool_down_steps": 6}}


def made(kind, **settings):
    return small_model.trained(**small_model.KINDS[kind], **{**SETTINGS, **settings})


def whole(trained, one):
    found = trained.detector.whole(tf.constant(one.values[None]), tf.constant(one.observed[None]))
    return scoring.Scored(*(each.numpy()[0] for each in found))


def assert_close(found, wanted):
    for got, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@every_kind
@pytest.mark.parametrize("steps", [1, 7])
def test_a_stream_gives_the_scores_of_the_whole_series(kind, steps):
    trained, one = made(kind), small_model.a_series()
    states, parts = trained.detector.initial_states(1), []
    for start in range(0, len(one), steps):
        part = slice(start, start + steps)
        found, states = trained.detector.advance(
            tf.constant(one.values[None, part]), tf.constant(one.observed[None, part]), states
        )
        parts.append(found)
    parts.append(trained.detector.remaining(states))
    joined = [np.concatenate(each, axis=1)[0] for each in zip(*parts, strict=True)]
    behind = trained.detector.steps_behind
    assert_close([each[behind:] for each in joined], whole(trained, one))
    assert not joined[3][:behind].any()  # nothing is known of the steps before the first


@every_kind
def test_series_of_all_lengths_side_by_side_are_scored_as_if_alone(kind):
    trained = made(kind)
    many = [small_model.a_series(steps, seed=steps) for steps in (60, 25, 97, 3, 60, 1)]
    for one, found in zip(many, scoring.score_all(trained, many), strict=True):
        assert_close(found, whole(trained, one))


@every_kind
def test_the_chunks_of_a_long_series_are_of_no_matter(kind, monkeypatch):
    trained, one = made(kind), small_model.a_series(100)
    monkeypatch.setattr(scoring, "_STEPS_A_CALL", 16)
    assert_close(scoring.score(trained, one), whole(trained, one))
    blocks = list(scoring.blocks(trained, one))
    assert len(blocks) > 5
    assert_close([np.concatenate(each) for each in zip(*blocks, strict=True)], whole(trained, one))


@pytest.mark.parametrize("kind", [kind for kind in small_model.KINDS if "season" not in kind])
@pytest.mark.parametrize("aggregation", ["root_mean_square", "maximum"])
def test_contributions_add_up_to_the_score_and_follow_the_residuals(kind, aggregation):
    trained = made(kind, score={"aggregation": aggregation, "smoothing_steps": 1.0})
    one = small_model.a_series()
    found = scoring.score(trained, one)
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.scores, rtol=1e-5)
    assert (found.contributions[:, small_model.SCORED :] == 0).all()
    normaliser = trained.normaliser
    usual = np.abs(found.residuals[:, :2] - normaliser.location) / normaliser.scale
    usual[~(one.observed[:, :2] & found.valid[:, None])] = 0
    if aggregation == "maximum":
        wanted = usual.max(axis=1)
    else:
        count = np.maximum(one.observed[:, :2].sum(axis=1), 1)
        wanted = np.sqrt((usual**2).sum(axis=1) / count)
    np.testing.assert_allclose(found.scores, wanted, rtol=1e-5)
    share = usual**2 / np.maximum((usual**2).sum(axis=1, keepdims=True), 1e-30)
    np.testing.assert_allclose(found.contributions[:, :2], wanted[:, None] * share, atol=1e-5)


@every_kind
def test_a_step_without_any_value_has_no_score_and_is_not_valid(kind):
    trained, one = made(kind), small_model.a_series()
    one.observed[40:45] = False
    found = scoring.score(trained, one)
    assert not found.valid[40:45].any()
    assert (found.scores[40:45] == 0).all()
    assert (found.residuals[40:45] == 0).all()
    assert found.valid[35:40].all()


@every_kind
def test_nothing_of_the_future_is_in_a_forecaster_s_score_nor_beyond_a_window_in_others(kind):
    trained, one = made(kind), small_model.a_series()
    before = scoring.score(trained, one).scores
    one.values[50:] += 7
    after = scoring.score(trained, one).scores
    known = 50 - trained.detector.steps_behind
    np.testing.assert_allclose(after[:known], before[:known], rtol=1e-5, atol=1e-6)
    assert np.abs(after[known:50] - before[known:50]).max(initial=0) > 0 or known == 50
    assert np.abs(after[50:] - before[50:]).max() > 0.1


@pytest.mark.parametrize("aggregation", ["root_mean_square", "maximum"])
def test_columns_that_are_only_read_move_scores_through_the_network_alone(aggregation):
    trained = made("forecaster", score={"aggregation": aggregation})
    one = small_model.a_series(missing=0.0)
    before = scoring.score(trained, one)
    one.values[59, 2] += 1000  # at the last step nobody predicts with it any more
    np.testing.assert_array_equal(scoring.score(trained, one).scores, before.scores)
    one.values[30, 2] += 1000
    assert np.abs(scoring.score(trained, one).scores - before.scores).max() > 1e-3


def test_a_row_of_states_is_zeros_at_the_start():
    for kind in small_model.KINDS:
        for state in made(kind).detector.initial_states(2).values():
            assert state.shape[0] == 2
            assert not state.numpy().any()


def test_graph_and_eager_are_the_same():
    trained, one = made("forecaster"), small_model.a_series()
    given = one.values[None], one.observed[None], trained.detector.initial_states(1)
    found, states = trained.detector.compiled(*map(tf.constant, given[:2]), given[2])
    wanted, expected = trained.detector.advance(*map(tf.constant, given[:2]), given[2])
    assert_close(found, wanted)
    for name, state in states.items():
        np.testing.assert_allclose(state, expected[name], atol=1e-5)


def test_other_weights_give_other_scores_without_a_new_trace():
    trained, one = made("forecaster"), small_model.a_series()
    before = scoring.score(trained, one).scores
    for weight in trained.network.trainable_weights:
        weight.assign(weight * 0.5)
    after = scoring.score(trained, one).scores
    assert np.abs(after - before).max() > 0.01
    again = detector.Detector(trained.network, trained.config, trained.normaliser, 0.0)
    fresh = dataclasses.replace(trained)
    np.testing.assert_allclose(scoring.score(fresh, one).scores, after, rtol=1e-6)
    assert again.steps_behind == 0


@pytest.mark.slow
def test_two_hundred_thousand_rows_a_second_are_scored_on_one_core():
    import time

    from apps.anomaly_detection import config as configs
    from apps.anomaly_detection import score_stream, thresholds, trained_model

    config = configs.PRESETS["default"]
    network = small_model.model.build_network(config, 1, 1)
    ones = np.ones(1, np.float32)
    trained = trained_model.TrainedModel(
        network,
        config,
        score_stream.Normaliser(0 * ones, ones),
        thresholds.Threshold(1.0, "quantile", 1.0),
        ("value",),
        1,
        1.0,
    )
    one = small_model.a_series(4096, missing=0.0)
    one = dataclasses.replace(one, values=one.values[:, :1], observed=one.observed[:, :1])
    many = [one] * 64
    scoring.score_all(trained, many)
    rates = []
    for _ in range(3):
        began = time.process_time()  # of all threads: what one core would take
        scoring.score_all(trained, many)
        rates.append(64 * 4096 / (time.process_time() - began))
    assert max(rates) > 200_000
