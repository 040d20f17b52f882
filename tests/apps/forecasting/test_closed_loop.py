"""The autoregressive network in open and in closed loop, from one state."""

import numpy as np
import pytest
import tensorflow as tf

from apps.forecasting import closed_loop, data, model, scoring
from tests.apps.forecasting import small_run


@pytest.fixture(scope="module", params=[1, 2])
def trained(request):
    return small_run.trained(kind="autoregressive", linear=False, count=request.param)


@pytest.fixture(scope="module")
def window(trained):
    rows = [(0, 60, 0), (1, 70, 1), (2, 55, 0)]
    return data.examples(small_run.panel(), trained.layout, trained.config, rows)


def test_the_state_after_the_history_is_that_of_the_steps_one_by_one(trained, window):
    inputs, _, found = window
    whole, states = closed_loop.primed(trained.network, found, inputs[1])
    steps = inputs[0][:, : small_run.CONTEXT - 1]
    carried = [tf.zeros((3, each.shape[-1])) for each in trained.network.inputs[2:]]
    for at in range(steps.shape[1]):
        said, *carried = trained.network([steps[:, at : at + 1], inputs[1], *carried])
        np.testing.assert_allclose(said[:, 0], whole[:, at], rtol=1e-4, atol=1e-4)
    for one, other in zip(carried, states, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_the_first_step_in_closed_loop_is_the_first_in_open_loop(trained, window):
    """One step ahead there is nothing of its own to feed back: the paths spread as it said."""
    inputs, _, found = window
    config = small_run.config(kind="autoregressive", linear=False, path_count=2_000)
    told = closed_loop.forecast(trained.network, found, inputs[1], config)[:, 0, 1:]
    zeros = [tf.zeros((3, each.shape[-1])) for each in trained.network.inputs[2:]]
    said, *_ = trained.network([*inputs, *zeros])
    np.testing.assert_allclose(told, said[:, small_run.CONTEXT - 1, 1:], rtol=2e-2, atol=1e-2)


def test_later_steps_are_fed_what_the_path_drew_and_not_the_truth(trained, window):
    inputs, _, found = window
    closed = model.answer(trained.network, found, inputs[1], trained.config).numpy()
    open_ = scoring.open_loop(trained, small_run.panel(), [(0, 60)])
    assert closed.shape == (3, small_run.HORIZON, 8)
    assert (np.diff(closed[..., 1:], axis=-1) >= 0).all()
    middle = trained.config.forecast.levels.index(0.5)
    location, spread = found["location"][0], found["spread"][0]
    ours = location + spread * closed[0, :, 1 + middle]
    assert np.abs(ours[1:] - open_[0, 1:, 0]).max() > 1e-2


def test_members_say_the_mean_and_each_goes_on_with_its_own_state(window):
    inputs, _, found = window
    one, other, both = (
        small_run.trained(seed, kind="autoregressive", linear=False, count=count)
        for seed, count in ((0, 1), (1, 1), (0, 2))
    )
    told, states = closed_loop.primed(both.network, found, inputs[1])
    each = [closed_loop.primed(made.network, found, inputs[1]) for made in (one, other)]
    np.testing.assert_allclose(told, (each[0][0] + each[1][0]) / 2, rtol=1e-4, atol=1e-5)
    for state, wanted in zip(states, [*each[0][1], *each[1][1]], strict=True):
        np.testing.assert_allclose(state, wanted, rtol=1e-4, atol=1e-5)


def test_draws_fall_into_each_share_once_a_step():
    drawn = closed_loop.draws(40, 5)
    np.testing.assert_allclose(np.sort(drawn, axis=1), np.tile((np.arange(40) + 0.5) / 40, (5, 1)))
    assert (drawn[0] != drawn[1]).any()
