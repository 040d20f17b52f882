"""Builds the signatures of the export, which take texts or words, and their requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.export import assets
from apps.suite.serving import limits, signatures, warmup_requests
from apps.tagging import cutting, data, schemes, scoring, trained_model

_SPANS = {
    "span_text": "string[b, spans]",
    "span_label": "string[b, spans]",
    "span_start": "int32[b, spans]",
    "span_end": "int32[b, spans]",
    "span_probability": "float32[b, spans]",
}
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
        self.saved = tf.Module(name="served_tags")
        self.saved.weights = [weight.value for weight in trained.model.weights]
        self.saved.vocabulary = trained.vocabulary
        names, plain = trained.tag_names, trained.scheme == "plain"
        of_tags = [("I", name) if plain and name != "O" else schemes.split(name) for name in names]
        self.kinds = sorted({kind for prefix, kind in of_tags if prefix != "O"})
        # Of each tag: its type, -1 outside of spans; and whether it begins a span in any case
        self._kind = tf.constant([self.kinds.index(k) if p != "O" else -1 for p, k in of_tags])
        self._begins = tf.constant([plain or prefix == "B" for prefix, _ in of_tags])
        self._spelled = tf.constant([_spellings(kind, trained.scheme) for kind in self.kinds])
        self.settings = {
            "scheme": trained.scheme,
            "tokenizer": self.tokenizer,
            "kinds": self.kinds,
            "has_outside": "O" in names,
            "label_names": list(trained.label_names),
            "limits": LIMITS,
        }
        self.assets = assets.Assets({assets.SETTINGS: json.dumps(self.settings, indent=2) + "\n"})
        self.saved.assets = self.assets.saved

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        texts = tf.TensorSpec([None], tf.string, "text")
        words = tf.TensorSpec([None, None], tf.string, "tokens")
        return {
            "serving_default": tf.function(self.texts, autograph=False, input_signature=[texts]),
            "tokens": tf.function(self.words, autograph=False, input_signature=[words]),
            "assets": self.assets.signature(),
        }

    def texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`; spans are told by characters."""
        longest = tf.reduce_max(tf.concat([[0], tf.strings.length(text)], axis=0))
        told = "text: rows times bytes of the longest one"
        sizes = [tf.shape(text)[0], longest]
        text = limits.at_most(text, sizes, LIMITS["rows_times_bytes"], told)
        cut = cutting.cut(text, self.tokenizer)
        answer, spans = self._answer(cut.words)
        starts = tf.gather_nd(cut.starts, spans.first)
        ends = tf.gather_nd(cut.ends, spans.last)
        whole = tf.gather(cut.text, spans.first[:, 0])
        inner = tf.strings.substr(whole, starts, ends - starts, unit="UTF8_CHAR")
        return {"tokens": cut.words, **answer, **spans.told(inner, starts, ends)}

    def words(self, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `tokens`; spans are told by the numbers of words."""
        longest = tf.reduce_max(tf.concat([[0], tf.reshape(tf.strings.length(tokens), [-1])], 0))
        told = "tokens: rows times words times bytes of the longest one"
        sizes = [*tf.unstack(tf.shape(tokens)), longest]
        tokens = limits.at_most(tokens, sizes, LIMITS["rows_times_bytes"], told)
        answer, spans = self._answer(tokens)
        inner = tf.strings.unsorted_segment_join(
            tf.boolean_mask(tokens, spans.inside), spans.number, tf.shape(spans.first)[0], " "
        )
        starts, ends = (tf.cast(each[:, 1], tf.int32) for each in (spans.first, spans.last))
        return {**answer, **spans.told(inner, starts, ends + 1)}

    def _answer(self, tokens: tf.Tensor) -> tuple[dict[str, tf.Tensor], _Spans]:
        """Returns the answer without its spans, and the spans."""
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
        kind = tf.where(tags >= 0, tf.gather(self._kind, tf.maximum(tags, 0)), -1)
        inside = kind >= 0
        same = tf.pad(inside[:, 1:] & (kind[:, 1:] == kind[:, :-1]), [[0, 0], [1, 0]])
        same = same[:, : tf.shape(tags)[1]]
        begins = inside & (tf.gather(self._begins, tf.maximum(tags, 0)) | ~same)
        goes_on = tf.pad((inside & ~begins)[:, 1:], [[0, 0], [0, 1]])[:, : tf.shape(tags)[1]]
        ends = inside & ~goes_on
        places = [tf.cast(each, tf.int32) for each in (begins, ends, same)]
        spelled = tf.gather_nd(self._spelled, tf.stack([tf.maximum(kind, 0), *places], axis=2))
        spelled = tf.where(inside, spelled, tf.where(tags >= 0, "O", ""))
        label, sure = self._label(found.labels[:rows])
        answer = {
            "tags": spelled,
            "probabilities": probabilities,
            "label": label,
            "label_probability": sure,
        }
        spans = _Spans(
            inside, begins, ends, probabilities, tf.gather(self.kinds, tf.maximum(kind, 0))
        )
        return answer, spans

    def _label(self, probabilities: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.trained.label_names:
            rows = tf.shape(probabilities)[0]
            return tf.fill([rows], ""), tf.zeros([rows])
        best = tf.argmax(probabilities, axis=1)
        return tf.gather(list(self.trained.label_names), best), tf.reduce_max(probabilities, axis=1)


class _Spans:
    """Spans of words in a batch, one after the other.

    Args:
        inside, begins, ends: bool (b, time), of words in spans, at their starts and ends.
        probabilities: float32 (b, time), of the tags.
        kinds: string (b, time), the type of each word's span.

    Attributes:
        first, last: int64 (spans, 2), row and number of the first and the last word.
        number: int32 (words inside,), of the span that a word is in.
    """

    def __init__(
        self,
        inside: tf.Tensor,
        begins: tf.Tensor,
        ends: tf.Tensor,
        probabilities: tf.Tensor,
        kinds: tf.Tensor,
    ) -> None:
        self.inside, self._begins = inside, begins
        self.first, self.last = tf.where(begins), tf.where(ends)
        self.number = tf.cumsum(tf.cast(tf.boolean_mask(begins, inside), tf.int32)) - 1
        # A span is as sure as its least sure word
        self._sure = tf.math.unsorted_segment_min(
            tf.boolean_mask(probabilities, inside), self.number, tf.shape(self.first)[0]
        )
        self._kinds = tf.boolean_mask(kinds, begins)

    def told(self, text: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the outputs `span_…`, (b, spans), of values (spans,)."""
        counts = tf.reduce_sum(tf.cast(self._begins, tf.int64), axis=1)

        def rows(values: tf.Tensor, fill: Any) -> tf.Tensor:
            ragged = tf.RaggedTensor.from_row_lengths(values, counts, validate=False)
            dense = ragged.to_tensor(fill)
            # One column of padding where no row has a span
            missing = tf.cast(tf.shape(dense)[1] == 0, tf.int32)
            return tf.pad(dense, [[0, 0], [0, missing]], constant_values=fill)

        return {
            "span_text": rows(text, ""),
            "span_label": rows(self._kinds, ""),
            "span_start": rows(starts, -1),
            "span_end": rows(ends, -1),
            "span_probability": rows(self._sure, 0.0),
        }


def _spellings(kind: str, scheme: str) -> list[list[list[str]]]:
    """Returns a word's tag by whether it begins its span, ends it, and follows its own type."""

    def spelled(begins: bool, ends: bool, same: bool) -> str:
        if begins:
            return schemes.spelled(kind, 1 if ends else 2, scheme, after_same=same)[0]
        return schemes.spelled(kind, 3, scheme)[-1 if ends else 1]

    either = (False, True)
    return [[[spelled(b, e, s) for s in either] for e in either] for b in either]


def served(run: Path) -> ServedTags:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedTags(trained_model.load(run))


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several texts, one of them empty.

    The answers come from Keras, sentence by sentence, and are put into spans in Python.
    """
    known = trained.vocabulary.words
    some = [known[at] for at in np.linspace(0, len(known) - 1, 23).astype(int)]
    some = [word for word in some if word.isascii() and word.isalpha()] or ["word"]
    texts = [" ".join(some[:7]), "", f"  {some[0]} Unseenword  {' '.join(some[1:])} ", some[-1]]
    found = []
    for rows in (texts[:1], texts):
        by_words = [row.split() for row in rows]
        inputs = np.array([row.encode() for row in rows], object)
        answer = _expected(trained, by_words, rows)
        answer["tokens"] = _padded([[w.encode() for w in row] for row in by_words], b"", object)
        found.append(warmup_requests.Request("serving_default", {"text": inputs}, answer))
        found.append(
            warmup_requests.Request(
                "tokens", {"tokens": answer["tokens"]}, _expected(trained, by_words)
            )
        )
    return [*found, assets.request()]


def _expected(
    trained: trained_model.TrainedModel, rows: list[list[str]], texts: list[str] | None = None
) -> dict[str, Any]:
    """Returns the answers to words; spans by the characters of `texts`, where they are given."""
    names = np.array([*trained.tag_names, ""], object)
    found: dict[str, list[Any]] = {name: [] for name in _ANSWER}
    for at, words in enumerate(rows):
        tokens = tf.constant([words or [""]])
        tags, probabilities, labels = scoring.tagged(
            trained.model, *data.preprocess(tokens, trained.vocabulary)
        )
        inside = names[tags[0].numpy()][: len(words)]
        sure = probabilities[0].numpy()[: len(words)]
        spelled = schemes.from_inside(list(inside), trained.scheme)
        plain = trained.scheme == "plain"
        spans = schemes.read(inside, "plain" if plain else schemes.INSIDE, strict=False)
        places, end = [], 0
        for word in words if texts else ():
            start = texts[at].index(word, end) if texts else 0
            end = start + len(word)
            places.append((start, end))
        found["tags"].append([tag.encode() for tag in spelled])
        found["probabilities"].append(sure)
        edges = [
            (places[span.start][0], places[span.end - 1][1]) if texts else span[:2]
            for span in spans
        ]
        whole = texts[at] if texts else ""
        inner = [whole[start:end] if texts else " ".join(words[start:end]) for start, end in edges]
        found["span_text"].append([each.encode() for each in inner])
        found["span_label"].append([span.kind.encode() for span in spans])
        found["span_start"].append([start for start, _ in edges])
        found["span_end"].append([end for _, end in edges])
        found["span_probability"].append([sure[span.start : span.end].min() for span in spans])
        best = int(np.argmax(labels[0])) if trained.label_names else None
        found["label"].append(b"" if best is None else trained.label_names[best].encode())
        found["label_probability"].append(0.0 if best is None else float(labels[0, best]))
    kinds = {"string": (b"", object), "int32": (-1, np.int32), "float32": (0.0, np.float32)}
    return {
        name: _padded(values, *kinds[_ANSWER[name].partition("[")[0]])
        for name, values in found.items()
    }


def _padded(rows: list[Any], fill: Any, dtype: Any) -> np.ndarray:
    """Returns rows of unequal length as an array, or one value of each row."""
    if not isinstance(rows[0], list | np.ndarray):
        return np.array(rows, dtype)
    found = np.full((len(rows), max(1, *map(len, rows))), fill, dtype)
    for at, row in enumerate(rows):
        found[at, : len(row)] = row
    return found
