"""Holds every task's commands to the house's contract by running them on the tiny preset.

The training that all look at is run as a user runs it; the other commands run in forked processes.
"""

import csv
import importlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from apps.suite.serving import warmup_requests
from tests.apps import processes, served_contract, small_training, task_folders

pytestmark = pytest.mark.slow
RUN_FILES = (
    "config.json", "checkpoints", "model.keras", "history.csv", "tensorboard", "metrics.json",
    "plots", "report.html",
)  # fmt: skip


@dataclass(frozen=True)
class TinyRun:
    """A finished tiny run and its export, in a working folder of their own."""

    task: str
    folder: Path
    output: str

    @property
    def run(self):
        return self.folder / "runs" / self.task

    @property
    def version(self):
        return self.folder / "exports" / self.task / "1"


@pytest.fixture(scope="session", params=task_folders.TASKS)
def tiny(request, tmp_path_factory):
    task, folder = request.param, tmp_path_factory.mktemp(request.param)
    run = f"runs/{task}"
    trained = subprocess.run(
        [sys.executable, "-m", f"apps.{task}.train", "--preset", "tiny", "--run", run],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(task_folders.ROOT)},
    )
    assert trained.returncode == 0, trained.stderr
    exported = processes.ended(task, "export", ["--run", run, "--to", "exports"], folder)
    assert exported.returncode == 0, exported.stderr
    return TinyRun(task, folder, trained.stdout)


def test_the_run_folder_is_complete(tiny):
    assert not [name for name in RUN_FILES if not (tiny.run / name).exists()]
    assert list((tiny.run / "plots").glob("*.png"))
    assert list((tiny.run / "tensorboard").rglob("*tfevents*"))
    assert not list(tiny.run.rglob(".partial-*"))


def test_training_ends_with_metrics_report_and_the_next_command(tiny):
    metrics = json.loads((tiny.run / "metrics.json").read_text())
    end = "\n".join(tiny.output.splitlines()[-25:])
    assert metrics["primary"]["baseline"]["name"] in end
    assert "report.html" in end
    assert f"python -m apps.{tiny.task}." in end


def test_the_next_command_asks_with_something_that_is_there(tiny):
    (told,) = re.findall(r"^next:    (.+)$", tiny.output, re.MULTILINE)
    for word in shlex.split(told):
        if re.search(r"\.(wav|flac|avi|mp4|csv|ts|jsonl?|parquet)$", word):
            places = (tiny.folder / word, task_folders.ROOT / word)
            assert any(place.is_file() for place in places), word


def test_history_has_a_row_for_each_checkpoint_in_order(tiny):
    with (tiny.run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = [int(row["step"]) for row in rows]
    assert steps
    assert steps == sorted(set(steps))
    assert "loss" in rows[0]
    assert any(column.startswith("validation_") for column in rows[0])


def test_metrics_json_keeps_to_its_schema(tiny):
    metrics = json.loads((tiny.run / "metrics.json").read_text())
    assert metrics["task"] == tiny.task
    assert metrics["preset"] == "tiny"
    assert isinstance(metrics["seed"], int)
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", metrics["commit"])
    assert metrics["train_seconds"] > 0
    data = metrics["data"]
    assert data["name"]
    assert data["fingerprint"]
    assert data["split"]
    assert {"train", "validation", "test"} <= data["examples"].keys()
    assert all(isinstance(count, int) and count > 0 for count in data["examples"].values())
    primary = metrics["primary"]
    assert isinstance(primary["higher_is_better"], bool)
    assert metrics["test"][primary["name"]] == primary["model"]
    baseline = primary["baseline"]
    assert metrics["baselines"][baseline["name"]][primary["name"]] == baseline["value"]
    for values in (metrics["test"], *metrics["baselines"].values()):
        assert all(isinstance(value, int | float) for value in values.values())


def test_evaluating_again_gives_the_same_metrics(tiny):
    before = (tiny.run / "metrics.json").read_text()
    ended = processes.ended(tiny.task, "evaluate", ["--run", tiny.run], tiny.folder)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((tiny.run / "metrics.json").read_text())["test"] == json.loads(before)["test"]


def test_killed_after_a_checkpoint_and_resumed_it_ends_with_the_same_weights(tiny, tmp_path):
    run, arguments = tmp_path / "run", ["--preset", "tiny", "--run", "run"]
    killed = processes.ended(
        tiny.task, "train", arguments, tmp_path, small_training.kill_after_checkpoint, 1
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list((run / "checkpoints").glob("[0-9]*.checkpoint"))) == 1
    assert not (run / "model.keras").exists()
    resumed = processes.ended(tiny.task, "train", arguments, tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "Going on from step" in resumed.stdout
    load = importlib.import_module(f"apps.{tiny.task}.trained_model").load
    ours, theirs = (network_of(load(each)).get_weights() for each in (run, tiny.run))
    for weight, expected in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(weight, expected)
    timed = {"config.json", "metrics.json"}
    for file in {*tiny.run.glob("*.json"), tiny.run / "history.csv"}:
        if file.name not in timed:
            assert (run / file.name).read_text() == file.read_text(), file.name


def test_the_report_is_one_page_without_outside_parts(tiny):
    page = (tiny.run / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert not re.search(r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=[\"'](?!data:|#)", page)
    assert not re.search(r">\s*(nan|undefined)\s*<", page)


def test_the_readme_s_prediction_answers_in_json(tiny):
    of_task = task_folders.commands(task_folders.APPS / tiny.task / "README.md")
    arguments = next(given for _, name, given in of_task if name == "predict" and "--run" in given)
    at = arguments.index("--run")
    arguments = [*arguments[:at], "--run", str(tiny.run), *arguments[at + 2 :]]
    # Paths in a README are meant from the project's root.
    arguments = [*arguments, *([] if "--json" in arguments else ["--json"])]
    ended = processes.ended(tiny.task, "predict", arguments, task_folders.ROOT)
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_finished_run_is_not_trained_over(tiny):
    before = {file: file.stat().st_mtime_ns for file in tiny.run.rglob("*")}
    ended = processes.ended(tiny.task, "train", ["--preset", "tiny"], tiny.folder)
    assert ended.returncode == 2
    assert "finished run" in ended.stderr
    assert {file: file.stat().st_mtime_ns for file in tiny.run.rglob("*")} == before


@pytest.mark.parametrize("task", task_folders.TASKS)
@pytest.mark.parametrize("data", ["no_such_set", "/no/such/path.txt"])
def test_data_that_is_not_there_is_one_line_and_nothing_is_written(task, data, tmp_path):
    ended = processes.ended(task, "train", ["--preset", "tiny", "--data", data], tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert data in ended.stderr
    assert not list(tmp_path.iterdir())


def test_the_export_answers_as_the_served_contract_says(tiny):
    assert (tiny.version / "saved_model.pb").is_file()
    assert (tiny.version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
    assert not list(served_contract.differences(tiny.version, served_contract.table(tiny.task)))


def test_the_export_is_whole_and_was_asked_one_row_and_several(tiny):
    # Its check asks each signature more: rows alone, in another order, and an empty batch.
    assert [entry.name for entry in tiny.version.parent.iterdir()] == ["1"]
    asked: dict[str, set[int]] = {}
    for request in warmup_requests.read(tiny.version / warmup_requests.FILE):
        counts = asked.setdefault(request.signature, set())
        counts |= {len(value) for value in request.inputs.values() if np.ndim(value)}
    for name, counts in asked.items():
        assert name == "assets" or min(counts) == 1 < max(counts), f"{name}: {counts}"


def test_batch_and_time_of_the_export_are_free(tiny):
    for inputs, outputs in (served_contract.signatures(tiny.version)["serving_default"],):
        for name, (_, shape) in {**inputs, **outputs}.items():
            assert not shape or shape[0] is None or name.endswith("names"), f"{name}: {shape}"


def test_the_export_holds_stock_operations_only(tiny):
    operations = served_contract.operations(tiny.version)
    assert operations
    assert not [name for name in operations if re.search(r"PyFunc|Cudnn|XlaLaunch", name)]


def test_an_export_whose_layers_compute_otherwise_than_they_should_leaves_no_version(
    tiny, tmp_path, monkeypatch
):
    # Keras's answers must not come from the operation that the export holds: what is wrong in it
    # would be wrong in both.
    from lstm_layers.recurrences import lstm_block

    original = lstm_block._forward

    def wrong(*arguments):
        steps = original(*arguments)
        return steps._replace(h=steps.h * 1.1)

    monkeypatch.setattr(lstm_block, "_forward", wrong)
    export = importlib.import_module(f"apps.{tiny.task}.export").export
    if "BlockLSTMV2" in served_contract.operations(tiny.version):
        with pytest.raises(RuntimeError, match="it differs from Keras"):
            export(tiny.run, tmp_path)
        assert not list((tmp_path / tiny.task).iterdir())
    else:
        config = json.loads((tiny.run / "config.json").read_text())["config"]
        kind = config["model"].get("layer") or config["model"]["memory"]
        assert kind in ("gru", "conv_lstm"), "other layers answer by that operation"


@pytest.fixture
def copied(tiny, tmp_path):
    """A copy of the tiny run that a test may damage."""
    return Path(shutil.copytree(tiny.run, tmp_path / "run"))


def refused(task, name, run, capsys, *more):
    """The one line on stderr of a command that refuses a run and writes nothing into it."""
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*") if file.is_file()}
    module = importlib.import_module(f"apps.{task}.{name}")
    assert module.main(["--run", str(run), *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    assert before == {file: file.stat().st_mtime_ns for file in run.rglob("*") if file.is_file()}
    return error


def test_a_run_whose_data_have_changed_is_not_evaluated(tiny, copied, capsys):
    record = json.loads((copied / "config.json").read_text())
    record["data"]["fingerprint"] = "of other data"
    (copied / "config.json").write_text(json.dumps(record))
    assert "changed since the training" in refused(tiny.task, "evaluate", copied, capsys)


def test_a_run_that_diverged_is_not_evaluated(tiny, copied, capsys):
    trained = importlib.import_module(f"apps.{tiny.task}.trained_model").load(copied)
    model = network_of(trained)
    for weight in model.trainable_weights:
        weight.assign(np.full(weight.shape, np.nan))
    model.save(copied / "model.keras")
    error = refused(tiny.task, "evaluate", copied, capsys)
    assert "model.keras" in error
    assert "diverged" in error


def network_of(trained):
    values = trained if isinstance(trained, tuple) else vars(trained).values()
    return next(value for value in values if isinstance(value, keras.Model))


@pytest.mark.parametrize("name", ["evaluate", "export"])
def test_a_damaged_model_is_named(tiny, copied, capsys, tmp_path, name):
    (copied / "model.keras").write_bytes(b"not a model")
    more = ["--to", str(tmp_path / "exports")] if name == "export" else []
    assert "model.keras: cannot be read" in refused(tiny.task, name, copied, capsys, *more)
    assert not list(tmp_path.glob("exports/*/*"))


@pytest.mark.parametrize("task", task_folders.TASKS)
@pytest.mark.parametrize("name", ["evaluate", "export"])
def test_a_folder_without_a_run_says_how_to_train_one(task, name, capsys, tmp_path):
    module = importlib.import_module(f"apps.{task}.{name}")
    assert module.main(["--run", str(tmp_path / "none")]) == 2
    assert f"python -m apps.{task}.train" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file", ["exports", "exports/{task}"])
def test_a_file_where_the_export_should_go_is_one_line(tiny, tmp_path, capsys, file):
    place = tmp_path / file.format(task=tiny.task)
    place.parent.mkdir(exist_ok=True)
    place.write_text("")
    assert str(place) in refused(
        tiny.task, "export", tiny.run, capsys, "--to", str(tmp_path / "exports")
    )
    assert place.read_text() == ""


def test_the_network_is_written_as_onnx_and_answers_in_onnx_runtime(tiny, tmp_path, capsys):
    from apps import export_onnx

    onnxruntime = importlib.import_module("onnxruntime")

    for number in ("1", "2"):  # compared with Keras before it is there
        assert export_onnx.main(["--run", str(tiny.run), "--to", str(tmp_path)]) == 0
        assert f"{number}.onnx" in capsys.readouterr().out
    network = importlib.import_module(f"apps.{tiny.task}.export").onnx_network(tiny.run)
    session = onnxruntime.InferenceSession(tmp_path / tiny.task / "2.onnx")
    assert {each.name for each in session.get_inputs()} == network.examples[0].keys()
    assert all(isinstance(each.shape[0], str) for each in session.get_inputs()), "rows are free"
    (answer, *_) = session.run([network.answer], dict(network.examples[-1]))
    assert np.isfinite(answer).all()
