"""Builds the signatures of the export, which take sound and return labels, and their requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.speech_commands import config as configs
from apps.speech_commands import data, streams, trained_model
from apps.speech_commands.scoring import ClipProbabilities
from apps.suite.export import assets
from apps.suite.serving import signatures, warmup_requests
from apps.suite.sounds import features, served_sounds, sound_files

_ANSWER = {
    "label": "string[b]",
    "label_names": "string[labels]",
    "probabilities": "float32[b, labels]",
}
SIGNATURES = {
    "serving_default": signatures.Signature({"waveform": "float32[b, samples]"}, _ANSWER),
    "wav": signatures.Signature({"wav": "string[b]"}, _ANSWER),
    "stream": signatures.Signature(
        {"chunk": "float32[b, samples]", signatures.STATES: "float32[b, numbers]"},
        {
            "label": "string[b]",
            "label_names": "string[labels]",
            "probabilities": "float32[b, frames, labels]",
            signatures.STATES: "float32[b, numbers]",
        },
        optional=True,  # only of a model that hears no later sound
    ),
    "assets": signatures.ASSETS,
}
"""Samples lie from -1 to 1 at the rate of the run; a stream's states begin as float32[b, 0]."""

LIMITS = {
    "rows_times_samples": 2**22,  # a row counts as one window of the features, or more
    "bytes_of_all_files": 2**23,  # of `wav`
}
"""Bounds of a request, which the graph holds; also in the asset settings.json."""


class ServedSpeech:
    """Serves a recogniser: samples, WAV files and streams.

    Args:
        trained: what `model.build` returned.
        label_names: of its classes.
        config: of its run.
        thresholds: of a stream's detector, by word; kept in assets/settings.json.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json: what clients need beside the signatures.
        listener: None for a model that answers clips only.
    """

    def __init__(
        self,
        trained: keras.Model,
        label_names: Sequence[str],
        config: configs.Config,
        thresholds: Mapping[str, float],
    ) -> None:
        self.config = config
        self.window_samples = features.frame_sizes(config.audio, config.features).window
        self.clip_probabilities = ClipProbabilities(trained, config)
        self.label_names = tf.constant(list(label_names))
        self.listener = streams.Listener(trained, config) if config.streams else None
        self.settings = self._settings(thresholds)
        self.assets = assets.of_settings(self.settings)
        self.saved = self.assets.module("served_speech", trained)

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        found = self.assets.signatures(
            serving_default=(self.clips, [tf.TensorSpec([None, None], tf.float32, "waveform")]),
            wav=(self.files, [tf.TensorSpec([None], tf.string, "wav")]),
        )
        if self.listener is not None:
            found["stream"] = served_sounds.stream_signature(self.stream, self.listener)
        return found

    def clips(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        waveform = self._within(waveform, "waveform")
        rows = tf.shape(waveform)[0]
        samples = served_sounds.sound(served_sounds.at_least_one_row(waveform), "waveform")
        return self._answer(self._probabilities(samples)[:rows])

    def files(self, wav: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `wav`, file by file, because their lengths differ."""
        wav = served_sounds.files(wav, self.window_samples, LIMITS)
        spec = tf.TensorSpec([self.label_names.shape[0]], tf.float32)
        return self._answer(tf.map_fn(self._file, wav, fn_output_signature=spec))

    def stream(self, chunk: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `stream`; states come and go as rows, whatever their inner shape.

        A row that is empty stands for the state before the first sample.
        """
        assert self.listener is not None
        rows = tf.shape(chunk)[0]
        chunk = self._within(chunk, "chunk")
        chunk = served_sounds.at_least_one_row(chunk)
        most = LIMITS["rows_times_samples"]
        before = served_sounds.states_before(states, rows, self.listener, most)
        posteriors, after = self.listener(served_sounds.sound(chunk, "chunk"), before)
        newest = tf.gather(self.label_names, tf.argmax(posteriors[:, -1:], axis=2))
        return {
            "probabilities": posteriors[:rows],
            "label": tf.strings.reduce_join(newest, axis=1)[:rows],  # "" where no frame is new
            "label_names": self.label_names,
            **served_sounds.states_after(after, rows),
        }

    @tf.autograph.experimental.do_not_convert  # nothing to convert, and it would take long
    def _file(self, wav: tf.Tensor) -> tf.Tensor:
        """Returns probabilities [labels] for the bytes of one file."""
        mono = served_sounds.mono(wav, self.config.audio.sample_rate_hz)
        return self._probabilities(served_sounds.sound(self._within(mono, "wav"), "wav"))[0]

    def _within(self, samples: tf.Tensor, name: str) -> tf.Tensor:
        """Returns samples [b, n] after a check of how many they are."""
        most = LIMITS["rows_times_samples"]
        return served_sounds.within(samples, self.window_samples, most, name)

    def _probabilities(self, waveform: tf.Tensor) -> tf.Tensor:
        """Returns probabilities [b, labels] for samples [b, samples]."""
        told = ["waveform: no samples; a clip has at least one"]
        with tf.control_dependencies([tf.debugging.Assert(tf.shape(waveform)[1] > 0, told)]):
            return self.clip_probabilities.of_batch(tf.identity(waveform))

    def _answer(self, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "label": tf.gather(self.label_names, tf.argmax(probabilities, axis=1)),
            "label_names": self.label_names,
            "probabilities": probabilities,
        }

    def _settings(self, thresholds: Mapping[str, float]) -> dict[str, Any]:
        """Returns what clients need beside the signatures."""
        settings: dict[str, Any] = {
            "sample_rate_hz": self.config.audio.sample_rate_hz,
            "clip_seconds": self.config.audio.window_seconds,
            "label_names": [name.decode() for name in self.label_names.numpy()],
            "limits": LIMITS,
        }
        if self.listener is not None:
            settings["states"] = list(self.listener.initial_states(1))
            settings["detector"] = {
                "thresholds": dict(thresholds),
                **self.listener.timing(self.config.detection),
            }
        return settings


def served(run: Path) -> ServedSpeech:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    trained = trained_model.load(run)
    return ServedSpeech(trained.model, trained.label_names, trained.config, trained.thresholds)


def requests(
    trained: keras.Model, label_names: Sequence[str], config: configs.Config
) -> list[warmup_requests.Request]:
    """Returns requests of one and of several sounds, some of them shorter than a window.

    The answers come from Keras, which runs the model operation by operation, and not from the
    functions that are exported.
    """
    names = np.array([name.encode() for name in label_names], object)
    rate, draw = config.audio.sample_rate_hz, np.random.default_rng(0)
    second, short = served_sounds.example(rate, rate, draw), served_sounds.example(rate, 7, draw)
    three = np.stack([served_sounds.example(rate, int(1.37 * rate), draw) for _ in range(3)])
    found = [
        _clips(trained, names, config, sound)
        for sound in (second[None], three, short[None], np.zeros((1, rate), np.float32))
    ]
    several = ([second], [second, short, three[0]])
    found += [_files(trained, names, config, files) for files in several]
    if config.streams:
        hears = streams.Listener(trained, config)
        for sound in (second[None], three):
            found += _stream(hears, names, sound)
    return [*found, assets.request()]


def _clips(
    trained: keras.Model, names: np.ndarray, config: configs.Config, waveform: np.ndarray
) -> warmup_requests.Request:
    probabilities = np.concatenate([_ask(trained, config, row) for row in waveform])
    return warmup_requests.Request(
        "serving_default", {"waveform": waveform}, _answers(names, probabilities)
    )


def _files(
    trained: keras.Model, names: np.ndarray, config: configs.Config, sounds: Sequence[np.ndarray]
) -> warmup_requests.Request:
    rate = config.audio.sample_rate_hz
    files = [sound_files.wav_bytes(sound, rate) for sound in sounds]
    read = [np.round(sound * 32768).clip(-32768, 32767) / 32768 for sound in sounds]
    probabilities = np.concatenate(
        [_ask(trained, config, sound.astype(np.float32)) for sound in read]
    )
    return warmup_requests.Request(
        "wav", {"wav": np.array(files, object)}, _answers(names, probabilities)
    )


def _stream(
    hears: streams.Listener, names: np.ndarray, sound: np.ndarray
) -> list[warmup_requests.Request]:
    """Returns requests for a first chunk, a second, and one too short for an answer."""
    batch, length = sound.shape
    states = {name: np.zeros((batch, 0), np.float32) for name in hears.initial_states(1)}
    after = hears.initial_states(batch)
    found = []
    for chunk in np.split(sound, [length // 2, length - 3], axis=1):
        probabilities, after = hears(tf.constant(chunk), after)
        newest = probabilities[:, -1:].numpy().argmax(axis=2)
        labels = [b"".join(names[row]) for row in newest]
        rows = {name: state.numpy().reshape(batch, -1) for name, state in after.items()}
        answers = {
            "probabilities": probabilities.numpy(),
            "label": np.array(labels, object),
            "label_names": names,
            **rows,
        }
        found.append(warmup_requests.Request("stream", {"chunk": chunk, **states}, answers))
        states = rows
    return found


def _ask(trained: keras.Model, config: configs.Config, sound: np.ndarray) -> np.ndarray:
    """Returns probabilities [1, labels] for one clip, without padding."""
    values = data.preprocess(tf.constant(sound[None]), config)
    frames = tf.constant([values.shape[1]])
    clip = {"features": values, "context_frames": tf.zeros_like(frames), "frames": frames}
    return np.asarray(keras.ops.softmax(trained(clip, training=False)))


def _answers(names: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    return {
        "label": names[probabilities.argmax(axis=1)],
        "label_names": names,
        "probabilities": probabilities,
    }
