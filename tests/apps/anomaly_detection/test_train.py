"""The training learns, and leaves what the next commands need."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from apps.anomaly_detection import calibration, data, scoring, train, trained_model
from apps.anomaly_detection import config as configs
from apps.suite.tables import scaling as column_statistics
from tests.apps.anomaly_detection import trained_runs

pytestmark = [
    pytest.mark.slow,
    # Of Keras, when it saves a model
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    file = trained_runs.write_csv(tmp_path_factory.mktemp("data") / "plant.csv")
    made = trained_runs.config(file)
    training = dataclasses.replace(made.training, steps=60, steps_per_checkpoint=20)
    return dataclasses.replace(made, training=training)


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train.train(settings, folder)
    return folder


def test_it_learns_the_waves(run):
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [20, 40, 60]
    losses = [float(row["validation_loss"]) for row in rows]
    assert losses[-1] < min(0.5, losses[0])


def test_scaler_normaliser_and_threshold_come_from_training_and_validation_alone(run, settings):
    trained = trained_model.load(run)
    collection = data.load(settings)
    statistics = column_statistics.statistics_of_training(collection.series)
    scaling = trained.network.get_layer("scaling")
    np.testing.assert_allclose(scaling.mean, statistics.mean, rtol=1e-6)
    np.testing.assert_allclose(scaling.deviation, statistics.deviation, rtol=1e-6)
    (one,) = collection.series
    test = slice(one.validation_end, None)
    spoilt = dataclasses.replace(one, values=one.values.copy(), labels=~one.labels)
    spoilt.values[test] = 1e6
    changed = dataclasses.replace(collection, series=(spoilt,))
    normaliser, threshold, _ = calibration.fit(trained.network, settings, changed)
    np.testing.assert_allclose(normaliser.scale, trained.normaliser.scale, rtol=1e-5)
    assert threshold.value == pytest.approx(trained.threshold.value, rel=1e-5)


def test_the_events_stand_out(run, settings):
    trained, (one,) = trained_model.load(run), data.load(settings).series
    scores = scoring.score(trained, one).scores
    (start, end), _ = trained_runs.EVENTS
    assert scores[start:end].max() > 3 * np.quantile(scores[one.validation_end :], 0.9)


@pytest.mark.parametrize("kind", ["encoder_decoder", "autoencoder"])
def test_the_other_kinds_train_too(kind, settings, tmp_path):
    made = trained_runs.config(settings.data, kind)
    train.train(made, tmp_path / "run")
    trained = trained_model.load(tmp_path / "run")
    assert trained.detector.steps_behind == made.model.window_steps - 1
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert np.isfinite(metrics["test"]["vus_pr"])


@pytest.mark.parametrize("method", ["quantile", "peaks_over_threshold", "dynamic"])
def test_every_threshold_has_its_expected_alarms(method, run, settings):
    made = dataclasses.replace(settings, threshold=configs.ThresholdConfig(method=method))
    network = trained_model.load(run).network
    _, threshold, _ = calibration.fit(network, made, data.load(made))
    assert threshold.method == method
    assert threshold.value > 0
    assert threshold.expected_alarms_per_week >= 0
