"""Loads the files that training left in a run folder."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

import lstm_layers  # noqa: F401  (registers its layers, which model.keras names)
from apps.anomaly_detection import config as configs
from apps.anomaly_detection import detector as detectors
from apps.anomaly_detection import model as models  # noqa: F401  (as above)
from apps.anomaly_detection import score_stream, series_scales, thresholds
from apps.suite import errors
from apps.suite.export import trained_run
from apps.suite.runs import files, run_folder
from apps.suite.tables import series

_FILE = "detector.json"


class Choice(NamedTuple):
    """A run's choice between a model for each series and one in common; see `own_models`.

    Attributes:
        chosen: "each" or "common".
        folders: of each series' own run, below the run's folder.
        each_loss, common_loss: mean of the series' validation losses.
    """

    chosen: str
    folders: dict[str, str]
    each_loss: float
    common_loss: float


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A network (`model.build_network`) with all that makes a detector of it.

    Attributes:
        network: the scaler is one of its layers.
        config: of its run.
        normaliser, threshold: fitted on the validation parts.
        feature_names: of the columns that it reads, in order.
        scored_count: number of columns that are scored, the first ones.
        step_seconds: from a step to the next, in the data it has learned from.
        scales: of the series of the training, by name; none where all have one.
        choice: between this model and `each`, or None.
        each: the model of each series alone, by name.
    """

    network: keras.Model
    config: configs.Config
    normaliser: score_stream.Normaliser
    threshold: thresholds.Threshold
    feature_names: tuple[str, ...]
    scored_count: int
    step_seconds: float
    scales: dict[str, series_scales.Scale] = dataclasses.field(default_factory=dict)
    choice: Choice | None = None
    each: dict[str, TrainedModel] = dataclasses.field(default_factory=dict)

    @property
    def own(self) -> dict[str, TrainedModel]:
        """Returns the models of the series, where they are the ones that answer."""
        return self.each if self.choice is not None and self.choice.chosen == "each" else {}

    def brought(self, one: series.Series) -> tuple[series.Series, float]:
        """Returns a series on the scale of the network, and the level of its scores."""
        scaler = self.network.get_layer("scaling")
        mean, deviation = np.asarray(scaler.mean), np.asarray(scaler.deviation)
        return series_scales.brought(one, self.scales, mean, deviation)

    @property
    def season_steps(self) -> int:
        """Returns the season of the network, given or found in training; 0 = none."""
        names = [layer.name for layer in self.network.layers]
        return int(self.network.get_layer("season").season_steps) if "season" in names else 0

    @functools.cached_property
    def detector(self) -> detectors.Detector:
        """Reads streams and decides."""
        return detectors.Detector(self.network, self.config, self.normaliser, self.threshold.value)


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "anomaly_detection", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    file = folder.path / _FILE
    kept = files.read_json(file)
    network = trained_run.model(folder)
    try:
        choice = Choice(**kept["networks"]) if kept.get("networks") else None
        trained = TrainedModel(
            network,
            folder.config,
            score_stream.Normaliser(
                **{
                    name: np.array(values, np.float32)
                    for name, values in kept["normaliser"].items()
                }
            ),
            thresholds.Threshold(**kept["threshold"]),
            tuple(kept["feature_names"]),
            int(kept["scored_count"]),
            float(kept["step_seconds"]),
            {name: series_scales.Scale(**scale) for name, scale in kept.get("series", {}).items()},
            choice,
            {name: load(folder.path / own) for name, own in choice.folders.items()}
            if choice
            else {},
        )
        sizes = len(trained.feature_names), trained.scored_count, len(trained.normaliser.scale)
    except (KeyError, TypeError, ValueError) as error:
        raise errors.UserError(f"{file}: is damaged ({error}); train the model again") from error
    stream = detectors.residual_stream(network, folder.config)
    if sizes != (stream.features, stream.scored, stream.errors):
        raise errors.UserError(
            f"{folder.model_file}: reads {stream.features} columns and scores {stream.scored}, "
            f"{file} is for {sizes[0]} and {sizes[1]}; train the model again"
        )
    return trained


def write(folder: run_folder.RunFolder[configs.Config], trained: TrainedModel) -> None:
    """Writes what `read` reads, without model.keras."""
    files.write_json(
        folder.path / _FILE,
        {
            "feature_names": trained.feature_names,
            "scored_count": trained.scored_count,
            "step_seconds": trained.step_seconds,
            "series": {name: scale._asdict() for name, scale in trained.scales.items()},
            "normaliser": {
                name: values.tolist() for name, values in trained.normaliser._asdict().items()
            },
            "threshold": dataclasses.asdict(trained.threshold),
            "networks": trained.choice and trained.choice._asdict(),
        },
    )
