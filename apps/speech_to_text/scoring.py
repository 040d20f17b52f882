"""Writes down sounds with a trained model: greedily, by a beam, and with the language model.

The beam finds the likeliest texts of a sound; the one with the highest

    ln p(text | sound) + a ln p(text) + b words(text)

is the answer. a and b are those with which the validation part has the fewest wrong words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.speech_to_text import config as configs
from apps.speech_to_text import (
    data,
    language_model,
    measures,
    model,
    trained_model,
    transcripts,
)
from apps.suite.networks import ctc
from apps.suite.sequences import batches

ROWS = 32
_LEAST = -90.0  # below it, a path only fills up the number of paths
LANGUAGE_WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2)
WORD_BONUSES = (0.0, 0.5, 1.0, 2.0)


class Candidates(NamedTuple):
    """Likely texts of each row and what speaks for them.

    Attributes:
        labels: int32 [b, n, letters], padded with -1.
        acoustic: float32 [b, n], ln p(text | sound); -1e9 for what is not a candidate.
        language: float32 [b, n], ln p(text).
        words: float32 [b, n], their number.
    """

    labels: tf.Tensor
    acoustic: tf.Tensor
    language: tf.Tensor
    words: tf.Tensor

    def scores(
        self, language_weight: tf.Tensor | float, word_bonus: tf.Tensor | float
    ) -> tf.Tensor:
        """Returns the scores, float32 [b, n]; the weights are numbers or float32 [b, 1]."""
        return self.acoustic + language_weight * self.language + word_bonus * self.words


class Recogniser:
    """Computes what a trained model hears, in stock operations that an export can hold.

    Args:
        trained: model, language model, letters.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.trained = trained
        self.config: configs.Config = trained.config
        self._space = trained.alphabet.index(" ")
        self.letters = tf.constant(list(trained.alphabet))

    def heard(self, waveform: tf.Tensor, samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns logits [b, time, letters + 1] and their frames int32 [b].

        Args:
            waveform: float32 [b, n].
            samples: int32 [b], of each row, at most n.
        """
        # What stands after the end would be heard by a window that begins before it
        real = tf.sequence_mask(samples, tf.shape(waveform)[1])
        values = data.preprocess(tf.where(real, waveform, 0.0), self.config)
        frames = tf.clip_by_value(data.feature_frames(samples, self.config), 0, tf.shape(values)[1])
        return self.of_features(values, frames)

    def of_features(self, features: tf.Tensor, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the same for features float32 [b, time, channels] and their frames int32 [b]."""
        logits = self.trained.model({"features": features, "frames": frames}, training=False)
        return logits, (frames + data.STRIDE - 1) // data.STRIDE

    def candidates(self, logits: tf.Tensor, steps: tf.Tensor) -> Candidates:
        """Returns the likeliest texts, the best of the beam first; b must be at least 1."""
        sizes = self.config.decoding
        labels, acoustic = ctc.beam(logits, steps, sizes.beam_width, sizes.paths)
        rows, count, longest = tf.unstack(tf.shape(labels))
        acoustic = tf.where(acoustic > acoustic[:, :1] + _LEAST, acoustic, -1e9)
        language = language_model.log_probability(
            self.trained.language_model, tf.reshape(labels, [rows * count, longest])
        )
        known = labels >= 0
        is_letter = known & (labels != self._space)
        before = tf.pad(is_letter, [[0, 0], [0, 0], [1, 0]])[:, :, :-1]
        words = tf.reduce_sum(tf.cast(is_letter & ~before, tf.float32), axis=2)
        return Candidates(labels, acoustic, tf.reshape(language, [rows, count]), words)

    def text(self, labels: tf.Tensor) -> tf.Tensor:
        """Spells labels int32 [b, letters]: string [b], with single spaces between words."""
        strings = tf.where(labels >= 0, tf.gather(self.letters, tf.maximum(labels, 0)), "")
        joined = tf.strings.reduce_join(strings, axis=1)
        return tf.strings.strip(tf.strings.regex_replace(joined, " +", " "))


class Answers(NamedTuple):
    """Answers to examples: texts by each way of decoding, and what they are chosen from.

    Attributes:
        greedy: texts of the likeliest paths.
        texts: candidates of each example, the best of the beam first.
        acoustic, language, words: float32 [examples, n], as `Candidates` has them.
        is_finite: whether all logits were numbers.
    """

    greedy: list[str]
    texts: list[list[str]]
    acoustic: np.ndarray
    language: np.ndarray
    words: np.ndarray
    is_finite: bool

    @property
    def beam(self) -> list[str]:
        """Returns the best texts of the beam alone."""
        return [texts[0] for texts in self.texts]

    def chosen(self, language_weight: float, word_bonus: float) -> list[str]:
        """Returns the best texts with the language model."""
        best = self.best(language_weight, word_bonus)
        return [texts[at] for texts, at in zip(self.texts, best, strict=True)]

    def best(self, language_weight: float, word_bonus: float) -> np.ndarray:
        """Returns the number of the best text of each example, int64 [examples]."""
        scores = self.acoustic + language_weight * self.language + word_bonus * self.words
        return scores.argmax(axis=1)


def answers(recogniser: Recogniser, examples: data.Examples) -> Answers:
    """Writes down all examples, those of about equal length together."""
    network = recogniser.trained.model
    features, frames = network.input["features"], network.input["frames"]

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec(features.shape, tf.float32), tf.TensorSpec(frames.shape, tf.int32)
        ],
    )  # fmt: skip
    def ask(values: tf.Tensor, counts: tf.Tensor) -> tuple[tf.Tensor, ...]:
        logits, steps = recogniser.of_features(values, counts)
        is_finite = tf.reduce_all(tf.math.is_finite(logits))
        logits = tf.where(tf.math.is_finite(logits), logits, 0.0)
        return ctc.greedy(logits, steps), is_finite, *recogniser.candidates(logits, steps)

    alphabet = recogniser.trained.alphabet
    lengths = np.diff(examples.features.starts)
    found: list[Any] = [None] * len(lengths)
    all_finite = True
    for chosen in batches.in_order(lengths, ROWS):
        values, counts, _ = data.padded(examples, chosen)
        greedy, is_finite, labels, *numbers = (each.numpy() for each in ask(values, counts))
        all_finite = all_finite and bool(is_finite)
        for row, index in enumerate(chosen):
            texts = [transcripts.spelled(each, alphabet) for each in labels[row]]
            text = transcripts.spelled(greedy[row], alphabet)
            found[index] = text, texts, *(each[row] for each in numbers)
    columns = list(zip(*found, strict=True))
    acoustic, language, words = (np.stack(column) for column in columns[2:])
    return Answers(
        list(columns[0]), list(columns[1]), acoustic, language, words, is_finite=all_finite
    )


def chosen_weights(found: Answers, truth: list[str]) -> tuple[float, float]:
    """Returns the weights (a, b) with the fewest wrong words; of equals, the smallest ones."""
    wrong = np.array(
        [
            measures.errors_of([text] * len(texts), texts)
            for text, texts in zip(truth, found.texts, strict=True)
        ]
    )
    best = (np.inf, 0.0, 0.0)
    for weight in LANGUAGE_WEIGHTS:
        for bonus in WORD_BONUSES if weight else (0.0,):
            count = wrong[np.arange(len(wrong)), found.best(weight, bonus)].sum()
            best = min(best, (float(count), weight, bonus))
    return best[1], best[2]


def language_nats(trained: trained_model.TrainedModel, texts: Sequence[str]) -> float:
    """Returns the language model's nats a letter of texts, their ends included."""
    total = 0.0
    for start in range(0, len(texts), 64):
        labels = transcripts.table(texts[start : start + 64], trained.alphabet)
        found = language_model.log_probability(trained.language_model, tf.constant(labels))
        total -= float(tf.reduce_sum(found))
    return total / sum(len(text) + 1 for text in texts)


def streamed(trained: trained_model.TrainedModel, part: data.Part, most: int) -> dict[str, float]:
    """Hears the first recordings of a part as streams, in chunks of odd lengths, and whole.

    Returns the letters in which the two differ (edits), and the mean seconds of a recording after
    which its first word was told as complete.
    """
    recogniser = Recogniser(trained)
    listener = model.Listener(trained.model, trained.config, trained.alphabet)
    rate, differing, delays = trained.config.audio.sample_rate_hz, 0, []
    step = tf.function(listener, autograph=False).get_concrete_function(
        tf.TensorSpec([None, None]), listener.state_specs(), tf.TensorSpec([], tf.bool)
    )
    for index in range(min(most, len(part.recordings))):
        sound = part.waveform(index)
        logits, steps = recogniser.heard(sound[None], tf.constant([len(sound)]))
        whole = transcripts.spelled(ctc.greedy(logits, steps).numpy()[0], trained.alphabet)
        said, states, first = "", listener.initial_states(1), 0.0
        size = 997 + 613 * (index % 5)
        for start in range(0, len(sound), size):
            chunk = sound[None, start : start + size]
            is_last = start + size >= len(sound)
            text, _, states = step(tf.constant(chunk), states, tf.constant(is_last))
            letters = "".join(trained.alphabet[at] for at in text.numpy()[0] if at >= 0)
            first = first or (start + chunk.shape[1]) / rate * bool(letters)
            said += letters
        differing += measures.edits(whole, said.strip())
        delays.append(first)
    return {"stream_differing_letters": differing, "seconds_to_first_word": float(np.mean(delays))}


class Validation:
    """Scores a network on the validation part, as often as it is called, by one graph.

    Args:
        network: that is being trained.
        examples: of the validation part.
        alphabet: letters by number.
    """

    def __init__(self, network: object, examples: data.Examples, alphabet: tuple[str, ...]) -> None:
        self._examples, self._alphabet = examples, alphabet
        self._truth = [
            transcripts.spelled(examples.labels[start:end], alphabet)
            for start, end in zip(
                examples.label_starts[:-1], examples.label_starts[1:], strict=True
            )
        ]

        def answer(
            values: tf.Tensor, counts: tf.Tensor, targets: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            logits = network({"features": values, "frames": counts}, training=False)  # type: ignore[operator]
            nats = ctc.loss(targets[:, 2:], logits, targets[:, 0])
            return tf.reduce_sum(nats), ctc.greedy(logits, targets[:, 0])

        channels = examples.features.frames.shape[1]
        self._answer = tf.function(
            answer,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None, channels], tf.float32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None, None], tf.int32),
            ],
        )

    def heard(self) -> tuple[float, list[str]]:
        """Returns the nats of all letters, and the texts of the likeliest paths."""
        lengths, nats = np.diff(self._examples.features.starts), 0.0
        texts = [""] * len(lengths)
        for chosen in batches.in_order(lengths, ROWS):
            loss, labels = self._answer(*data.padded(self._examples, chosen))
            nats += float(loss)
            for row, index in enumerate(chosen):
                texts[index] = transcripts.spelled(labels.numpy()[row], self._alphabet)
        return nats, texts

    def __call__(self) -> dict[str, float]:
        """Returns the mean nats of a letter, and the word error rate of the likeliest paths."""
        nats, texts = self.heard()
        return {
            "loss": nats / len(self._examples.labels),
            "word_error_rate": measures.scores(self._truth, texts)["word_error_rate"],
        }
