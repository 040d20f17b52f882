"""Tells a tracker of experiments what a training does: MLflow, if the command asks for it.

    with tracking.begun("mlflow", run, task):
        …                                   # the training; it calls `told` after each checkpoint

All that is told stands in the run folder as well. The tracker's own number of the run is noted
there, so that a training that was interrupted goes on as one run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from apps.suite import errors
from apps.suite.runs import files

Kind = Literal["none", "mlflow"]
NOTE = "mlflow.json"
_FORBIDDEN = re.compile(r"[^\w. :/-]")  # in a metric's name
_LONGEST_VALUE = 500  # of a parameter, in MLflow

_tracker: _Tracker | None = None  # of the training of this process


@contextlib.contextmanager
def begun(kind: Kind, run: Path, task: str) -> Iterator[None]:
    """Has the training of the block tracked, with its config, results, plots and report.

    The tracker is the one of MLFLOW_TRACKING_URI, or MLflow's default, a database in the current
    folder. One that stops answering does not stop the training: a line says so, it is left alone
    until the end, and then it is told all that it has missed.

    Args:
        kind: "none" changes nothing, and imports nothing.
        run: folder of the run.
        task: name of the task, and of the experiment unless MLFLOW_EXPERIMENT_NAME gives one.

    Raises:
        errors.UserError: MLflow is not installed, or its store cannot be opened.
    """
    global _tracker
    if kind == "none":
        yield
        return
    _tracker = _Tracker(run, task)
    try:
        yield
        _tracker.finish()
    except KeyboardInterrupt:
        _tracker.end("KILLED")
        raise
    except BaseException as error:
        _tracker.end("FAILED" if not isinstance(error, SystemExit) else "KILLED")
        raise
    finally:
        _tracker = None


def told(history_file: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Tells the tracker the rows of a history; those that it knows, and other histories, are left.

    A task may train further networks in its evaluation; only the run's own history is tracked.
    """
    if _tracker is not None and history_file.parent.resolve() == _tracker.run.resolve():
        _tracker.tell(rows)


class _Tracker:
    """A run of MLflow, begun with the first row of the history."""

    def __init__(self, run: Path, task: str) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 14 seconds, not minutes
        for name in ("mlflow", "alembic"):  # tables of a new database
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            import mlflow
        except ImportError as error:
            raise errors.UserError(
                "--track mlflow needs mlflow-skinny: pip install '.[tracking]'"
            ) from error
        self.run = run
        self._rows: Sequence[Mapping[str, float]] = ()
        self._answers = True
        self._is_finished = False
        self._id = ""
        self._last_step = 0
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", task)
        try:
            self._client = mlflow.MlflowClient()
            found = self._client.get_experiment_by_name(name)
            self._experiment = (
                found.experiment_id if found else self._client.create_experiment(name)
            )
        except Exception as error:  # of whatever store it is
            raise errors.UserError(
                f"--track mlflow: {mlflow.get_tracking_uri()} does not answer: {_line(error)}"
            ) from error

    def tell(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Logs the rows of steps after the last one that is known, if the tracker answers."""
        self._rows = tuple(rows)
        if self._answers:  # one that does not is waited for seconds each time
            with self._forgiving():
                self._catch_up()

    def finish(self) -> None:
        """Logs the results, the plots and the report of a finished run."""
        if not (self.run / "metrics.json").is_file():  # a worker that is not the chief
            return
        with self._forgiving():
            self._catch_up()
            metrics = files.read_json(self.run / "metrics.json")
            test = {f"test.{name}": value for name, value in metrics["test"].items()}
            for baseline, values in metrics["baselines"].items():
                test |= {f"baseline.{baseline}.{name}": value for name, value in values.items()}
            self._log({**test, "train_seconds": metrics["train_seconds"]}, self._last_step)
            for name in ("config.json", "metrics.json", "history.csv", "report.html"):
                self._client.log_artifact(self._id, str(self.run / name))
            for plot in sorted((self.run / "plots").glob("*.png")):
                if not plot.stem.endswith("-dark"):
                    self._client.log_artifact(self._id, str(plot), "plots")
            self._client.set_terminated(self._id, "FINISHED")
            print(f"tracked: MLflow run {self._id}", flush=True)
            self._is_finished = True
        if not self._is_finished:
            print(f"not tracked to its end; {self.run} holds all that MLflow lacks", flush=True)

    def end(self, status: str) -> None:
        """Marks a run that has begun as ended before its time, if the tracker answers."""
        if self._id and self._answers:
            with self._forgiving():
                self._client.set_terminated(self._id, status)

    def _catch_up(self) -> None:
        """Logs the rows that the tracker lacks."""
        self._begin()
        for row in self._rows:
            if row["step"] > self._last_step:
                step = int(row["step"])
                self._log({name: row[name] for name in row if name != "step"}, step)
                self._last_step = step

    def _begin(self) -> None:
        """Creates the run, or goes on with the one that the run folder notes."""
        if self._id:
            return
        note = self.run / NOTE
        if note.is_file():
            self._id = str(files.read_json(note)["run_id"])
            history = self._client.get_metric_history(self._id, "loss")
            self._last_step = max((each.step for each in history), default=0)
            self._client.update_run(self._id, "RUNNING")
            return
        record = files.read_json(self.run / "config.json")
        tags = {
            "task": record["task"],
            "data": record["data"].get("name", ""),
            "data.fingerprint": record["data"].get("fingerprint", ""),
            "commit": record["commit"],
            "run_folder": str(self.run),
        }
        begun = self._client.create_run(
            self._experiment, tags={name: str(tags[name]) for name in tags}, run_name=self.run.name
        )
        self._id = begun.info.run_id
        files.write_json(note, {"run_id": self._id, "experiment_id": self._experiment})
        for name, value in files.flat(record["config"]):
            self._client.log_param(self._id, name, str(value)[:_LONGEST_VALUE])

    def _log(self, values: Mapping[str, Any], step: int) -> None:
        """Logs the numbers among the values."""
        now = int(1000 * time.time())
        for name, value in values.items():
            if isinstance(value, int | float):
                plain = _FORBIDDEN.sub("_", name)
                self._client.log_metric(self._id, plain, float(value), timestamp=now, step=step)

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Says once that the tracker does not answer, and goes on: the run folder has it all."""
        try:
            yield
        except errors.UserError:
            raise
        except Exception as error:  # a server's, a database's or the network's
            if self._answers:
                print(
                    f"MLflow does not answer: {_line(error)}; the training goes on, and it is "
                    "asked again at the end",
                    flush=True,
                )
            self._answers = False


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
