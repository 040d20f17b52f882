"""Files in, events out: as a person and as a program ask for them."""

import csv
import json

import numpy as np
import pytest

from apps.anomaly_detection import data as data_of
from apps.anomaly_detection import events, predict, scoring, trained_model
from tests.apps.anomaly_detection import trained_runs

pytestmark = [
    pytest.mark.slow,
    # Of Keras, when it saves a model
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predicted")
    trained_runs.trained(folder / "run", trained_runs.write_csv(folder / "plant.csv"))
    return folder / "run"


@pytest.fixture
def readings(tmp_path):
    return trained_runs.write_csv(tmp_path / "readings.csv", labelled=False, seed=5)


def found_in(run, *inputs):
    return list(predict.predict(predict.Options(tuple(inputs), run)))


def test_events_are_those_of_the_whole_file_read_from_its_start(run, readings):
    (found,) = found_in(run, readings)
    trained = trained_model.load(run)
    scored = scoring.score(trained, found.one)
    expected = events.from_scores(scored.scores, trained.threshold.value)
    assert [(each.start, each.end) for each in found.events] == [
        (each.start, each.end) for each in expected
    ]
    assert (found.start, found.threshold) == (0, trained.threshold.value)


def test_what_was_put_in_is_found_and_its_column_named(run, readings):
    (found,) = found_in(run, readings)
    start, end = trained_runs.EVENTS[0]
    hits = [each for each in found.events if each.start < end + 2 and each.end > start]
    assert hits
    assert max(hits, key=lambda each: each.score).worst_channels[0] == "flow"


def test_without_a_file_the_test_part_of_the_run_is_read(run):
    (found,) = found_in(run)
    (one,) = data_of.load(trained_model.load(run).config).series
    assert found.start == one.validation_end
    assert all(each.start >= one.validation_end for each in found.events)


def test_the_order_of_the_columns_and_further_ones_do_not_matter(run, readings, tmp_path):
    with readings.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    turned = tmp_path / "turned.csv"
    with turned.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, ["heat", "note", "time", "flow"])
        writer.writeheader()
        writer.writerows({**row, "note": "x"} for row in rows)
    (one,), (other,) = found_in(run, readings), found_in(run, turned)
    np.testing.assert_array_equal(one.scores, other.scores)


def test_machines_get_an_object_a_series(run, readings, tmp_path, capsys):
    folder = tmp_path / "two"
    for seed, name in enumerate(("north", "south")):
        trained_runs.write_csv(folder / f"{name}.csv", labelled=False, seed=seed)
    assert predict.main([str(folder), str(readings), "--run", str(run), "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["series"] for each in objects] == ["north", "south", "readings"]
    assert all(each["steps"] == trained_runs.STEPS for each in objects)
    event = objects[0]["events"][0]
    assert event.keys() == {"start", "end", "peak", "steps", "score", "worst_columns"}
    assert event["score"] > objects[0]["threshold"]


def test_events_and_plot_are_written(run, readings, tmp_path, capsys):
    arguments = [str(readings), "--run", str(run)]
    arguments += ["--events", str(tmp_path / "e.csv"), "--plot", str(tmp_path / "e.png")]
    assert predict.main(arguments) == 0
    (found,) = found_in(run, readings)
    with (tmp_path / "e.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["start"] for row in rows] == [
        events.moment(found.one, each.start) for each in found.events
    ]
    assert f"readings: {len(rows)} event" in capsys.readouterr().out
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("flow", "flux", 1), "flow"),  # a column of the training lacks
        (lambda text: "\n".join(text.splitlines()[:2]) + "\n", "step"),  # one row
        (lambda text: text.replace("T01:00", "T99:00", 1), "time"),
    ],
)
def test_files_that_do_not_fit_are_one_line(run, readings, change, said, capsys):
    readings.write_text(change(readings.read_text()))
    assert predict.main([str(readings), "--run", str(run)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert "readings" in captured.err
    assert said in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no_such.csv"], "no_such.csv: no such file"),
        (["--events", "events.txt"], "--events events.txt: must end in .csv or .json"),
        (["--plot", "plot.jpg"], "--plot plot.jpg: must end in .png"),
        (["--run", "none"], "none: no such run folder"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(run, arguments, said, capsys):
    given = arguments if "--run" in arguments else [*arguments, "--run", str(run)]
    assert predict.main(given) == 2
    assert said in capsys.readouterr().err


def test_the_score_of_every_row_is_written(run, readings, tmp_path):
    (found,) = found_in(run, readings)
    file = tmp_path / "new" / "scores.csv"
    assert predict.main(["--run", str(run), str(readings), "--scores", str(file)]) == 0
    with file.open(newline="") as opened:
        table = list(csv.DictReader(opened))
    kept = np.flatnonzero(found.one.observed.any(axis=1))
    assert len(table) == len(kept)
    np.testing.assert_allclose(
        [float(row["score"]) for row in table], found.scores[kept], rtol=1e-5, atol=1e-6
    )
    assert table[0]["time"] == events.moment(found.one, int(kept[0]))
    steps = sum(int(row["is_anomaly"]) for row in table)
    assert steps == sum(
        found.one.observed[each.start : each.end].any(1).sum() for each in found.events
    )
    assert {row["worst_column"] for row in table} <= {*found.names, ""}
