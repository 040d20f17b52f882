"""The signatures of the export: measurements in, scores and decisions out; see `export`."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.anomaly_detection import detector as detectors
from apps.anomaly_detection import trained_model

SETTINGS, EXAMPLE = "settings.json", "example.csv"
"""Assets: what the signatures cannot tell a client; some of the embedded data, if it is theirs."""


class ServedDetector:
    """A detector behind tensors in which NaN is a missing value.

    Args:
        trained: its threshold is the one that decides.
        example: measurements as csv for the asset example.csv, or None.

    Attributes:
        saved: what has to be saved for the signatures.
        state_names: of the stream's states, in order.
        settings: the asset settings.json: what a client has to know beside the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel, example: str | None = None) -> None:
        self.detector = trained.detector
        self.names = tf.constant(trained.feature_names)
        self.saved = tf.Module(name="served_detector")
        # With the seeds of dropout: Keras puts its masks into the graph, though nobody uses them
        self.saved.weights = [variable.value for variable in trained.network.variables]
        self.state_names = list(self.detector.initial_states(1))
        self.settings = _settings(trained)
        # Files of these names have to be there until the export is written.
        folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        assets = {SETTINGS: json.dumps(self.settings, indent=2) + "\n"}
        if example is not None:
            assets[EXAMPLE] = example
        for name, content in assets.items():
            (folder / name).write_text(content, encoding="utf-8")
        self.saved.assets = [tf.saved_model.Asset(str(folder / name)) for name in assets]

    def signatures(self) -> dict[str, Any]:
        """A traceable function by the name of its signature."""
        values = tf.TensorSpec([None, None, self.detector.features], tf.float32, "values")
        states = {
            name: tf.TensorSpec([None, *state.shape[1:]], state.dtype, name)
            for name, state in self.detector.initial_states(1).items()
        }
        return {
            "serving_default": tf.function(self.whole, autograph=False, input_signature=[values]),
            "stream": tf.function(self.stream, autograph=False).get_concrete_function(
                values=values, **states
            ),
        }

    def whole(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Signature `serving_default`."""
        found = self.detector.whole(*_split(values))
        states = self.detector.initial_states(tf.shape(values)[0])
        return self._answers(found, states)[0]

    def stream(self, values: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Signature `stream`."""
        found, after = self.detector.advance(*_split(values), states)
        answers, after = self._answers(found, after)
        return {**answers, **after}

    def _answers(
        self, found: detectors.Scores, states: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        is_anomaly, alarm, states = self.detector.decide(found.scores, states)
        rows = tf.shape(found.scores)[0]
        answers = {
            "score": found.scores,
            "threshold": tf.fill([rows], tf.constant(self.detector.threshold, tf.float32)),
            "is_anomaly": is_anomaly,
            "alarm": alarm,
            "contribution": found.contributions,
            "channel_names": tf.tile(self.names[None], [rows, 1]),
        }
        return answers, states


def _settings(trained: trained_model.TrainedModel) -> dict[str, Any]:
    """What somebody has to know to bring measurements in, beside the signatures."""
    scaling = trained.network.get_layer("scaling")
    return {
        "channel_names": list(trained.feature_names),
        "scored_channels": trained.scored_count,  # the first so many; the others are only read
        "step_seconds": trained.step_seconds,
        "season_steps": trained.season_steps,  # 0: none is known
        "mean": np.asarray(scaling.mean, np.float64).tolist(),  # of each channel, in its unit
        "deviation": np.asarray(scaling.deviation, np.float64).tolist(),
    }


def _split(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Values, and which of them are there."""
    return values, tf.math.is_finite(values)
