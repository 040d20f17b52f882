"""Beyond the trained horizon bands cover what they say, and paths are what might come."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from apps.forecasting import (
    calibration,
    data,
    forecaster,
    model,
    serving,
    trained_model,
)
from apps.forecasting import config as configs
from apps.suite import errors
from apps.suite.export import asking
from apps.suite.panels import layout, panel
from apps.suite.panels import served as histories
from tests.apps.forecasting import small_run

HORIZON, CONTEXT = 6, 24
INPUTS = ("values", "past", "known", "times", "static", "series")


def made_panel(kind, steps=600, count=40):
    """Random walks, or white noise: the truth about both is known."""
    draw = np.random.default_rng(0)
    noise = draw.normal(0, 1, (count, steps))
    values = (np.cumsum(noise, axis=1) if kind == "walks" else noise).astype(np.float32)
    empty = np.zeros((steps, 0), np.float32)
    return panel.Panel(
        name=kind, licence="", source=kind, fingerprint="0", split="", target_names=("x",),
        past_names=(), known_names=(), static_names=(), dated=False, step_seconds=1.0, season=0,
        series=tuple(
            panel.Series(f"s{at}", np.arange(float(steps)), row[:, None], empty, empty, steps,
                         steps // 3, 2 * steps // 3)
            for at, row in enumerate(values)
        ),
    )  # fmt: skip


def config_of(kind):
    return configs.Config(
        forecast=configs.ForecastConfig(horizon_steps=HORIZON),
        model=configs.ModelConfig(
            units=4, context_steps=CONTEXT, patch_steps=HORIZON, season_steps=0, series_units=0,
            location="last" if kind == "walks" else "mean",
        ),
    )  # fmt: skip


@pytest.fixture(scope="module", params=["walks", "noise"])
def calibrated(request):
    """A new network, which says that all goes on as it is, with the intervals of validation."""
    whole, config = made_panel(request.param), config_of(request.param)
    made = layout.of_training(whole, config.model)
    network = model.build(config, made).network
    found, _ = calibration.Validation(whole, made, config).calibrated(network, made)
    return request.param, whole, forecaster.Forecaster(network, config, made, found)


def test_bands_beyond_the_trained_horizon_cover_what_they_say(calibrated):
    """Until the fourth horizon; of a walk they have to widen as its root, of noise not at all."""
    kind, whole, made = calibrated
    rows = [(at, origin) for at in range(40) for origin in range(410, 570, 24)]
    window = data.histories(whole, made.layout, made.config, rows, 4)
    truth = window.pop("truth")
    quantiles = made.forecast(window, tf.constant(4 * HORIZON))[1].numpy()[:, :, 0]
    widths = []
    for block in range(4):
        steps = slice(block * HORIZON, (block + 1) * HORIZON)
        inside = [
            ((quantiles[:, steps, low] <= truth[:, steps, 0])
             & (truth[:, steps, 0] <= quantiles[:, steps, -1 - low])).mean()
            for low in range(3)
        ]  # fmt: skip
        np.testing.assert_allclose(inside, [0.9, 0.8, 0.5], atol=0.08, err_msg=f"{kind} {block}")
        widths.append(float((quantiles[:, steps, -2] - quantiles[:, steps, 1]).mean()))
    growth = widths[3] / widths[0]
    assert 1.8 < growth < 3.2 if kind == "walks" else 0.8 < growth < 1.3, widths


def test_steps_of_a_path_belong_together_as_those_of_the_series_do(calibrated):
    kind, whole, made = calibrated
    rows = [(at, 450) for at in range(40)]
    window = data.histories(whole, made.layout, made.config, rows, 3)
    del window["truth"]
    drawn = made.paths(window, tf.constant(3 * HORIZON), tf.constant(200), tf.constant(1)).numpy()
    assert drawn.shape == (40, 200, 3 * HORIZON, 1)
    after = [np.corrcoef(each[:, 8, 0], each[:, 9, 0])[0, 1] for each in drawn]
    assert np.mean(after) > 0.7 if kind == "walks" else abs(np.mean(after)) < 0.15
    steps = np.diff(drawn[..., 0], axis=2).std(axis=(1, 2))
    assert np.median(steps) == pytest.approx(1 if kind == "walks" else 2**0.5, rel=0.35)


@pytest.fixture(scope="module", params=["direct", "autoregressive"])
def served(request):
    trained = small_run.trained(kind=request.param, linear=request.param == "direct")
    made = serving.ServedForecaster(trained)
    return made, asking.of_served("forecasting", made)


def asked(made, rows, time, horizon, **more):
    inputs = histories.example(made.read, rows, time, horizon)
    return {**inputs, **{name: np.int32(value) for name, value in more.items()}}


def test_paths_are_those_of_their_seed_and_spread_as_the_quantiles_say(served):
    made, model = served
    inputs = {
        **histories.example(made.read, 2, 30, 4),
        "count": np.int32(200),
        "seed": np.int32(5),
    }
    paths = model.ask("paths", **inputs)["paths"]
    np.testing.assert_array_equal(model.ask("paths", **inputs)["paths"], paths)
    other = model.ask("paths", **{**inputs, "seed": np.int32(6)})["paths"]
    assert np.abs(other - paths).max() > 1e-3
    alone = {name: array[1:] if np.ndim(array) else array for name, array in inputs.items()}
    np.testing.assert_allclose(model.ask("paths", **alone)["paths"][0], paths[1], rtol=1e-4)
    answer = model.ask(**{name: inputs[name] for name in made.read.specs()})
    spread = answer["quantiles"][..., -1] - answer["quantiles"][..., 0]
    middle = np.median(paths, axis=1) - answer["quantiles"][..., 3]
    assert (np.abs(middle) < 0.25 * spread + 1e-3).all()


@pytest.mark.slow
@pytest.mark.parametrize("log", [False, True])
def test_neither_quantiles_nor_paths_lie_below_the_bound_and_the_rest_stays(log):
    trained = small_run.trained(log=log)
    window = data.histories(small_run.panel(), trained.layout, trained.config, [(0, 60)], 2)
    window = {name: tf.constant(window[name]) for name in INPUTS}
    free = trained.forecaster().forecast(window, tf.constant(HORIZON))
    lowest = float(np.median(free[1][..., 0]))
    forecast = dataclasses.replace(trained.config.forecast, lowest=lowest)
    config = dataclasses.replace(trained.config, forecast=forecast)
    bounded = dataclasses.replace(trained, config=config).forecaster()
    for before, after in zip(free, bounded.forecast(window, tf.constant(HORIZON)), strict=True):
        np.testing.assert_allclose(after, np.maximum(before, lowest), rtol=1e-5)
    asked = (window, tf.constant(2 * HORIZON), tf.constant(50), tf.constant(0))
    assert bounded.paths(*asked).numpy().min() == pytest.approx(lowest, rel=1e-5)


def test_closed_loop_goes_on_from_the_states_of_a_stream(served):
    made, model = served
    horizon = 2 * small_run.HORIZON + 1
    inputs = histories.example(made.read, 2, 30, horizon)
    states = {
        name: np.zeros([2, *tensor.shape[1:]], tensor.kind)
        for name, tensor in model.inputs["stream"].items()
        if name.startswith("recent_")
    }
    future = {name: array[:, 30:] if name in ("known", "times") else array
              for name, array in inputs.items() if name not in ("values", "past")}  # fmt: skip
    with pytest.raises(errors.UserError, match="recent_count: must be above 0"):
        model.ask("closed_loop", **future, **states)
    answer = model.ask("stream", **inputs, **states)
    states = {name: answer[name] for name in states}
    told = model.ask(**inputs)["quantiles"]
    found = model.ask("closed_loop", **future, **states)["quantiles"]
    np.testing.assert_allclose(found, told, rtol=1e-4, atol=1e-4)


def test_paths_that_would_take_for_ever_are_refused(served):
    made, model = served
    inputs = asked(made, 1, 5, 3, count=1, seed=0)
    for changes, told in (({"count": 0}, "count must be at least 1"),
                          ({"count": 1_001}, "count: paths: at most 1,000")):  # fmt: skip
        with pytest.raises(errors.UserError, match=told):
            model.ask("paths", **{**inputs, **changes})
    many = {
        **histories.example(made.read, 4, 5, 9_000),
        "count": np.int32(1_000),
        "seed": np.int32(0),
    }
    with pytest.raises(errors.UserError, match="horizon: rows times targets, paths and steps"):
        model.ask("paths", **many)


def test_a_run_from_before_paths_loads_and_a_damaged_one_is_refused(tmp_path):
    small_run.write(tmp_path / "run")
    file = tmp_path / "run" / "forecaster.json"
    kept = json.loads(file.read_text())
    written = trained_model.load(tmp_path / "run").calibration
    beyond = kept.pop("beyond")
    file.write_text(json.dumps(kept))
    found = trained_model.load(tmp_path / "run").calibration
    for one, other in zip(found, written, strict=True):
        np.testing.assert_array_equal(one, other)
    file.write_text(json.dumps({**kept, "beyond": {**beyond, "shares": [[0.5]]}}))
    with pytest.raises(errors.UserError, match=r"is damaged .*another model"):
        trained_model.load(tmp_path / "run")
