"""A run or an export, asked alike: for a clip's label, or for the words of a stream."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps import errors
from apps.speech_commands import detector, served_speech, trained_model


class Recogniser:
    """Answers through the signatures of an export; see `from_run` and `from_export`.

    Args:
        signatures: by name, each a function of named tensors.
        settings: the asset of that name.
        owner: holds the variables, which the signatures don't.

    Attributes:
        label_names: of the probabilities.
        sample_rate_hz: of the samples that it takes.
        clip_seconds: how much of a stream an answer is about.
        streams: whether it answers streams.
    """

    def __init__(
        self, signatures: Mapping[str, Any], settings: Mapping[str, Any], owner: object
    ) -> None:
        self._signatures, self._owner = signatures, owner
        self._settings = settings
        self.label_names = tuple(settings["label_names"])
        self.sample_rate_hz = int(settings["sample_rate_hz"])
        self.clip_seconds = float(settings["clip_seconds"])
        self.streams = "detector" in settings

    def probabilities(self, waveform: np.ndarray) -> np.ndarray:
        """Float32 [labels] of a clip, float32 [samples]."""
        asked = self._signatures["serving_default"](waveform=tf.constant(waveform[None]))
        return np.asarray(asked["probabilities"])[0]

    def detections(self, blocks: Iterable[np.ndarray]) -> Iterator[list[detector.Detection]]:
        """The words of a stream, which comes as float32 [samples] of any lengths: block by block.

        Only what is not yet answered is kept in memory.
        """
        finder = detector.Detector(self.label_names, **self._settings["detector"])
        found = finder.initial_state()
        states = {name: tf.zeros([1, 0]) for name in self._settings["states"]}
        for block in blocks:
            asked = self._signatures["stream"](chunk=tf.constant(block[None]), **states)
            states = {name: asked[name] for name in states}
            hits, found = finder.detect(np.asarray(asked["probabilities"])[0], found)
            yield hits


def from_run(run: Path) -> Recogniser:
    """Of a finished run. Raises what `trained_model.load` raises."""
    trained = trained_model.load(run)
    served = served_speech.ServedSpeech(
        trained.model, trained.label_names, trained.config, trained.thresholds
    )
    return Recogniser(served.signatures(), served.settings, served)


def from_export(version: Path) -> Recogniser:
    """Of an exported version's folder; UserError where it is none, or damaged."""
    # TensorFlow warns that gradients were not saved; nothing is trained here.
    logging.getLogger("absl").setLevel(logging.ERROR)
    file = version / "assets" / served_speech.SETTINGS
    if not (version / "saved_model.pb").is_file() or not file.is_file():
        raise errors.UserError(
            f"--model {version}: no exported version; it is the numbered folder that "
            "python -m apps.speech_commands.export wrote"
        )
    try:
        loaded = tf.saved_model.load(str(version))
        settings = json.loads(file.read_text(encoding="utf-8"))
        return Recogniser(loaded.signatures, settings, loaded)
    except (tf.errors.OpError, OSError, KeyError, TypeError, ValueError) as error:
        raise errors.UserError(
            f"--model {version}: no export of speech_commands, or a damaged one; export the run "
            "again"
        ) from error
