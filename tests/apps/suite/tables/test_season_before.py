"""What a forecaster reads of the season before is what NumPy would look up."""

import numpy as np
import pytest

from apps.anomaly_detection import forecaster
from apps.suite.tables import seasons

SEASON, HORIZON, SCORED = 5, 2, 2


def a_layer():
    return seasons.SeasonBefore(SEASON, HORIZON, SCORED)


def inputs(steps=12, rows=2):
    draw = np.random.default_rng(0)
    scaled = draw.normal(size=(rows, steps, 3)).astype(np.float32)
    observed = (draw.random(scaled.shape) < 0.8).astype(np.float32)
    return scaled, observed, np.zeros((rows, SEASON, 3 * SCORED), np.float32)


def test_it_is_the_value_one_season_before_the_predicted_step_where_that_was_observed():
    scaled, observed, before = inputs()
    values, known, _ = a_layer()([scaled, observed, before])
    assert values.shape == known.shape == (2, 12, HORIZON + 1, SCORED)
    for step in range(12):
        for ahead in range(HORIZON + 1):
            at = step + ahead - SEASON
            flags = observed[:, at, :SCORED] if at >= 0 else 0 * observed[:, 0, :SCORED]
            np.testing.assert_array_equal(known[:, step, ahead], flags)
            wanted = flags * scaled[:, max(at, 0), :SCORED]
            np.testing.assert_array_equal(values[:, step, ahead], wanted)


@pytest.mark.parametrize("chunks", [(1,) * 12, (3, 9), (0, 11, 1)])
def test_chunks_with_the_state_between_them_give_what_the_whole_gives(chunks):
    scaled, observed, state = inputs()
    whole = a_layer()([scaled, observed, state])
    parts, start = [], 0
    for steps in chunks:
        part = slice(start, start + steps)
        values, known, state = a_layer()([scaled[:, part], observed[:, part], state])
        parts.append((values, known))
        start += steps
    for found, wanted in zip(zip(*parts, strict=True), whole[:2], strict=True):
        np.testing.assert_array_equal(np.concatenate(found, axis=1), wanted)
    np.testing.assert_array_equal(state, whole[2])


def test_what_was_far_off_is_not_gone_by_a_season_later():
    scaled, observed, before = inputs()
    scaled[:] = 0
    observed[:] = 1
    scaled[0, 6, 0] = 3.0  # off, and off it makes the usual step one season after it
    layer = a_layer()
    layer.build([scaled.shape, observed.shape, before.shape])
    layer.fit(np.array([1.0, 9.0], np.float32))
    values, known, _ = layer([scaled, observed, before])
    echo = 6 + SEASON
    assert not np.asarray(values).any()
    places = np.argwhere(np.asarray(known) == 0)
    late = {tuple(place) for place in places.tolist() if place[1] + place[2] >= SEASON}
    assert late == {(0, echo - ahead, ahead, 0) for ahead in range(HORIZON + 1)}


def test_a_season_below_the_horizon_is_refused():
    with pytest.raises(ValueError, match="below"):
        seasons.SeasonBefore(2, 3, 1)


def test_a_new_outlook_repeats_the_season_and_can_repeat_its_change():
    scaled, observed, before = inputs()
    observed[:] = 1
    values, known, _ = a_layer()([scaled, observed, before])
    outlook = forecaster.Outlook(HORIZON, SCORED)
    given = [np.zeros((2, 12, 4), np.float32), scaled, values, known]
    now = np.repeat(scaled[:, :, None, :SCORED], HORIZON, axis=2)
    ago, later = np.asarray(values)[:, :, :1], np.asarray(values)[:, :, 1:]
    known_later = np.asarray(known)[:, :, 1:] > 0
    untrained = outlook(given)
    np.testing.assert_allclose(untrained, np.where(known_later, later, now), atol=1e-6)
    outlook.returned.assign(-np.ones((HORIZON, SCORED)))
    step = slice(SEASON, None)
    wanted = (now + later - ago)[:, step]
    np.testing.assert_allclose(outlook(given)[:, step], wanted, atol=1e-6)
