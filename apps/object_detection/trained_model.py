"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.object_detection import config as configs
from apps.object_detection import model  # noqa: F401  (registers the model's layers)
from apps.suite import errors
from apps.suite.export import trained_run
from apps.suite.runs import files, run_folder
from apps.suite.training import history

TASK = "object_detection"
_FILE = "threshold.json"
_THRESHOLD = 0.3  # of a run that is older than the choice of one


class TrainedModel(NamedTuple):
    """A detector (`model.build`), the names of its classes, and the config of its run.

    A box with a score of at least `threshold` is told, unless another one is asked for.
    """

    model: keras.Model
    label_names: tuple[str, ...]
    config: configs.Config
    threshold: float = _THRESHOLD


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, TASK, configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    names = tuple(folder.data["label_names"])
    trained = trained_run.model(folder)
    outputs = getattr(trained, "outputs", None)
    known = outputs[0].shape[-1] - 4 if outputs else 0
    if known != len(names):
        raise errors.UserError(
            f"{folder.model_file}: knows {known} labels, {folder.config_file} names {len(names)}; "
            "train the model again"
        )
    return TrainedModel(trained, names, folder.config, _threshold(folder))


def write_threshold(folder: run_folder.RunFolder[configs.Config], record: history.History) -> None:
    """Writes the threshold that the validation part chose for the weights that were kept."""
    row = next(row for row in record.rows if row["step"] == record.best_step)
    files.write_json(folder.path / _FILE, {"threshold": row["validation_threshold"]})


def _threshold(folder: run_folder.RunFolder[configs.Config]) -> float:
    given, file = folder.config.evaluation.threshold, folder.path / _FILE
    if given is not None or not file.is_file():
        return _THRESHOLD if given is None else given
    found = files.read_json(file).get("threshold")
    if not isinstance(found, float) or not 0 < found < 1:
        raise errors.UserError(f"{file}: threshold must be a number from 0 to 1, is {found!r}")
    return found
