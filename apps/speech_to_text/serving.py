"""Builds the signatures of the export, which take sound and return text, and their requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import lstm_layers
from apps.speech_to_text import data, model, scoring, trained_model
from apps.suite.export import assets
from apps.suite.networks import ctc
from apps.suite.serving import limits, signatures, warmup_requests
from apps.suite.sounds import features, served_sounds, sound_files

_SOUND = {"waveform": "float32[b, samples]", "length": "int32[b]"}
_ANSWER = {"text": "string[b]", "confidence": "float32[b]", "greedy_text": "string[b]"}
SIGNATURES = {
    "serving_default": signatures.Signature({"waveform": "float32[b, samples]"}, _ANSWER),
    "padded": signatures.Signature(_SOUND, _ANSWER),
    "wav": signatures.Signature({"wav": "string[b]"}, _ANSWER),
    "words": signatures.Signature(
        _SOUND,
        {
            "words": "string[b, words]",
            "start_seconds": "float32[b, words]",
            "end_seconds": "float32[b, words]",
            "confidence": "float32[b, words]",
        },
    ),
    "beam": signatures.Signature(
        {**_SOUND, "language_weight": "float32[b]", "word_bonus": "float32[b]"},
        {"texts": "string[b, paths]", "scores": "float32[b, paths]"},
    ),
    "stream": signatures.Signature(
        {"chunk": "float32[b, samples]", "flush": "bool", signatures.STATES: "float32[b, numbers]"},
        {"text": "string[b]", "tail": "string[b]", signatures.STATES: "float32[b, numbers]"},
        optional=True,  # only of a model that hears no later sound
    ),
    "assets": signatures.ASSETS,
}
"""Samples lie from -1 to 1 at the rate of the run; a stream's states begin as float32[b, 0]."""

LIMITS = {
    "rows_times_samples": 2**21,  # a row counts as a second, or more
    "bytes_of_all_files": 2**23,  # of `wav`
}
"""Bounds of a request, which the graph holds; also in the asset settings.json."""

_HIGHEST_WEIGHT = 1e3


class ServedText:
    """Serves a recogniser: samples, WAV files, words with times, alternatives and streams.

    Args:
        trained: model, language model, letters and weights.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json: what clients need beside the signatures.
        listener: None for a model that answers whole recordings only.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.trained, config = trained, trained.config
        self.recogniser = scoring.Recogniser(trained)
        sizes = features.frame_sizes(config.audio, config.features)
        self.least_samples = config.audio.sample_rate_hz
        self.frame_seconds = data.STRIDE * sizes.hop / config.audio.sample_rate_hz
        self.first_seconds = (
            0.0 if config.features.centre else (sizes.window / 2 / config.audio.sample_rate_hz)
        )
        self.listener = (
            model.Listener(trained.model, config, trained.alphabet) if config.streams else None
        )
        self.settings: dict[str, Any] = {
            "sample_rate_hz": config.audio.sample_rate_hz,
            "alphabet": "".join(trained.alphabet),
            "language_weight": trained.language_weight,
            "word_bonus": trained.word_bonus,
            "paths": config.decoding.paths,
            "limits": LIMITS,
        }
        if self.listener is not None:
            self.settings["states"] = list(self.listener.initial_states(1))
        self.assets = assets.of_settings(self.settings)
        self.saved = self.assets.module("served_text", trained.model, trained.language_model)

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        sound = [
            tf.TensorSpec([None, None], tf.float32, "waveform"),
            tf.TensorSpec([None], tf.int32, "length"),
        ]
        weights = [
            tf.TensorSpec([None], tf.float32, name) for name in ("language_weight", "word_bonus")
        ]

        found = self.assets.signatures(
            serving_default=(self.recordings, sound[:1]),
            padded=(self.padded, sound),
            wav=(self.files, [tf.TensorSpec([None], tf.string, "wav")]),
            words=(self.words, sound),
            beam=(self.beam, [*sound, *weights]),
        )
        if self.listener is not None:
            found["stream"] = served_sounds.stream_signature(
                self.stream, self.listener, flush=tf.TensorSpec([], tf.bool, "flush")
            )
        return found

    def recordings(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`, recordings of the same length."""
        rows, count = tf.unstack(tf.shape(waveform))
        return self.padded(waveform, tf.fill([rows], count))

    def padded(self, waveform: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `padded`, recordings of any lengths."""
        rows = tf.shape(waveform)[0]
        logits, steps = self._heard(waveform, length)
        return {name: value[:rows] for name, value in self._answer(logits, steps).items()}

    def files(self, wav: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `wav`, file by file, because their lengths differ."""
        wav = served_sounds.files(wav, self.least_samples, LIMITS)
        kinds = {"text": tf.string, "confidence": tf.float32, "greedy_text": tf.string}
        spec = {name: tf.TensorSpec([], kind) for name, kind in kinds.items()}
        return tf.map_fn(self._file, wav, fn_output_signature=spec)

    def words(self, waveform: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `words`: each word of the text with its times, "" and 0 after it.

        A word begins with the frame of its first letter and ends with that of its last one. Its
        confidence is the product of its letters' probabilities in their frames.
        """
        rows = tf.shape(waveform)[0]
        logits, steps = self._heard(waveform, length)
        labels, _ = self._best(logits, steps)
        aligned = ctc.align(labels, logits, steps)
        space = self.trained.alphabet.index(" ")
        known = labels >= 0
        letter = known & (labels != space)
        begins = letter & ~tf.pad(letter, [[0, 0], [1, 0]])[:, :-1]
        number = tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1
        count = tf.reduce_max(tf.pad(number, [[0, 0], [1, 0]])) + 1  # one column at least
        all_rows = tf.shape(labels)[0]
        row = tf.broadcast_to(tf.range(all_rows)[:, None], tf.shape(labels))
        segment = tf.boolean_mask(row * count + number, letter)
        total = all_rows * count

        def of_words(reduce: Any, values: tf.Tensor) -> tf.Tensor:
            return tf.reshape(reduce(tf.boolean_mask(values, letter), segment, total), [-1, count])

        spelled = tf.gather(self.recogniser.letters, tf.maximum(labels, 0))
        words = of_words(tf.strings.unsorted_segment_join, spelled)
        has_word = tf.strings.length(words) > 0
        first = of_words(tf.math.unsorted_segment_min, aligned.first)
        last = of_words(tf.math.unsorted_segment_max, aligned.last)
        sure = of_words(tf.math.unsorted_segment_prod, aligned.probability)

        def seconds(frames: tf.Tensor) -> tf.Tensor:
            return tf.where(
                has_word, self.first_seconds + self.frame_seconds * tf.cast(frames, tf.float32), 0.0
            )

        answer = {
            "words": words,
            "start_seconds": seconds(first),
            "end_seconds": seconds(last + 1),
            "confidence": tf.where(has_word, sure, 0.0),
        }
        return {name: value[:rows] for name, value in answer.items()}

    def beam(
        self,
        waveform: tf.Tensor,
        length: tf.Tensor,
        language_weight: tf.Tensor,
        word_bonus: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Answers signature `beam`: texts by their scores, "" and -1e9 for what is not one."""
        rows = tf.shape(waveform)[0]
        weights = []
        for name, value in (("language_weight", language_weight), ("word_bonus", word_bonus)):
            value = limits.finite(limits.of_rows(value, rows, name, "waveform"), name)
            small = tf.reduce_all(tf.abs(value) <= _HIGHEST_WEIGHT)
            value = limits.checked(value, small, f"{name}: must lie within ±{_HIGHEST_WEIGHT:g}")
            weights.append(served_sounds.at_least_one_row(value)[:, None])
        logits, steps = self._heard(waveform, length)
        found = self.recogniser.candidates(logits, steps)
        scores = found.scores(*weights)
        scores, order = tf.math.top_k(scores, tf.shape(scores)[1])
        labels = tf.gather(found.labels, order, axis=1, batch_dims=1)
        sizes = tf.shape(labels)
        texts = self.recogniser.text(tf.reshape(labels, [-1, sizes[2]]))
        texts = tf.reshape(texts, sizes[:2])
        is_one = tf.gather(found.acoustic, order, axis=1, batch_dims=1) > -1e8
        return {
            "texts": tf.where(is_one, texts, "")[:rows],
            "scores": tf.where(is_one, scores, -1e9)[:rows],
        }

    def stream(
        self, chunk: tf.Tensor, flush: tf.Tensor, **states: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Answers signature `stream`; states come and go as rows, whatever their inner shape.

        A row that is empty stands for the state before the first sample.
        """
        assert self.listener is not None
        rows = tf.shape(chunk)[0]
        chunk = self._sound(chunk, "chunk")
        chunk = served_sounds.at_least_one_row(chunk)
        most = LIMITS["rows_times_samples"]
        before = served_sounds.states_before(states, rows, self.listener, most)
        letters = float(len(self.trained.alphabet))
        for name, lowest in ((model.SPOKEN, -1.0), (model.LAST, 0.0)):
            holds = tf.reduce_all((before[name] >= lowest) & (before[name] <= letters))
            told = f"{name}: holds what is not the number of a letter; send states back unchanged"
            before[name] = limits.checked(before[name], holds, told)
        before[model.SPOKEN] = tf.minimum(before[model.SPOKEN], letters - 1)
        text, tail, after = self.listener(chunk, before, flush)
        spelled = self.recogniser.text(text)
        ended = tf.where(tf.strings.length(spelled) > 0, tf.strings.join([spelled, " "]), "")
        return {
            "text": ended[:rows],
            "tail": self.recogniser.text(tail)[:rows],
            **served_sounds.states_after(after, rows),
        }

    @tf.autograph.experimental.do_not_convert  # nothing to convert, and it would take long
    def _file(self, wav: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the answer to the bytes of one file, scalars."""
        mono = served_sounds.mono(wav, self.trained.config.audio.sample_rate_hz)
        logits, steps = self._heard(mono, tf.shape(mono)[1:], "wav")
        return {name: value[0] for name, value in self._answer(logits, steps).items()}

    def _sound(self, samples: tf.Tensor, name: str) -> tf.Tensor:
        """Returns samples [b, n] after checks of their number and values."""
        most = LIMITS["rows_times_samples"]
        return served_sounds.sound(
            served_sounds.within(samples, self.least_samples, most, name), name
        )

    def _heard(
        self, waveform: tf.Tensor, length: tf.Tensor, name: str = "waveform"
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns logits and frames after checks; of one row of silence, where there is none."""
        rows, count = tf.unstack(tf.shape(waveform))
        length = limits.of_rows(length, rows, "length", "waveform")
        holds = tf.reduce_all((length >= 0) & (length <= count))
        told = "length: of each row, in samples, must lie between 0 and the samples that are sent,"
        length = limits.checked(length, holds, told, count)
        waveform = self._sound(waveform, name)
        return self.recogniser.heard(
            served_sounds.at_least_one_row(waveform), served_sounds.at_least_one_row(length)
        )

    def _best(self, logits: tf.Tensor, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns labels int32 [b, letters] of the best text, and its share among candidates."""
        found = self.recogniser.candidates(logits, steps)
        scores = found.scores(self.trained.language_weight, self.trained.word_bonus)
        best = tf.argmax(scores, axis=1, output_type=tf.int32)
        labels = tf.gather(found.labels, best, axis=1, batch_dims=1)
        return labels, tf.reduce_max(tf.nn.softmax(scores), axis=1)

    def _answer(self, logits: tf.Tensor, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        labels, confidence = self._best(logits, steps)
        greedy = self.recogniser.text(ctc.greedy(logits, steps))
        text = self.recogniser.text(labels)
        return {"text": text, "confidence": confidence, "greedy_text": greedy}


def served(run: Path) -> ServedText:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedText(trained_model.load(run))


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several sounds, some of them shorter than a window.

    The answers come from Keras, which runs the models operation by operation, and not from the
    functions that are exported.
    """
    served = ServedText(trained)
    rate, draw = trained.config.audio.sample_rate_hz, np.random.default_rng(0)
    second = served_sounds.example(rate, rate, draw)
    three = np.stack([served_sounds.example(rate, int(1.37 * rate), draw) for _ in range(3)])
    found: list[warmup_requests.Request] = []

    def ask(signature: str, function: Any, **given: Any) -> dict[str, np.ndarray]:
        with lstm_layers.computed_by("portable", trained.language_model):
            told = function(**{name: tf.constant(value) for name, value in given.items()})
        answers = {name: value.numpy() for name, value in told.items()}
        found.append(warmup_requests.Request(signature, given, answers))
        return answers

    for sound, samples in ((second[None], [rate]), (three, [three.shape[1], rate, 7])):
        given = {"waveform": sound, "length": np.array(samples, np.int32)}
        ask("serving_default", served.recordings, waveform=sound)
        ask("padded", served.padded, **given)
        ask("words", served.words, **given)
        given["language_weight"] = np.linspace(0.2, 0.6, len(sound), dtype=np.float32)
        ask("beam", served.beam, **given, word_bonus=np.full(len(sound), 0.5, np.float32))
    for sounds in ([second], [second, three[0][:7], three[0]]):
        files = [sound_files.wav_bytes(sound, rate) for sound in sounds]
        ask("wav", served.files, wav=np.array(files, object))
    for sound in (second[None], three) if served.listener is not None else ():
        states = {name: np.zeros((len(sound), 0), np.float32) for name in served.settings["states"]}
        pieces = np.split(sound, [sound.shape[1] // 2, sound.shape[1] - 3], axis=1)
        for at, chunk in enumerate(pieces):
            told = ask("stream", served.stream, chunk=chunk, flush=np.array(at == 2), **states)
            states = {name: told[name] for name in states}
    return [*found, assets.request()]
