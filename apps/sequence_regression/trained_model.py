"""Loads and writes the files that training leaves in a run folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from apps.sequence_regression import config as configs
from apps.sequence_regression import model  # noqa: F401  (registers the layers of the network)
from apps.suite import errors
from apps.suite.export import trained_run
from apps.suite.networks import sequence_encoder
from apps.suite.runs import files, run_folder
from apps.suite.sequences import members
from apps.suite.texts import words

INTERVALS_FILE = "intervals.json"


@dataclass(frozen=True)
class TrainedModel:
    """A model with what its answers need.

    Attributes:
        model: what `model.build` returned.
        config: of its run.
        target_names, channel_names: in the model's order; no channels where it reads text.
        offsets: of each target, how far both ends of its interval move outwards.
        vocabulary: of texts; None for a model of numbers.
    """

    model: keras.Model
    config: configs.Config
    target_names: tuple[str, ...]
    channel_names: tuple[str, ...]
    offsets: tuple[float, ...]
    vocabulary: words.Vocabulary | None = None

    @property
    def stream(self) -> sequence_encoder.Stream | members.Stream | None:
        """Returns what reads a stream; None of a model that needs whole sequences."""
        is_text = self.vocabulary is not None
        return members.stream_of(self.model, self.config.model, is_text)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Returns the least and the highest answer; None where there is no limit."""
        if not self.config.target.remaining:
            return None
        return 0.0, self.config.target.cap or float("inf")


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "sequence_regression", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    trained = trained_run.model(folder)
    names = tuple(folder.data["target_names"])
    offsets = tuple(files.read_json(folder.path / INTERVALS_FILE).get("offsets", ()))
    known = trained.outputs[0].shape[-2] if getattr(trained, "outputs", None) else 0
    if known != len(names) or len(offsets) != len(names):
        raise errors.UserError(
            f"{folder.model_file}: answers {known} targets, {folder.config_file} names "
            f"{len(names)} and {INTERVALS_FILE} {len(offsets)}; train the model again"
        )
    channels = tuple(folder.data["channel_names"])
    vocabulary = None if channels else words.load(folder.path)
    return TrainedModel(trained, folder.config, names, channels, offsets, vocabulary)


def write(folder: run_folder.RunFolder[configs.Config], offsets: Sequence[float]) -> None:
    """Writes what is beside the model: the offsets of the intervals."""
    settings = dataclasses.asdict(folder.config.intervals)
    files.write_json(folder.path / INTERVALS_FILE, {"offsets": list(offsets), **settings})
