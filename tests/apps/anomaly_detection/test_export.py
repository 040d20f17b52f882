"""The export answers as Keras does, in a process of its own, whole series and streams alike."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps.anomaly_detection import export, scoring, serving
from apps.suite.export import check, saved_model
from apps.suite.serving import warmup_requests
from tests.apps.anomaly_detection import small_model, small_run

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SETTINGS = {"score": {"smoothing_steps": 3.0}, "events": {"merge_steps": 1, "cool_down_steps": 6}}


def made(kind="forecaster", **settings):
    return small_model.trained(**{**SETTINGS, **small_model.KINDS[kind], **settings})


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    small_run.write(folder / "run", made())
    return export.export(folder / "run", folder / "exports")


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported))


def test_the_version_is_checked_with_a_single_step_and_with_alarms(exported):
    asked = list(warmup_requests.read(exported / warmup_requests.FILE))
    shapes = [each.inputs["values"].shape for each in asked if each.signature != "assets"]
    assert 1 in {steps for _, steps, _ in shapes}
    assert any(request.answers["alarm"].any() for request in asked)


def test_inputs_and_outputs_have_their_names_and_free_sizes(loaded):
    whole, live = (loaded.signatures[name] for name in ("serving_default", "stream"))
    answers = {"score", "threshold", "is_anomaly", "alarm", "contribution", "channel_names"}
    assert whole.output_shapes.keys() == answers
    states = set(made().detector.initial_states(1))
    assert live.structured_input_signature[1].keys() == {"values", *states}
    assert live.output_shapes.keys() == answers | states
    shape = whole.structured_input_signature[1]["values"].shape
    assert shape.as_list() == [None, None, small_model.FEATURES]


def test_the_settings_tell_what_the_signatures_cannot(exported):
    settings = json.loads((exported / "assets" / "settings.json").read_text(encoding="utf-8"))
    trained = made()
    assert settings["channel_names"] == [*small_model.NAMES]
    assert settings["scored_channels"] == trained.scored_count
    assert settings["step_seconds"] == trained.step_seconds
    assert settings["season_steps"] == trained.season_steps
    scaling = trained.network.get_layer("scaling")
    for name in ("mean", "deviation"):
        np.testing.assert_allclose(settings[name], np.asarray(getattr(scaling, name)), rtol=1e-6)


def test_whole_series_get_the_scores_of_the_evaluation_and_name_their_channels(loaded):
    trained, one = made(), small_model.a_series()
    values = small_model.with_nan(one)[None]
    answer = loaded.signatures["serving_default"](values=tf.constant(values))
    found = scoring.score(trained, one)
    np.testing.assert_allclose(answer["score"][0], found.scores, atol=1e-5)
    np.testing.assert_allclose(answer["contribution"][0], found.contributions, atol=1e-5)
    assert [name.decode() for name in answer["channel_names"].numpy()[0]] == [*small_model.NAMES]
    assert answer["threshold"].numpy() == pytest.approx(trained.threshold.value)


@pytest.mark.parametrize("steps", [1, 13])
def test_the_stream_from_zeros_gives_scores_and_alarms_of_the_whole(loaded, steps):
    many = np.stack([small_model.with_nan(small_model.a_series(seed=seed)) for seed in (0, 1)])
    whole = loaded.signatures["serving_default"](values=tf.constant(many))
    live = loaded.signatures["stream"]
    shapes = {
        name: spec.shape.as_list()[1:]
        for name, spec in live.structured_input_signature[1].items()
        if name != "values"
    }
    dtypes = {name: spec.dtype for name, spec in live.structured_input_signature[1].items()}
    states = {name: tf.zeros([2, *shape], dtypes[name]) for name, shape in shapes.items()}
    parts = []
    for start in range(0, many.shape[1], steps):
        answer = live(values=tf.constant(many[:, start : start + steps]), **states)
        states = {name: answer[name] for name in states}
        parts.append(answer)
    assert whole["alarm"].numpy().any()
    for name in ("score", "contribution", "is_anomaly", "alarm"):
        found = np.concatenate([part[name] for part in parts], axis=1)
        np.testing.assert_allclose(found, whole[name], atol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in small_model.KINDS if kind != "forecaster"])
def test_other_kinds_answer_as_keras_does(kind):
    trained = made(kind)
    signatures = serving.ServedDetector(trained).signatures()
    for request in serving.requests(trained):
        inputs = {name: tf.constant(value) for name, value in request.inputs.items()}
        answers = {
            name: each.numpy() for name, each in signatures[request.signature](**inputs).items()
        }
        assert check.difference(request.answers, answers) == ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder_decoder", "autoencoder"])
def test_windows_are_exported_and_checked_in_a_clean_process_too(kind, tmp_path):
    trained = made(kind)
    served = serving.ServedDetector(trained)
    requests = serving.requests(trained)
    version = saved_model.write(
        served.saved, served.signatures(), requests, tmp_path, "anomaly_detection"
    )
    assert (version / "saved_model.pb").is_file()


@pytest.mark.parametrize("kind", small_model.KINDS)
@pytest.mark.parametrize("extreme", [3e38, -3e38, 1e20])
def test_an_extreme_value_is_an_alarm_with_finite_scores_and_leaves_a_stream_usable(kind, extreme):
    served = serving.ServedDetector(made(kind))
    values = np.tile(small_model.MEAN, (1, 40, 1)).astype(np.float32)
    values[0, 30, 0] = extreme
    answer = {name: each.numpy() for name, each in served.whole(tf.constant(values)).items()}
    assert answer["is_anomaly"][0, 30]
    states = served.detector.initial_states(1)
    live = {name: each.numpy() for name, each in served.stream(values, **states).items()}
    for found in (answer, live):
        for name, each in found.items():
            assert each.dtype.kind != "f" or np.isfinite(each).all(), name


@pytest.mark.parametrize("wrong", [np.inf, -np.inf])
def test_an_infinite_value_is_refused_and_a_missing_one_is_not(loaded, wrong):
    values = np.tile(small_model.MEAN, (2, 9, 1)).astype(np.float32)
    values[0, 3] = np.nan
    whole, live = (loaded.signatures[name] for name in ("serving_default", "stream"))
    states = made().detector.initial_states(2)
    whole(values=tf.constant(values))
    live(values=tf.constant(values), **states)
    values[1, 4, 1] = wrong
    for ask in (whole, lambda values: live(values=values, **states)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="values: one is infinite"):
            ask(values=tf.constant(values))


def test_a_series_beyond_the_bound_is_refused_and_told_to_come_in_parts(loaded):
    steps = serving.LIMITS["rows_times_steps"] + 1
    values = tf.zeros([1, steps, small_model.FEATURES])
    with pytest.raises(tf.errors.InvalidArgumentError, match="signature stream"):
        loaded.signatures["serving_default"](values=values)
