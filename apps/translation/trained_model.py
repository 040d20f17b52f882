"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.suite import errors
from apps.suite.data import text_examples
from apps.suite.export import trained_run
from apps.suite.networks import encoder_decoder
from apps.suite.runs import files, run_folder
from apps.suite.sequences import pair_answers
from apps.suite.texts import subwords
from apps.translation import config as configs

SOURCE, TARGET, SEARCH = "source_pieces", "target_pieces", "search.json"


class TrainedModel(NamedTuple):
    """A network (`model.build`), the pieces of both sides, its run's config.

    Attributes:
        length_ratio: of the longest translation to its source, in tokens.
        languages: names of both, "" where the data have none.
        length_penalty: of the config, or the one that validation chose.
        example: a test source, "" where none was kept.
    """

    model: keras.Model
    source: subwords.Subwords
    target: subwords.Subwords
    length_ratio: float
    languages: tuple[str, str]
    config: configs.Config
    length_penalty: float
    example: str = ""

    @property
    def writer(self) -> pair_answers.Writer:
        """Returns what translates texts, by a new graph."""
        return pair_answers.Writer(self.model, self.source, self.target, self.length_ratio)


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "translation", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    source, target = (subwords.load(folder.path / name) for name in (SOURCE, TARGET))
    network = trained_run.model_of(
        folder, target.size, "pieces", folder.path / TARGET, encoder_decoder.LOGITS
    )
    data = folder.data
    languages = tuple(data["languages"])
    return TrainedModel(
        network,
        source,
        target,
        data["length_ratio"],
        (languages[0], languages[1]),
        folder.config,
        _length_penalty(folder),
        text_examples.kept(folder.path),
    )


def _length_penalty(folder: run_folder.RunFolder[configs.Config]) -> float:
    given = folder.config.search.length_penalty
    if given is not None:
        return given
    file = folder.path / SEARCH
    try:
        return float(files.read_json(file)["length_penalty"])
    except (KeyError, TypeError, ValueError):
        raise errors.UserError(f"{file}: lacks length_penalty; train the model again") from None
