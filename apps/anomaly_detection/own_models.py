"""Trains a model for each series of a run, and chooses between them and the one in common.

Each is a finished run of its own in the run's folder `series`, which can be asked, measured and
exported alone. The choice is made on the validation parts: by the mean, over the series, of the
mean square of their residuals in deviations of each series.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from apps.anomaly_detection import calibration, trained_model
from apps.anomaly_detection import config as configs
from apps.suite import errors
from apps.suite.runs import run_folder
from apps.suite.tables import series

TASK = "anomaly_detection"
FOLDER = "series"
EACH, COMMON = "a model each", "a model in common"
"""Names of the two in tables."""


def train(
    train_one: Callable[[configs.Config, Path], None],
    config: configs.Config,
    run: Path,
    collection: series.Collection,
    common: Mapping[str, float],
) -> trained_model.Choice:
    """Trains what has not been trained yet, and chooses.

    Args:
        train_one: trains into a folder, and measures.
        config: of the run.
        run: its folder.
        collection: its series.
        common: validation loss of each series with the model in common.
    """
    folders, losses = dict[str, str](), []
    for number, one in enumerate(collection.series):
        folders[one.name] = f"{FOLDER}/{number:03d}"
        folder = run / folders[one.name]
        if not _is_finished(folder):
            told = f"{number + 1} of {len(collection.series)}: {one.name}, in {folder}"
            print(f"a model for series {told}", flush=True)
            train_one(_of_one(config, one.name), folder)
        losses.append(_validation_loss(folder))
    each, shared = float(np.mean(losses)), float(np.mean([*common.values()]))
    is_each = config.model.networks == "each" or each < shared
    return trained_model.Choice("each" if is_each else "common", folders, each, shared)


def told(choice: trained_model.Choice) -> str:
    """Returns a choice in words."""
    return (
        f"{EACH}: mean validation loss {choice.each_loss:.4g}; {COMMON}: {choice.common_loss:.4g}; "
        f"the run answers by {EACH if choice.chosen == 'each' else COMMON}"
    )


def other(trained: trained_model.TrainedModel) -> tuple[str, trained_model.TrainedModel] | None:
    """Returns the models that a run did not choose, with their name; None without a choice."""
    if trained.choice is None:
        return None
    is_each = trained.choice.chosen == "each"
    turned = trained.choice._replace(chosen="common" if is_each else "each")
    return COMMON if is_each else EACH, dataclasses.replace(trained, choice=turned)


def common_losses(
    network: keras.Model, config: configs.Config, collection: series.Collection
) -> dict[str, float]:
    """Returns the validation loss of each series by the model in common."""
    plain = calibration.plain_detector(network, config, collection.scored_count)
    return {
        one.name: calibration.mean_square(
            plain, config, dataclasses.replace(collection, series=(one,))
        )
        for one in collection.series
    }


def refuse_export(trained: trained_model.TrainedModel, run: Path) -> None:
    """Raises UserError for a run that answers by a model for each series."""
    if trained.choice is not None and trained.own:
        name, folder = next(iter(trained.choice.folders.items()))
        raise errors.UserError(
            f"{run}: answers by a model for each series; export them one by one, such as "
            f"--run {run / folder} ({name}), or train with --model.networks common"
        )


def _of_one(config: configs.Config, name: str) -> configs.Config:
    return dataclasses.replace(
        config,
        data_format=dataclasses.replace(config.data_format, series=name),
        model=dataclasses.replace(config.model, networks="common"),
    )


def _is_finished(folder: Path) -> bool:
    try:
        run_folder.open_finished(folder, TASK, configs.Config)
    except errors.UserError:
        return False
    return True


def _validation_loss(folder: Path) -> float:
    """Returns the smallest validation loss of a run, whose weights it has kept."""
    file = run_folder.open_finished(folder, TASK, configs.Config).history_file
    with file.open(encoding="utf-8", newline="") as opened:
        return min(float(row["validation_loss"]) for row in csv.DictReader(opened))
