"""Runs a detector on live series: a row of measurements in, score and decision out."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.anomaly_detection import trained_model
from apps.suite import errors
from apps.suite.runs import files

_DIGEST = "model"


class Decision(NamedTuple):
    """Answers to some steps of each series.

    Attributes:
        scores: float32 [series, time], 0 where there is none.
        is_anomaly: bool [series, time], over the threshold and not in a cool-down.
        alarms: bool [series, time], the first step of each event.
        contributions: float32 [series, time, features], adding up to the score.
        valid: bool [series, time], whether there is a score.
    """

    scores: np.ndarray
    is_anomaly: np.ndarray
    alarms: np.ndarray
    contributions: np.ndarray
    valid: np.ndarray


class Stream:
    """Live series that the model reads side by side.

    Its scores are those of the series as a whole, `trained.detector.steps_behind` steps later.

    Args:
        trained: the model.
        series_count: number of series.

    Attributes:
        states: all that is remembered, by name.
    """

    def __init__(self, trained: trained_model.TrainedModel, series_count: int = 1) -> None:
        self.trained = trained
        self.states = trained.detector.initial_states(series_count)
        self._advance = tf.function(_advance, autograph=False, reduce_retracing=True)

    def feed(self, values: np.ndarray) -> Decision:
        """Reads the next step or steps.

        Args:
            values: float [series, features] or [series, time, features], NaN where missing.

        Raises:
            ValueError: values of another shape.
        """
        values = np.asarray(values, np.float32)
        if values.ndim == 2:
            values = values[:, None, :]
        rows, features = self.states["last_values"].shape
        if values.ndim != 3 or values.shape[::2] != (rows, features):
            raise ValueError(f"values of {rows} series and {features} columns, not {values.shape}")
        detector = self.trained.detector
        decision, self.states = self._advance(detector, tf.constant(values), self.states)
        return Decision(*(each.numpy() for each in decision))

    def save(self, file: Path) -> None:
        """Writes the states to a file, whole or not at all; UserError where it cannot be."""
        content = io.BytesIO()
        arrays: dict[str, Any] = {name: state.numpy() for name, state in self.states.items()}
        arrays[_DIGEST] = _digest(self.trained)
        np.savez(content, **arrays)
        files.write_atomically(file, content.getvalue())

    @classmethod
    def restore(cls, trained: trained_model.TrainedModel, file: Path) -> Stream:
        """Restores a saved stream, to the bit.

        Raises:
            UserError: no such file, a damaged one, or one of another model.
        """
        try:
            with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as kept:
                arrays = dict(kept)
        except FileNotFoundError as error:
            raise errors.UserError(f"{file}: no such file") from error
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise errors.UserError(f"{file}: is not a saved stream, or damaged") from error
        if str(arrays.pop(_DIGEST, "")) != _digest(trained):
            raise errors.UserError(f"{file}: is the stream of another model; begin a new one")
        stream = cls(trained)
        stream.states = {name: tf.constant(array) for name, array in arrays.items()}
        return stream


def _advance(detector, values: tf.Tensor, states: dict[str, tf.Tensor]) -> tuple:  # type: ignore[no-untyped-def]
    found, states = detector.advance(values, tf.math.is_finite(values), states)
    is_anomaly, alarms, states = detector.decide(found.scores, states)
    return (found.scores, is_anomaly, alarms, found.contributions, found.valid), states


def _digest(trained: trained_model.TrainedModel) -> str:
    """Tells a model from another one by all its weights and what was fitted after them."""
    digest = hashlib.sha256(repr((trained.config, trained.threshold)).encode())
    for array in (*trained.network.get_weights(), *trained.normaliser):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
