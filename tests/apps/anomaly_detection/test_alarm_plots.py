import dataclasses

import numpy as np
import pytest

from apps.anomaly_detection import alarm_examples
from apps.suite.tables import series

STEPS = 500


def shown(dated=True, labels=True, threshold=3.0):
    random = np.random.default_rng(0)
    flags = np.zeros(STEPS, bool)
    flags[200:220] = True
    observed = random.random((STEPS, 2)) > 0.1
    one = series.Series(
        name="plant",
        times=np.arange(STEPS) * 600.0 + 1_704_067_200 if dated else np.arange(STEPS) * 1.0,
        dated=dated,
        step_seconds=600.0 if dated else 1.0,
        values=random.normal(size=(STEPS, 2)).astype(np.float32),
        observed=observed,
        labels=flags if labels else None,
        train_end=0,
        validation_end=0,
    )
    scores = np.abs(random.normal(size=STEPS))
    return alarm_examples.Shown(
        one, 1, "heat", scores, threshold, [(203, 206), (499, 500)], 0, STEPS
    )


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("labels", [True, False])
def test_a_plot_is_written_in_both_themes(tmp_path, dated, labels):
    plot = alarm_examples.save_plot(tmp_path, "alarms", "Alarms", "words", shown(dated, labels))
    for file in (plot.light, plot.dark):
        assert file.read_bytes().startswith(b"\x89PNG")
    assert plot.light.read_bytes() != plot.dark.read_bytes()


@pytest.mark.parametrize("scores", [np.zeros(STEPS), np.full(STEPS, 1e6)])
def test_scores_of_any_size_can_be_drawn(tmp_path, scores):
    alarm_examples.write_png(
        tmp_path / "new" / "a.png", "A", dataclasses.replace(shown(), scores=scores)
    )
    assert (tmp_path / "new" / "a.png").is_file()


def test_around_stays_inside_the_series():
    near = shown().around(490, 500, 60)
    assert (near.start, near.end) == (430, STEPS)
    near = shown().around(5, 9, 60)
    assert (near.start, near.end) == (0, 69)


def test_thinning_keeps_every_spike_and_gaps():
    y = np.random.default_rng(1).normal(size=50_001)
    spikes = [17, 20_000, 50_000]
    y[spikes] = 100, -100, 100
    y[300:310] = np.nan
    x, thin = alarm_examples._thinned(np.arange(len(y)), y)
    assert len(thin) < 4_200
    assert set(spikes) <= set(x.tolist())
    assert (np.diff(x) > 0).all()
    np.testing.assert_array_equal(thin, y[x])
