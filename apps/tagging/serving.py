"""Builds the signatures of the export, which take texts or words, and their requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.data import text_examples
from apps.suite.export import assets
from apps.suite.serving import limits, signatures, warmup_requests
from apps.suite.texts import tag_schemes, word_spans
from apps.tagging import data, scoring, trained_model

_SPANS = {
    "span_text": "string[b, spans]",
    "span_label": "string[b, spans]",
    "span_start": "int32[b, spans]",
    "span_end": "int32[b, spans]",
    "span_probability": "float32[b, spans]",
}
_FILLS: dict[str, Any] = {"string": b"", "int32": -1, "float32": 0.0}
_ANSWER = {
    "tags": "string[b, time]",
    "probabilities": "float32[b, time]",
    **_SPANS,
    "label": "string[b]",
    "label_probability": "float32[b]",
}
SIGNATURES = {
    "serving_default": signatures.Signature(
        {"text": "string[b]"}, {"tokens": "string[b, time]", **_ANSWER}
    ),
    "tokens": signatures.Signature({"tokens": "string[b, time]"}, _ANSWER),
    "assets": signatures.ASSETS,
}
"""Rows are padded with "", 0 and, in the places of spans, -1; there is one span at least."""


LIMITS = {"rows_times_words": 2**15, "rows_times_bytes": 2**20}
"""Bounds of a request, which the graph holds; they stand in settings.json as well."""


class ServedTags:
    """Serves a tagger: texts or words in, tags and spans out.

    Args:
        trained: model, vocabulary and names.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json: what clients need beside the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.trained = trained
        self.tokenizer = trained.config.data_format.tokenizer
        names, scheme = trained.tag_names, trained.scheme
        plain = scheme == "plain"
        of_tags = [tag_schemes.split(f"I-{n}" if plain and n != "O" else n) for n in names]
        self.kinds = sorted({kind for prefix, kind in of_tags if prefix != "O"})
        # Of each tag: its type, -1 outside of spans; and whether it begins a span in any case
        self._kind = tf.constant([self.kinds.index(k) if p != "O" else -1 for p, k in of_tags])
        self._begins = tf.constant([plain or prefix == "B" for prefix, _ in of_tags])
        self._spelled = tf.constant([tag_schemes.spellings(kind, scheme) for kind in self.kinds])
        self.settings = {
            "scheme": scheme,
            "tokenizer": self.tokenizer,
            "kinds": self.kinds,
            "has_outside": "O" in names,
            "label_names": list(trained.label_names),
            "limits": LIMITS,
            text_examples.SETTING: trained.example,
        }
        self.assets = assets.of_settings(self.settings)
        self.saved = self.assets.module("served_tags", trained.model, vocabulary=trained.vocabulary)

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        texts = tf.TensorSpec([None], tf.string, "text")
        words = tf.TensorSpec([None, None], tf.string, "tokens")
        return self.assets.signatures(
            serving_default=(self.texts, [texts]), tokens=(self.words, [words])
        )

    def texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`; spans are told by characters."""
        text = _bounded(text, "text: rows times bytes of the longest one")
        cut = word_spans.cut(text, self.tokenizer)
        return {"tokens": cut.words, **self._answer(cut.words, lambda spans: spans.in_text(cut))}

    def words(self, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `tokens`; spans are told by the numbers of words."""
        tokens = _bounded(tokens, "tokens: rows times words times bytes of the longest one")
        return self._answer(tokens, lambda spans: spans.in_words(tokens))

    def _answer(
        self, tokens: tf.Tensor, places: Callable[[word_spans.Spans], Sequence[tf.Tensor]]
    ) -> dict[str, tf.Tensor]:
        """Returns the answer to words; `places` returns texts, starts and ends of spans."""
        rows, time = tf.unstack(tf.shape(tokens))
        told = "rows times words of the longest sentence"
        tokens = limits.at_most(tokens, [rows, time], LIMITS["rows_times_words"], told)
        # No side of what the network reads may be empty
        more = [[0, tf.cast(rows == 0, tf.int32)], [0, tf.cast(time == 0, tf.int32)]]
        padded = tf.pad(tokens, more, constant_values="")
        found = scoring.tagged(
            self.trained.model, *data.preprocess(padded, self.trained.vocabulary)
        )
        tags, probabilities = found.tags[:rows, :time], found.probabilities[:rows, :time]
        real = tf.maximum(tags, 0)
        kind = tf.where(tags >= 0, tf.gather(self._kind, real), -1)
        spans = word_spans.Spans(kind, tf.gather(self._begins, real))
        edges = (spans.begins, spans.ends, spans.after_same)
        spelling = [tf.maximum(kind, 0), *(tf.cast(each, tf.int32) for each in edges)]
        spelled = tf.gather_nd(self._spelled, tf.stack(spelling, axis=2))
        label, sure = self._label(found.labels[:rows])
        kinds = tf.gather(self.kinds, tf.gather_nd(kind, spans.first))
        text, starts, ends = places(spans)
        of_spans = (text, kinds, starts, ends, spans.least(probabilities))
        return {
            "tags": tf.where(spans.inside, spelled, tf.where(tags >= 0, "O", "")),
            "probabilities": probabilities,
            **{
                name: spans.by_row(values, _fill(name))
                for name, values in zip(_SPANS, of_spans, strict=True)
            },
            "label": label,
            "label_probability": sure,
        }

    def _label(self, probabilities: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.trained.label_names:
            rows = tf.shape(probabilities)[0]
            return tf.fill([rows], ""), tf.zeros([rows])
        best = tf.argmax(probabilities, axis=1)
        return tf.gather(list(self.trained.label_names), best), tf.reduce_max(probabilities, axis=1)


def _bounded(given: tf.Tensor, told: str) -> tf.Tensor:
    """Returns strings, refused where the longest one times their number is too much."""
    lengths = tf.reshape(tf.strings.length(given), [-1])
    longest = tf.reduce_max(tf.concat([[0], lengths], axis=0))
    sizes = [*tf.unstack(tf.shape(given)), longest]
    return limits.at_most(given, sizes, LIMITS["rows_times_bytes"], told)


def served(run: Path) -> ServedTags:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedTags(trained_model.load(run))


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several texts, one of them empty.

    The answers come from Keras, which runs the model operation by operation, text by text.
    """
    known = trained.vocabulary.words
    some = [known[at] for at in np.linspace(0, len(known) - 1, 23).astype(int)]
    some = [word for word in some if word.isascii() and word.isalpha()] or ["word"]
    texts = [" ".join(some[:7]), "", f"  {some[0]} Unseenword  {' '.join(some[1:])} ", some[-1]]
    ask, found = ServedTags(trained), [assets.request()]
    for rows in (texts[:1], texts):
        of_texts = _joined([ask.texts(tf.constant([row])) for row in rows])
        of_words = _joined([ask.words(tf.constant([row.split()], tf.string)) for row in rows])
        text, tokens = np.array([row.encode() for row in rows], object), of_texts["tokens"]
        found.append(warmup_requests.Request("serving_default", {"text": text}, of_texts))
        found.append(warmup_requests.Request("tokens", {"tokens": tokens}, of_words))
    return found


def _joined(answers: Sequence[Mapping[str, tf.Tensor]]) -> dict[str, np.ndarray]:
    """Returns answers to one row each as the answer to all of them."""
    rows = [{name: each.numpy()[0] for name, each in answer.items()} for answer in answers]
    return warmup_requests.stacked(rows, **{name: _fill(name) for name in answers[0]})


def _fill(name: str) -> Any:
    """Returns what stands after the end of a row of an output."""
    return _FILLS[_ANSWER.get(name, "string").partition("[")[0]]
