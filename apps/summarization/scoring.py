"""Sums up texts: searches for summaries, and tells which of their pieces are copied."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.suite.networks import beam_search, encoder_decoder
from apps.suite.sequences import batches, pair_answers, pair_batches
from apps.suite.texts import pieces as text_pieces
from apps.suite.texts import subwords
from apps.summarization import pieces, trained_model

ROWS = 32


class Options(NamedTuple):
    """Options of a search; beam_width is one for all, the others are so or int32 (batch,)."""

    beam_width: Any
    min_words: Any
    max_words: Any


class Explained(NamedTuple):
    """Origins of the pieces of summaries.

    Attributes:
        log_p: float32 (batch, time), ln p of each piece and of the end, 0 after it.
        copied: float32 (batch, time), share of a piece's probability that comes from copying.
        place: int32 (batch, time), the piece of the source that it would be copied from; -1 where
            less than half is copied.
    """

    log_p: tf.Tensor
    copied: tf.Tensor
    place: tf.Tensor


class Summarizer:
    """Sums up texts with a trained network, in a graph or outside.

    Args:
        trained: network, pieces and config.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.trained = trained
        self.decoder = encoder_decoder.Decoder(trained.model)
        self.longest = trained.config.text.most_summary_pieces
        self.begins_word = pieces.begins_word(trained.vocabulary)

    def options(self) -> Options:
        """Returns the options of the config."""
        search = self.trained.config.search
        return Options(search.beam_width, search.min_words, search.max_words)

    def search(self, source: tf.Tensor, options: Options) -> beam_search.Found:
        """Finds summaries of sources int32 (batch, time); see `beam_search.search`."""
        memory, search = self.decoder.read(source), self.trained.config.search
        rows = tf.shape(source)[0]
        least, most = (
            tf.broadcast_to(tf.reshape(value, [-1]), [rows])[:, None]
            for value in (options.min_words, options.max_words)
        )
        step = self._within(self.decoder.step(memory), least, most)
        return beam_search.search(
            step,
            [*memory.states, tf.zeros([rows, 2], tf.int32)],
            start=subwords.START,
            end=subwords.END,
            width=options.beam_width,
            longest=self.longest,
            length_penalty=search.length_penalty,
            repeated=search.no_repeat,
            forbidden=pieces.FORBIDDEN,
        )

    def _within(
        self, inner: beam_search.Step, least: tf.Tensor, most: tf.Tensor
    ) -> beam_search.Step:
        """Returns a step under which summaries have from `least` to `most` words (batch, 1)."""
        is_end = np.arange(len(self.begins_word)) == subwords.END

        def step(tokens: tf.Tensor, states: list[tf.Tensor]) -> tuple:
            *before, counts = states  # words begun, and pieces written
            is_piece = tokens > subwords.END
            # The first piece begins a word, whether there is a space before it or not
            begins = tf.gather(self.begins_word, tokens) | (is_piece & (counts[..., 1] == 0))
            begun = counts[..., 0] + tf.cast(begins, tf.int32)
            written = counts[..., 1] + tf.cast(is_piece, tf.int32)
            log_p, after = inner(tokens, before)
            log_p = tf.where((begun >= most)[..., None] & self.begins_word, -float("inf"), log_p)
            early = (begun < least) & (written < self.longest)
            log_p = tf.where(early[..., None] & is_end, -float("inf"), log_p)
            return log_p, [*after, tf.stack([begun, written], axis=2)]

        return step

    def summaries(self, source: tf.Tensor, options: Options) -> dict[str, tf.Tensor]:
        """Returns summary string[b], score float32[b], and ids and lengths of the best ones.

        The summary of a source without a piece is "", and its score 0.
        """
        found = self.search(source, options)
        is_text = tf.reduce_any(source != 0, axis=1)
        ids = tf.where(is_text[:, None], found.tokens[:, 0], 0)
        lengths = tf.where(is_text, found.lengths[:, 0], 0)
        return {
            "summary": self.trained.vocabulary.decode(ids),
            "score": tf.where(is_text, found.scores[:, 0], 0.0),
            "ids": ids,
            "lengths": lengths,
        }

    def explained(self, source: tf.Tensor, following: tf.Tensor) -> Explained:
        """Explains summaries int32 (batch, time) that end with the end, 0 after it."""
        outputs = pair_answers.outputs(self.trained.model, source, following)
        log_p = encoder_decoder.log_likelihood(outputs, source, following)
        same = (source[:, None, :] == following[:, :, None]) & (following[:, :, None] != 0)
        attention = tf.where(same, tf.cast(outputs["attention"], tf.float32), 0.0)
        if "gate" not in outputs:
            nothing = tf.zeros_like(log_p)
            return Explained(log_p, nothing, tf.cast(nothing, tf.int32) - 1)
        from_source = (1.0 - outputs["gate"]) * tf.reduce_sum(attention, axis=2)
        copied = tf.clip_by_value(tf.math.divide_no_nan(from_source, tf.exp(log_p)), 0.0, 1.0)
        copied = tf.where(following == 0, 0.0, copied)
        place = tf.argmax(attention, axis=2, output_type=tf.int32)
        return Explained(log_p, copied, tf.where(copied >= 0.5, place, -1))


class Answers(NamedTuple):
    """Summaries of pairs, in their order.

    Attributes:
        summaries: the texts.
        scores: float32 [pairs].
        parts: pieces of each summary, with the share that is copied.
    """

    summaries: list[str]
    scores: np.ndarray
    parts: list[list[tuple[str, float]]]
    texts_a_second: float


def answers(trained: trained_model.TrainedModel, encoded: pair_batches.Encoded) -> Answers:
    """Sums up encoded texts, those of about equal length together."""
    began, summarizer = time.perf_counter(), Summarizer(trained)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def ask(source: tf.Tensor) -> tuple[tf.Tensor, ...]:
        found = summarizer.summaries(source, summarizer.options())
        explained = summarizer.explained(source, pieces.ended(found["ids"], found["lengths"]))
        written = text_pieces.valid(trained.vocabulary.strings(found["ids"]))
        return found["summary"], found["score"], found["lengths"], written, explained.copied

    lengths, _ = encoded.lengths
    rows: list[Any] = [None] * len(encoded.lengths[0])
    for chosen in batches.in_order(lengths, ROWS):
        source = pair_batches.padded(encoded, chosen)[0]
        source = np.pad(source, [(0, 0), (0, int(source.shape[1] == 0))])
        for index, *values in zip(chosen, *(each.numpy() for each in ask(source)), strict=True):
            summary, score, count, written, copied = values
            pairs = zip(written[:count], copied[:count], strict=True)
            rows[index] = (
                summary.decode(),
                score,
                [(piece.decode(), float(share)) for piece, share in pairs],
            )
    summaries, scores, parts = zip(*rows, strict=True)
    per_second = len(rows) / (time.perf_counter() - began)
    return Answers(list(summaries), np.array(scores, np.float32), list(parts), per_second)
