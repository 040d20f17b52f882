"""A long series is scored by an export as a stream, with its state, as by the run as a whole."""

import numpy as np
import pytest

from apps.anomaly_detection import predict, scoring, serving
from apps.suite.export import asking
from tests.apps.anomaly_detection import small_model


@pytest.mark.parametrize("kind", ["forecaster", "autoencoder"])
def test_parts_of_a_long_series_are_scored_as_the_whole(monkeypatch, kind):
    monkeypatch.setattr(predict, "_NUMBERS_A_CALL", 17 * small_model.FEATURES)
    trained = small_model.trained(**small_model.KINDS[kind])
    model = asking.of_served(predict.TASK, serving.ServedDetector(trained))
    one = small_model.a_series(steps=70)
    scores, contributions = predict._scores(model, one)
    expected = scoring.score(trained, one)
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(contributions, expected.contributions, rtol=1e-4, atol=1e-5)


def test_the_test_part_is_known_to_a_run_only(tmp_path, capsys):
    assert predict.main(["--model", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "inputs: " in told
    assert told.count("\n") == 1
