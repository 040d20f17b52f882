"""Loads the files that training left in a run folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np

from apps.forecasting import config as configs
from apps.forecasting import data, forecaster
from apps.suite import errors
from apps.suite.export import trained_run
from apps.suite.panels import layout as layouts
from apps.suite.runs import files, run_folder

_FILE = "forecaster.json"


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A network (`model.build`) with all that makes a forecaster of it.

    Attributes:
        calibration: of the quantiles, fitted on the validation part.
    """

    network: keras.Model
    config: configs.Config
    layout: layouts.Layout
    calibration: forecaster.Calibration

    def forecaster(self) -> forecaster.Forecaster:
        """Makes a forecaster with graphs of its own: they keep the loops they were traced with."""
        return forecaster.Forecaster(self.network, self.config, self.layout, self.calibration)


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "forecasting", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    file = folder.path / _FILE
    kept = files.read_json(file)
    network = trained_run.model(folder)
    try:
        layout = layouts.from_dict(kept["layout"])
        # Older runs hold the offsets alone
        held = {"offsets": kept["offsets"], **kept.get("beyond", {})}
        calibration = forecaster.uncalibrated(folder.config)._replace(
            **{name: np.array(each, np.float32) for name, each in held.items()}
        )
        levels, horizon = len(folder.config.forecast.levels), folder.config.forecast.horizon_steps
        shapes = (*(each.shape for each in calibration[:2]), calibration.shares.shape[1:])
        if shapes != ((levels,), (levels,), (horizon,)):
            raise ValueError(f"holds intervals of another model, {shapes}")
        widths = data.widths(layout, folder.config.model)
        sizes = tuple(each.shape[-1] for each in network.inputs[: len(widths)])
    except (KeyError, TypeError, ValueError) as error:
        raise errors.UserError(f"{file}: is damaged ({error}); train the model again") from error
    if sizes != widths:
        raise errors.UserError(
            f"{folder.model_file}: reads {sizes} numbers a step, {file} is for {widths}; "
            "train the model again"
        )
    return TrainedModel(network, folder.config, layout, calibration)


def write(folder: run_folder.RunFolder[configs.Config], trained: TrainedModel) -> None:
    """Writes what `read` reads, without model.keras."""
    offsets, stretches, shares = (each.tolist() for each in trained.calibration)
    beyond = {"stretches": stretches, "shares": shares}
    kept = {"layout": trained.layout.to_dict(), "offsets": offsets, "beyond": beyond}
    files.write_json(folder.path / _FILE, kept)
