"""Exports and scoring jobs read each series on its own scale, and say which they do not know."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps import score_many
from apps.anomaly_detection import export, named_requests, scoring, series_scales, serving
from apps.suite.export import check
from tests.apps.anomaly_detection import small_model, small_run

LEVELS = {"plant/low": 1.0, "plant/high": 40.0, "hall/high": 900.0}


def with_scales(**settings):
    """A small model of three series at other levels, two of which end alike."""
    scales = {
        name: series_scales.Scale(
            (small_model.MEAN * level + level).tolist(),
            (small_model.DEVIATION * level).tolist(),
            1 + at / 2,
        )
        for at, (name, level) in enumerate(LEVELS.items())
    }
    made = small_model.trained(**settings)
    groups = {"data_format": dataclasses.replace(made.config.data_format, series_column="pump")}
    return dataclasses.replace(
        made, scales=scales, config=dataclasses.replace(made.config, **groups)
    )


def a_series(name, seed=0, steps=40):
    """A series at the level that `LEVELS` has for its name."""
    one = small_model.a_series(steps=steps, seed=seed, name=name)
    level = LEVELS.get(name, 1.0)
    values = np.where(one.observed, one.values * level + level, 0).astype(np.float32)
    return dataclasses.replace(one, values=values)


def asked(served, names, many):
    values = tf.constant(np.stack([small_model.with_nan(one) for one in many]))
    answer = served.signatures()["of_series"](values=values, series=tf.constant(names))
    return {name: each.numpy() for name, each in answer.items()}


def test_a_request_that_names_its_series_is_answered_as_the_evaluation_scores_them():
    trained = with_scales()
    many = [a_series(name, seed) for seed, name in enumerate(LEVELS)]
    answer = asked(serving.ServedDetector(trained), [*LEVELS], many)
    assert answer["is_known"].all()
    for row, one in enumerate(many):
        found = scoring.score(trained, one)
        np.testing.assert_allclose(answer["score"][row], found.scores, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            answer["contribution"][row], found.contributions, rtol=1e-4, atol=1e-5
        )
        over = found.scores > trained.threshold.value
        np.testing.assert_array_equal(answer["is_anomaly"][row], over)


@pytest.mark.parametrize(
    ("name", "known"), [("low", True), ("here/low", True), ("high", False), ("", False)]
)
def test_a_name_is_known_by_its_last_part_where_one_series_ends_so(name, known):
    served, one = serving.ServedDetector(with_scales()), a_series("plant/low")
    answer = asked(served, [name], [one])
    assert answer["is_known"].tolist() == [known]
    whole = served.whole(tf.constant(small_model.with_nan(one)[None]))["score"].numpy()
    expected = asked(served, ["plant/low"], [one])["score"] if known else whole
    np.testing.assert_allclose(answer["score"], expected, rtol=1e-5)
    assert np.abs(asked(served, ["plant/low"], [one])["score"] - whole).max() > 1e-3


def test_names_that_are_fewer_than_the_rows_are_refused():
    served = serving.ServedDetector(with_scales())
    with pytest.raises(tf.errors.InvalidArgumentError, match="series: has to name the series"):
        asked(served, ["plant/low"], [a_series("plant/low")] * 2)


def test_a_model_of_one_scale_has_no_such_signature():
    served = serving.ServedDetector(small_model.trained())
    assert set(served.signatures()) == {"serving_default", "stream", "assets"}
    assert served.settings["signature_of_tables"] == "serving_default"


@pytest.mark.parametrize("kind", ["forecaster", "autoencoder"])
def test_warm_up_requests_name_known_and_unknown_series(kind):
    trained = with_scales(**small_model.KINDS[kind])
    requests = serving.requests(trained)
    signatures = serving.ServedDetector(trained).signatures()
    of_series = [each for each in requests if each.signature.endswith("of_series")]
    known = [value for each in of_series for value in each.answers["is_known"]]
    assert set(known) == {True, False}
    for request in of_series:
        inputs = {name: tf.constant(value) for name, value in request.inputs.items()}
        answers = {
            name: each.numpy() for name, each in signatures[request.signature](**inputs).items()
        }
        assert check.difference(request.answers, answers) == ""
    assert named_requests.Sent(np.zeros((1, 1, 1))).told(trained) == {}


@pytest.mark.slow
def test_a_scoring_job_scales_files_and_the_series_of_a_table_by_their_names(tmp_path, capfd):
    """Also where the rows of two series take turns in a table, and one of no training is there."""
    trained = with_scales()
    small_run.write(tmp_path / "run", trained)
    version = export.export(tmp_path / "run", tmp_path / "exports")
    many = {name: a_series(name, seed, 30 + seed) for seed, name in enumerate(LEVELS)}
    many["plant/new"] = a_series("plant/new", 5, 20)
    cells = {
        name: [["" if np.isnan(cell) else f"{cell:.6g}" for cell in row] for row in values]
        for name, values in ((name, small_model.with_nan(one)) for name, one in many.items())
    }
    folder = tmp_path / "files"
    for name in ("plant/high", "plant/new"):
        _write(folder / f"{name}.csv", ["time"], [[at, *row] for at, row in enumerate(cells[name])])
    turns = sorted(
        (at, name.removeprefix("plant/"), row)
        for name in ("plant/low", "plant/high")
        for at, row in enumerate(cells[name])
    )
    _write(folder / "plant.csv", ["time", "pump"], [[at, name, *row] for at, name, row in turns])
    found = _scored(version, folder, tmp_path / "scores")
    told = capfd.readouterr().err
    for name, file in (
        ("plant/high", "plant/high.csv"),
        ("plant/low", "plant.csv"),
        ("plant/high", "plant.csv"),
        ("plant/new", "plant/new.csv"),
    ):
        pump = name.removeprefix("plant/") if file == "plant.csv" else None
        numbers = [at + 1 for at, turn in enumerate(turns) if turn[1] == pump]
        rows = [
            row
            for row in found
            if row["file"] == str(folder / file) and (pump is None or row["row"] in numbers)
        ]
        assert [row["row"] for row in rows] == (numbers or [*range(1, len(many[name]) + 1)])
        assert {row["is_known"] for row in rows} == {name in LEVELS}
        if name in LEVELS:
            expected = scoring.score(trained, _as_read(many[name], cells[name])).scores
            np.testing.assert_allclose([r["score"] for r in rows], expected, rtol=1e-3, atol=1e-4)
    assert "plant/new.csv: not a series of the training" in told
    assert "plant.csv:" not in told


def _as_read(one, cells):
    values = np.array([[float(cell or 0) for cell in row] for row in cells], np.float32)
    return dataclasses.replace(one, values=values)


def _write(file, first, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([[*first, *small_model.NAMES], *rows])


def _scored(version, folder, to):
    shutil.rmtree(to, ignore_errors=True)
    options = ["--model", version, "--input", folder, "--to", to, "--format", "jsonl"]
    assert score_many.main([*map(str, options)]) == 0
    files = sorted(to.glob("part-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]
