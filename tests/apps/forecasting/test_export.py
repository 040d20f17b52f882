"""The export answers as Keras does, also as a stream, and wrong requests get an error."""

import numpy as np
import pytest
import tensorflow as tf

from apps.forecasting import demo, export, serving
from apps.suite import errors
from apps.suite.export import asking
from apps.suite.panels import histories, served
from tests.apps.forecasting import small_run


@pytest.fixture(scope="module", params=[("direct", 1), ("autoregressive", 1), ("direct", 2)])
def model(request):
    kind, count = request.param
    trained = small_run.trained(kind=kind, linear=kind == "direct", count=count)
    return asking.of_served("forecasting", serving.ServedForecaster(trained))


def whole(model, rows=2, time=30, horizon=4):
    made = serving.ServedForecaster(small_run.trained())
    return served.example(made.read, rows, time, horizon)


def test_a_stream_fed_step_by_step_ends_with_the_forecast_of_the_whole(model):
    inputs, horizon = whole(model), 4
    told = model.ask(**inputs)["quantiles"]
    states = {
        name: np.zeros([2, *tensor.shape[1:]], tensor.kind)
        for name, tensor in model.inputs["stream"].items()
        if name.startswith("recent_")
    }
    for start, end in ((0, 3), (3, 29), (29, 30)):
        steps = {
            name: array[:, start : end + (horizon if name in ("known", "times") else 0)]
            if name in ("values", "past", "known", "times")
            else array
            for name, array in inputs.items()
        }
        answer = model.ask("stream", **steps, **states)
        states = {name: answer[name] for name in states}
    np.testing.assert_allclose(answer["quantiles"], told, rtol=1e-4, atol=1e-4)
    assert states["recent_count"].tolist() == [small_run.CONTEXT] * 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"horizon": 9}, "known must have a step for each of values and of the horizon"),
        ({"past": np.zeros((2, 3, 1), np.float32)}, "past must have a step for each of values"),
        ({"static": np.array([[b"big", b"wide"]] * 2, object)}, "StringToNumber|wide"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_with_its_reason(model, changes, told):
    with pytest.raises(errors.UserError, match=told):
        model.ask(**{**whole(model), **changes})


def test_the_tab_shows_a_forecast_of_its_example_and_names_what_is_missing(model):
    page = demo.shown(model, histories.example_csv(model), 9)
    assert "<img" in page
    assert page.count("<tr>") == 10
    with pytest.raises(errors.UserError, match="lacks the column visits"):
        demo.shown(model, "time,sales\n2024-01-01,3\n", 9)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("direct", 1), ("autoregressive", 2)])
def test_the_saved_model_is_written_and_answers_alone(kind, count, tmp_path):
    trained = small_run.trained(kind=kind, linear=kind == "direct", count=count)
    small_run.write(tmp_path / "run", trained)
    version = export.export(tmp_path / "run", tmp_path / "exports")
    loaded = tf.saved_model.load(str(version))
    assert set(loaded.signatures) == {*serving.SIGNATURES}
