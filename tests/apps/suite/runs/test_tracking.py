"""A tracked training tells MLflow all that stands in its run folder, once, and goes on without it."""

import contextlib
import http.server
import json
import shutil
import subprocess
import sys
import threading

import pytest

from apps.suite import errors
from apps.suite.runs import tracking

pytest.importorskip("mlflow", reason="the extra `tracking` is not installed")
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning"
)  # of MLflow's own store
ROWS = [{"step": step, "loss": 1 / step, "validation_loss": 2 / step} for step in (10, 20, 30)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database with MLflow's tables and nothing in them; they take seconds to make."""
    import mlflow

    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{file}").get_experiment_by_name("none")
    return file


@pytest.fixture
def store(empty, tmp_path, monkeypatch):
    """The client of a store in a database of its own."""
    import mlflow

    monkeypatch.chdir(tmp_path)
    shutil.copy(empty, tmp_path / "mine.db")
    address = f"sqlite:///{tmp_path / 'mine.db'}"
    mlflow.set_tracking_uri(address)
    yield mlflow.MlflowClient(tracking_uri=address)
    mlflow.set_tracking_uri(None)


@pytest.fixture
def run(tmp_path):
    """A run folder that has begun."""
    folder = tmp_path / "runs" / "mine"
    (folder / "plots").mkdir(parents=True)
    record = {"task": "tagging", "config": {"seed": 3, "model": {"units": 8}}, "commit": "abc"}
    record["data"] = {"name": "a set", "fingerprint": "12"}
    (folder / "config.json").write_text(json.dumps(record))
    return folder


def finish(run):
    baselines = {"most frequent (of train)": {"f1": 0.25}}
    metrics = {"test": {"f1": 0.5, "by_label": {"a": 1}}, "baselines": baselines}
    (run / "metrics.json").write_text(json.dumps({**metrics, "train_seconds": 4.0}))
    for name in ("history.csv", "report.html", "plots/curve.png", "plots/curve-dark.png"):
        (run / name).write_text("content")


def only_run(store, experiment="tagging"):
    found = store.get_experiment_by_name(experiment)
    (run,) = store.search_runs([found.experiment_id])
    return run


def test_config_steps_results_and_files_are_told(store, run):
    with tracking.begun("mlflow", run, "tagging"):
        for count in (1, 2, 3):
            tracking.told(run / "history.csv", ROWS[:count])
        tracking.told(run / "twin" / "history.csv", [{"step": 40, "loss": 99.0}])
        finish(run)
    tracked = only_run(store)
    assert tracked.info.status == "FINISHED"
    assert tracked.data.params == {"seed": "3", "model.units": "8"}
    assert tracked.data.tags["commit"] == "abc"
    history = store.get_metric_history(tracked.info.run_id, "validation_loss")
    assert [(each.step, each.value) for each in history] == [(10, 0.2), (20, 0.1), (30, 2 / 30)]
    assert tracked.data.metrics["test.f1"] == 0.5
    assert tracked.data.metrics["baseline.most frequent _of train_.f1"] == 0.25
    named = {each.path for each in store.list_artifacts(tracked.info.run_id)}
    assert named == {"config.json", "metrics.json", "history.csv", "report.html", "plots"}
    plots = store.list_artifacts(tracked.info.run_id, "plots")
    assert [each.path for each in plots] == ["plots/curve.png"]


def test_an_interrupted_training_goes_on_as_one_run_and_tells_no_step_twice(store, run):
    with pytest.raises(KeyboardInterrupt), tracking.begun("mlflow", run, "tagging"):
        tracking.told(run / "history.csv", ROWS[:2])
        raise KeyboardInterrupt
    assert only_run(store).info.status == "KILLED"
    with tracking.begun("mlflow", run, "tagging"):
        tracking.told(run / "history.csv", ROWS[:2])
        tracking.told(run / "history.csv", ROWS)
        finish(run)
    tracked = only_run(store)
    assert tracked.info.status == "FINISHED"
    history = store.get_metric_history(tracked.info.run_id, "loss")
    assert [each.step for each in history] == [10, 20, 30]


def test_a_training_that_fails_is_marked(store, run):
    with pytest.raises(ValueError, match="mine"), tracking.begun("mlflow", run, "tagging"):
        tracking.told(run / "history.csv", ROWS[:1])
        raise ValueError("mine")
    assert only_run(store).info.status == "FAILED"


def test_a_store_that_stops_answering_is_told_once_and_stops_nothing(store, run, capsys):
    with tracking.begun("mlflow", run, "tagging"):
        tracking.told(run / "history.csv", ROWS[:1])
        store.delete_run(json.loads((run / tracking.NOTE).read_text())["run_id"])
        tracking.told(run / "history.csv", ROWS[:2])
        tracking.told(run / "history.csv", ROWS)
        finish(run)
    printed = capsys.readouterr().out
    assert printed.count("MLflow does not answer") == 1
    assert "not tracked to its end" in printed


class _Answering(http.server.BaseHTTPRequestHandler):
    """Answers as MLflow's server does, as far as a run begins; notes what it is asked."""

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        self.server.asked.append((self.path.split("/2.0/mlflow/")[-1].split("?")[0], body))
        info = {"run_id": "r", "run_uuid": "r", "experiment_id": "7", "status": "RUNNING"}
        info["artifact_uri"] = self.server.artifacts
        reply = {"experiment": {"experiment_id": "7"}, "run": {"info": info, "data": {}}}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def log_message(self, *_):
        """Leaves the terminal alone."""


@contextlib.contextmanager
def answering(port, asked, artifacts):
    """A server at the port (0: any that is free) while the block runs; yields it."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), _Answering) as server:
        server.asked, server.artifacts = asked, artifacts
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_closed_port_is_asked_once_and_told_all_it_missed_at_the_end(
    run, tmp_path, monkeypatch, capsys
):
    import mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    artifacts = (tmp_path / "artifacts").as_uri()
    before, after = [], []
    first = contextlib.ExitStack()
    port = first.enter_context(answering(0, before, artifacts)).server_port
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    mlflow.set_tracking_uri(None)
    with first, contextlib.ExitStack() as second:
        with tracking.begun("mlflow", run, "tagging"):
            tracking.told(run / "history.csv", ROWS[:1])
            first.close()
            tracking.told(run / "history.csv", ROWS[:2])  # nobody is at the port
            second.enter_context(answering(port, after, artifacts))
            tracking.told(run / "history.csv", ROWS)
            assert after == [], "it is left alone after it has not answered"
            finish(run)
    assert steps_of(before, "loss") == [10]
    assert steps_of(after, "loss") == [20, 30]
    assert steps_of(after, "test.f1") == [30]
    printed = capsys.readouterr().out
    assert printed.count("MLflow does not answer") == 1
    assert "tracked: MLflow run r" in printed


def steps_of(asked, metric):
    logged = [body for path, body in asked if path == "runs/log-metric"]
    return [body["step"] for body in logged if body["key"] == metric]


def test_a_store_that_cannot_be_opened_is_one_line_before_the_training(run, tmp_path, monkeypatch):
    import mlflow

    (tmp_path / "file").write_text("where a folder should be")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'file' / 'mine.db'}")
    mlflow.set_tracking_uri(None)
    with pytest.raises(errors.UserError, match=r"file/mine\.db does not answer"):
        with tracking.begun("mlflow", run, "tagging"):
            raise AssertionError("the training began")


def test_nothing_is_imported_and_told_unless_it_is_asked_for(tmp_path):
    program = (
        "import sys, pathlib\nfrom apps.suite.runs import tracking\n"
        "with tracking.begun('none', pathlib.Path('x'), 'task'):\n"
        "    tracking.told(pathlib.Path('x/history.csv'), [{'step': 1}])\n"
        "assert 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.slow
def test_a_training_is_tracked_from_its_command(store, tmp_path, monkeypatch, capsys):
    from apps.anomaly_detection import train

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mine.db'}")
    assert train.main(["--preset", "tiny", "--track", "mlflow", "--run", "runs/tiny"]) == 0
    tracked = only_run(store, "anomaly_detection")
    assert f"tracked: MLflow run {tracked.info.run_id}" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "runs/tiny/metrics.json").read_text())
    for name, value in metrics["test"].items():
        if isinstance(value, int | float):
            assert tracked.data.metrics[f"test.{name}"] == pytest.approx(value)
    steps = (tmp_path / "runs/tiny/history.csv").read_text().splitlines()[1:]
    assert len(store.get_metric_history(tracked.info.run_id, "loss")) == len(steps)
