"""Builds the signatures of the export, which sum up, explain and score, and their requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.data import text_examples
from apps.suite.export import assets
from apps.suite.networks import beam_search
from apps.suite.serving import limits, signatures, warmup_requests
from apps.suite.texts import pieces as text_pieces
from apps.summarization import data, pieces, scoring, trained_model

_OPTIONS = {"max_words": "int32[…]", "min_words": "int32[…]", "beam_width": "int32"}
SIGNATURES = {
    "serving_default": signatures.Signature(
        {"text": "string[b]", **_OPTIONS}, {"summary": "string[b]", "score": "float32[b]"}
    ),
    "explain": signatures.Signature(
        {"text": "string[b]", **_OPTIONS},
        {
            "summary": "string[b]",
            "pieces": "string[b, time]",
            "copied": "float32[b, time]",
            "source_word": "int32[b, time]",
        },
    ),
    "score": signatures.Signature(
        {"text": "string[b]", "summary": "string[b]"}, {"nats_per_word": "float32[b]"}
    ),
    "assets": signatures.ASSETS,
}
"""`max_words` and `min_words` are scalars, or have a value for each row."""

LIMITS = {
    "rows": 2**12,
    "text_bytes": 2**16,
    "rows_times_longest_text_bytes": 2**20,
    "rows_times_beams_times_vocabulary": 2**23,
    "rows_times_pieces_times_vocabulary": 2**25,
}
"""Bounds of a request, which the graph holds; also in the asset settings.json."""


class ServedSummaries:
    """Serves a summarizer: strings in and out.

    Args:
        trained: network, pieces and config.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.trained = trained
        self.summarizer = scoring.Summarizer(trained)
        # Graphs of their own, traced at the first call: several signatures call each
        text, ids = tf.TensorSpec([None], tf.string), tf.TensorSpec([None, None], tf.int32)
        words, width = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
        self._read = tf.function(self._pieces, autograph=False, input_signature=[text])
        self._search = tf.function(
            self._searched, autograph=False, input_signature=[ids, width, words, words]
        )
        self._explain = tf.function(
            self.summarizer.explained, autograph=False, input_signature=[ids, ids]
        )
        search = trained.config.search
        self.settings = {
            "limits": LIMITS,
            "max_words": search.max_words,
            "min_words": search.min_words,
            "beam_width": search.beam_width,
            "largest_beam_width": beam_search.LARGEST_WIDTH,
            "most_text_pieces": trained.config.text.most_text_pieces,
            "copying": trained.config.model.copying,
            text_examples.SETTING: trained.example,
        }
        self.assets = assets.of_settings(self.settings)
        self.saved = self.assets.module(
            "served_summaries", trained.model, vocabulary=trained.vocabulary
        )

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        text = tf.TensorSpec([None], tf.string, "text")
        asked = [
            text,
            tf.TensorSpec(None, tf.int32, "max_words"),
            tf.TensorSpec(None, tf.int32, "min_words"),
            tf.TensorSpec([], tf.int32, "beam_width"),
        ]
        pair = [text, tf.TensorSpec([None], tf.string, "summary")]
        return self.assets.signatures(
            serving_default=(self.summaries, asked),
            explain=(self.explain, asked),
            score=(self.score, pair),
        )

    def summaries(
        self, text: tf.Tensor, max_words: tf.Tensor, min_words: tf.Tensor, beam_width: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        _, found = self._found(text, max_words, min_words, beam_width)
        return {name: found[name][: tf.shape(text)[0]] for name in ("summary", "score")}

    def explain(
        self, text: tf.Tensor, max_words: tf.Tensor, min_words: tf.Tensor, beam_width: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Answers signature `explain`."""
        source, found = self._found(text, max_words, min_words, beam_width)
        ids, lengths = found["ids"], found["lengths"]
        most = tf.maximum(tf.reduce_max(tf.concat([lengths, [1]], axis=0)), 1)
        ids = ids[:, :most]
        following = self._few_pieces(pieces.ended(ids, lengths))
        explained = self._explain(source, following)
        counts = tf.cast(tf.gather(self.summarizer.begins_word, source), tf.int32)
        word_of = tf.maximum(tf.cumsum(counts, axis=1) - 1, 0)
        place = explained.place[:, :most]
        word = tf.gather(word_of, tf.maximum(place, 0), batch_dims=1)
        is_piece = tf.sequence_mask(lengths, most)
        answer = {
            "summary": found["summary"],
            "pieces": text_pieces.valid(self.trained.vocabulary.strings(ids)),
            "copied": tf.where(is_piece, explained.copied[:, :most], 0.0),
            "source_word": tf.where((place >= 0) & is_piece, word, -1),
        }
        return {name: value[: tf.shape(text)[0]] for name, value in answer.items()}

    def score(self, text: tf.Tensor, summary: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `score`."""
        source = self._read(text)
        same = tf.shape(text) == tf.shape(summary)
        summary = limits.checked(
            summary, tf.reduce_all(same), "summary: has another number of rows than text"
        )
        longest = self.summarizer.longest
        cut = pieces.cut(self._within(summary, "summary"), self.trained.vocabulary, longest)
        lengths = tf.minimum(cut.lengths, longest)
        following = self._few_pieces(pieces.ended(cut.ids, lengths))
        log_p = self._explain(source, following).log_p
        begun = tf.gather(self.summarizer.begins_word, cut.ids)
        words = tf.cast(tf.math.count_nonzero(begun, axis=1), tf.float32)
        nats = -tf.reduce_sum(log_p, axis=1) / tf.maximum(words, 1.0)
        return {"nats_per_word": nats[: tf.shape(text)[0]]}

    def _found(
        self, text: tf.Tensor, max_words: tf.Tensor, min_words: tf.Tensor, beam_width: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the sources, and what the search found for them."""
        source = self._read(text)
        source = limits.at_most(
            source,
            [tf.shape(source)[0], beam_width, self.trained.vocabulary.size],
            LIMITS["rows_times_beams_times_vocabulary"],
            "rows times beam_width times the size of the vocabulary",
        )
        given = []
        for value in (max_words, min_words):
            fits = (tf.size(value) == 1) | (tf.size(value) == tf.shape(text)[0])
            told = "max_words and min_words: give one value for all rows, or one for each"
            flat = tf.reshape(limits.checked(value, fits, told), [-1])
            flat = tf.concat([flat, tf.ones([tf.cast(tf.size(flat) == 0, tf.int32)], tf.int32)], 0)
            given.append(tf.broadcast_to(flat, tf.shape(source)[:1]))
        most, least = given
        source = limits.checked(
            source,
            tf.reduce_all(most >= 1) & tf.reduce_all(least >= 0),
            "max_words must be at least 1, and min_words at least 0",
        )
        source = limits.checked(
            source, tf.reduce_all(least <= most), "min_words is greater than max_words"
        )
        return source, self._search(source, beam_width, least, most)

    def _searched(
        self, source: tf.Tensor, width: tf.Tensor, least: tf.Tensor, most: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns what the search finds: see `scoring.Summarizer.summaries`."""
        return self.summarizer.summaries(source, scoring.Options(width, least, most))

    def _pieces(self, text: tf.Tensor) -> tf.Tensor:
        """Returns the pieces of texts string[b] as int32 (b, time)."""
        text = self._within(text, "text")
        return data.preprocess(text, self.trained.vocabulary, self.trained.config.text)

    def _within(self, texts: tf.Tensor, name: str) -> tf.Tensor:
        """Returns texts, one at least, after a check of the time and memory that they take."""
        texts = limits.at_most(texts, [tf.size(texts)], LIMITS["rows"], f"{name}: rows")
        return limits.texts(
            texts,
            name,
            longest_bytes=LIMITS["text_bytes"],
            rows_times_longest=LIMITS["rows_times_longest_text_bytes"],
        )

    def _few_pieces(self, ids: tf.Tensor) -> tf.Tensor:
        return limits.at_most(
            ids,
            [*tf.unstack(tf.shape(ids)), self.trained.vocabulary.size],
            LIMITS["rows_times_pieces_times_vocabulary"],
            "rows times pieces of the longest summary times the size of the vocabulary",
        )


def served(run: Path) -> ServedSummaries:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedSummaries(trained_model.load(run))


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several texts, one of them empty.

    The answers come from Keras, text by text.
    """
    words = [piece for piece in trained.vocabulary.known if piece.startswith(" ")]
    step = max(1, len(words) // 12)
    texts = ["".join(words[::step])[:80].strip(), "", "".join(words[1::step])[:40].strip()]
    served, answered = ServedSummaries(trained), warmup_requests.answered
    options = {"max_words": 6, "min_words": 1, "beam_width": 1}
    numbers = {name: np.array(value, np.int32) for name, value in options.items()}
    found = []
    for chosen in (texts[:1], texts):
        text, summary = (
            np.array([each[:most].strip().encode() for each in chosen], object)
            for most in (None, 20)
        )
        asked, pair = {"text": text, **numbers}, {"text": text, "summary": summary}
        found += [
            answered("serving_default", served.summaries, asked),
            answered("explain", served.explain, asked, source_word=-1),
            answered("score", served.score, pair),
        ]
    return [*found, assets.request()]
