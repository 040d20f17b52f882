"""A backtest is the forecast that a person would have got at the origin."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.forecasting import data, forecaster, predict, scoring, serving
from apps.forecasting import model as model_file
from apps.suite import errors
from apps.suite.export import asking
from apps.suite.panels import asked, histories, layout, measures, panel
from tests.apps.forecasting import small_inputs, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    small_run.write(folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def model():
    return asking.of_served("forecasting", serving.ServedForecaster(small_run.trained()))


def test_the_backtest_at_an_origin_is_what_predict_says_of_the_file_until_then(
    run, model, tmp_path
):
    whole = small_run.panel(static=None)
    test = measures.test_of(whole, small_run.HORIZON, small_run.HORIZON, 7)
    at, origin = test.rows[1]
    cut = small_inputs.csv_of(whole).splitlines()
    name = whole.series[at].name
    until = np.datetime64(int(whole.series[at].times[origin]), "s").astype("datetime64[D]")
    lines = [cut[0]]
    for line in cut[1:]:
        series, day, *cells = line.split(",")
        if series == name and np.datetime64(day) < until + small_run.HORIZON:
            known = cells if np.datetime64(day) < until else ["", "", "", cells[-1]]
            lines.append(",".join([series, day, *known]))
    (tmp_path / "a.csv").write_text("\n".join(lines))
    found = list(predict.predict(predict.Options((tmp_path / "a.csv",), run)))
    # The file has no static columns, and the cells have five decimals
    blank = small_run.panel(static=(("", ""),) * 3)
    backtest = asked.forecast(model, blank, [(at, origin)], small_run.HORIZON)
    for column, forecast in enumerate(found):
        wanted = backtest.quantiles[0, :, column][:, [1, 3, 5]]
        np.testing.assert_allclose(forecast.quantiles, wanted, rtol=1e-3, atol=1e-3)


def test_no_window_of_the_test_part_is_dropped_and_none_reaches_beyond_it():
    whole = small_run.panel()
    for every in (1, 4, small_run.HORIZON):
        rows = measures.test_of(whole, small_run.HORIZON, every, 7).rows
        origins = [origin for at, origin in rows if at == 0]
        one = whole.series[0]
        assert origins[-1] + small_run.HORIZON == one.length
        assert one.validation_end <= origins[0] < one.validation_end + every
    all_of_them = measures.test_of(whole, small_run.HORIZON, 1, 7).rows
    part = whole.series[0].length - whole.series[0].validation_end
    assert len(all_of_them) == 3 * (part - small_run.HORIZON + 1)


def test_nothing_after_the_origin_but_what_is_known_ahead_changes_a_forecast(model):
    whole = small_run.panel()
    one, origin = whole.series[0], 90
    told = asked.forecast(model, whole, [(0, origin)], small_run.HORIZON).quantiles

    def changed(name, steps):
        array = getattr(one, name).copy()
        array[steps] = 99.0
        series = (dataclasses.replace(one, **{name: array}), *whole.series[1:])
        other = dataclasses.replace(whole, series=series)
        found = asked.forecast(model, other, [(0, origin)], small_run.HORIZON).quantiles
        return float(np.abs(found - told).max())

    for name in ("target", "past"):
        assert changed(name, slice(origin, None)) == 0.0
        assert changed(name, slice(origin - 2, origin)) > 1e-3
    assert changed("known", slice(origin + 1, origin + 3)) > 1e-3


def test_a_row_is_forecast_alike_alone_and_among_others_and_from_a_longer_history(model):
    whole = small_run.panel()
    rows = [(0, 100), (1, 60), (2, 9), (0, 3)]
    together = asked.forecast(model, whole, rows, 8).quantiles
    for row, place in enumerate(rows):
        alone = asked.forecast(model, whole, [place], 8).quantiles[0]
        np.testing.assert_allclose(alone, together[row], rtol=1e-4, atol=1e-4)
    request = histories.request(
        whole, [(0, 100)], small_run.CONTEXT, 8, model.inputs["serving_default"]
    )
    more = {
        name: np.concatenate([np.repeat(array[:, :1], 5, axis=1), array], axis=1)
        for name, array in request.items()
        if name in ("values", "past", "known", "times")
    }
    longer = model.ask(**{**request, **more})["quantiles"]
    np.testing.assert_allclose(longer[0], together[0], rtol=1e-4, atol=1e-4)


def test_quantiles_rise_and_a_longer_horizon_begins_with_the_shorter(model):
    whole = small_run.panel()
    long = asked.forecast(model, whole, [(0, 80), (1, 90)], 3 * small_run.HORIZON + 1)
    assert long.quantiles.shape == (2, 19, 2, 7)
    assert (np.diff(long.quantiles, axis=-1) >= 0).all()
    short = asked.forecast(model, whole, [(0, 80), (1, 90)], small_run.HORIZON)
    np.testing.assert_allclose(
        long.quantiles[:, : small_run.HORIZON], short.quantiles, rtol=1e-5, atol=1e-5
    )
    assert np.isfinite(long.quantiles).all()


def test_a_series_that_training_has_not_seen_is_forecast_and_marked(model):
    whole = small_run.panel(names=("north", "nobody", "west"))
    found = asked.forecast(model, whole, [(0, 80), (1, 80)], small_run.HORIZON)
    assert found.unseen.tolist() == [False, True]
    assert np.isfinite(found.quantiles).all()


def test_a_forecast_moves_and_stretches_with_its_series():
    bare = dataclasses.replace(small_run.panel(static=None), past_names=(), known_names=())
    bare = dataclasses.replace(bare, series=tuple(
        dataclasses.replace(one, past=one.past[:, :0], known=one.known[:, :0])
        for one in bare.series))  # fmt: skip
    made = serving.ServedForecaster(small_run.trained(of=bare))
    model = asking.of_served("forecasting", made)
    moved = dataclasses.replace(bare, series=tuple(
        dataclasses.replace(one, target=1_000 * one.target) for one in bare.series))  # fmt: skip
    told, found = (
        asked.forecast(model, each, [(0, 90)], small_run.HORIZON).quantiles
        for each in (bare, moved)
    )
    np.testing.assert_allclose(found, 1_000 * told, rtol=1e-4)


def test_times_of_a_zone_are_its_clocks():
    whole = dataclasses.replace(small_run.panel(), time_zone="Europe/Berlin", step_seconds=3600.0)
    one = dataclasses.replace(
        whole.series[0], times=whole.series[0].times[0] + 3600 * np.arange(126.0)
    )
    whole = dataclasses.replace(whole, series=(one,))
    cut = panel.windows(whole, [(0, 30)], 24, 6)["times"]
    assert (cut[0] - one.times[6:36] == 3600).all(), "an hour ahead of UTC in winter"


def test_members_forecast_the_mean_of_what_each_forecasts():
    whole, rows = small_run.panel(), [(0, 80), (1, 90)]
    each = [
        asked.forecast(
            asking.of_served("forecasting", serving.ServedForecaster(made)), whole, rows, 4
        ).quantiles
        for made in (small_run.trained(0), small_run.trained(1), small_run.trained(0, count=2))
    ]
    assert np.abs(each[0] - each[1]).max() > 1e-2
    np.testing.assert_allclose(each[2], (each[0] + each[1]) / 2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("log", [False, True])
def test_a_new_adjusted_network_goes_on_with_the_season_from_the_last_level(log):
    config = small_run.config(
        adjusted=True, location="last", context_steps=28, linear=False, log=log
    )
    steps = np.arange(140)
    season = 0.5 * np.sin(2 * np.pi * steps / 7)
    curve = 5 + 0.02 * steps + season
    one = small_run.panel(targets=1, static=None).series[0]
    values = (np.exp(curve) if log else curve)[: one.length, None].astype(np.float32)
    one = dataclasses.replace(one, target=np.concatenate([values, one.target[one.length :]]))
    whole = dataclasses.replace(small_run.panel(targets=1, static=None), series=(one,))
    made = layout.of_training(whole, config.model)
    network = model_file.build(config, made).network
    found = forecaster.Forecaster(network, config, made, forecaster.uncalibrated(config))
    window = data.histories(whole, made, config, [(0, 100)], 1)
    del window["truth"]
    mean = found.forecast(window, tf.constant(small_run.HORIZON))[0].numpy()[0, :, 0]
    wanted = curve[99] - season[99] + season[100 : 100 + small_run.HORIZON]
    np.testing.assert_allclose(np.log(mean) if log else mean, wanted, atol=0.05)
    if log:
        paths = found.paths(window, tf.constant(9), tf.constant(30), tf.constant(0)).numpy()
        assert (paths > 0).all()


def test_values_without_a_logarithm_are_refused():
    whole = small_run.panel()
    served = serving.ServedForecaster(small_run.trained(log=True))
    ask = asking.of_served("forecasting", served)
    request = histories.request(
        whole, [(0, 100)], small_run.CONTEXT, 6, ask.inputs["serving_default"]
    )
    request["values"][0, -1, 0] = 0
    with pytest.raises(errors.UserError, match="values: the model needs values above 0"):
        ask.ask(**request)
    target = whole.series[1].target.copy()
    target[3] = -1
    series = (whole.series[0], dataclasses.replace(whole.series[1], target=target))
    whole = dataclasses.replace(whole, series=series)
    with pytest.raises(errors.UserError, match=r"south has the value -1.*leave --model.log out"):
        layout.of_training(whole, small_run.config(log=True).model)


@pytest.mark.parametrize(
    ("kind", "steps"), [("direct", 20), pytest.param("autoregressive", 18, marks=pytest.mark.slow)]
)
def test_errors_are_those_of_one_step_after_the_truth(kind, steps):
    panel = small_run.panel()
    trained = small_run.trained(kind=kind, linear=kind == "direct")
    model = asking.of_served("forecasting", serving.ServedForecaster(trained))
    found = scoring.one_step_errors(model, trained, panel)
    assert [len(each) for each in found] == [steps] * 3
    one = panel.series[0]
    truth = one.target[one.length - steps : one.length, 0]
    np.testing.assert_array_equal(np.isnan(found[0]), np.isnan(truth))
