"""Builds the signatures of the export, which sum up, explain and score, and their requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.export import assets
from apps.suite.networks import beam_search
from apps.suite.serving import limits, signatures, warmup_requests
from apps.suite.texts import pieces as text_pieces
from apps.suite.texts import subwords
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
        self.saved = tf.Module(name="served_summaries")
        self.saved.weights = [weight.value for weight in trained.model.weights]
        self.saved.vocabulary = trained.vocabulary
        search = trained.config.search
        self.settings = {
            "limits": LIMITS,
            "max_words": search.max_words,
            "min_words": search.min_words,
            "beam_width": search.beam_width,
            "largest_beam_width": beam_search.LARGEST_WIDTH,
            "most_text_pieces": trained.config.text.most_text_pieces,
            "copying": trained.config.model.copying,
        }
        self.assets = assets.Assets({assets.SETTINGS: json.dumps(self.settings, indent=2) + "\n"})
        self.saved.assets = self.assets.saved

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
        return {
            "serving_default": tf.function(self.summaries, autograph=False, input_signature=asked),
            "explain": tf.function(self.explain, autograph=False, input_signature=asked),
            "score": tf.function(self.score, autograph=False, input_signature=pair),
            "assets": self.assets.signature(),
        }

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
        explained = self.summarizer.explained(source, following)
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
        source = self._read(text, "text")
        same = tf.shape(text) == tf.shape(summary)
        summary = limits.checked(
            summary, tf.reduce_all(same), "summary: has another number of rows than text"
        )
        longest = self.summarizer.longest
        cut = pieces.cut(self._within(summary, "summary"), self.trained.vocabulary, longest)
        lengths = tf.minimum(cut.lengths, longest)
        following = self._few_pieces(pieces.ended(cut.ids, lengths))
        log_p = self.summarizer.explained(source, following).log_p
        begun = tf.gather(self.summarizer.begins_word, cut.ids)
        words = tf.cast(tf.math.count_nonzero(begun, axis=1), tf.float32)
        nats = -tf.reduce_sum(log_p, axis=1) / tf.maximum(words, 1.0)
        return {"nats_per_word": nats[: tf.shape(text)[0]]}

    def _found(
        self, text: tf.Tensor, max_words: tf.Tensor, min_words: tf.Tensor, beam_width: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the sources, and what the search found for them."""
        source = self._read(text, "text")
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
        return source, self.summarizer.summaries(source, scoring.Options(beam_width, least, most))

    def _read(self, text: tf.Tensor, name: str) -> tf.Tensor:
        """Returns the pieces of texts string[b] as int32 (b, time)."""
        text = self._within(text, name)
        return data.preprocess(text, self.trained.vocabulary, self.trained.config.text)

    def _within(self, texts: tf.Tensor, name: str) -> tf.Tensor:
        """Returns texts, one at least, after a check of the time and memory that they take."""
        texts = limits.at_most(texts, [tf.size(texts)], LIMITS["rows"], f"{name}: rows")
        longest = tf.reduce_max(tf.concat([[0], tf.strings.length(texts)], axis=0))
        texts = limits.at_most(
            texts, [longest], LIMITS["text_bytes"], f"{name}: bytes of the longest one"
        )
        texts = limits.at_most(
            texts,
            [tf.size(texts), longest],
            LIMITS["rows_times_longest_text_bytes"],
            f"{name}: rows times bytes of the longest one",
        )
        # The network reads one row at least
        return tf.concat([texts, tf.fill([tf.cast(tf.size(texts) == 0, tf.int32)], "")], axis=0)

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

    The answers come from Keras, text by text: greedy summaries from calls of the whole network on
    ever longer beginnings, and scores from one call for each pair.
    """
    words = [piece for piece in trained.vocabulary.known if piece.startswith(" ")]
    step = max(1, len(words) // 12)
    texts = ["".join(words[::step])[:80].strip(), "", "".join(words[1::step])[:40].strip()]
    found = []
    for chosen in (texts[:1], texts):
        asked = {
            "text": np.array([text.encode() for text in chosen], object),
            "max_words": np.array(6, np.int32),
            "min_words": np.array(1, np.int32),
            "beam_width": np.array(1, np.int32),
        }
        greedy = [_greedy(trained, text, 1, 6) for text in chosen]
        summary = np.array([_text(trained, ids).encode() for ids, _ in greedy], object)
        scores = np.array([score for _, score in greedy], np.float32)
        explained = [_explained(trained, *pair) for pair in zip(chosen, greedy, strict=True)]
        kinds = {"pieces": (b"", object), "copied": (0.0, np.float32)}
        rows = {
            name: _filled([each[name] for each in explained], *kinds.get(name, (-1, np.int32)))
            for name in ("pieces", "copied", "source_word")
        }
        short = [text[:20].strip() for text in chosen]
        nats = [_nats(trained, *pair) for pair in zip(chosen, short, strict=True)]
        scored = {"text": asked["text"], "summary": np.array([s.encode() for s in short], object)}
        for name, inputs, answer in (
            ("serving_default", asked, {"summary": summary, "score": scores}),
            ("explain", asked, {"summary": summary, **rows}),
            ("score", scored, {"nats_per_word": np.array(nats, np.float32)}),
        ):
            found.append(warmup_requests.Request(name, inputs, answer))
    return [*found, assets.request()]


def _filled(rows: list[list[Any]], fill: Any, dtype: Any) -> np.ndarray:
    found = np.full((len(rows), max(1, *map(len, rows))), fill, dtype)
    for at, row in enumerate(rows):
        found[at, : len(row)] = row
    return found


def _text(trained: trained_model.TrainedModel, ids: list[int]) -> str:
    return trained.vocabulary.decode(tf.constant([ids or [0]])).numpy()[0].decode()


def _explained(
    trained: trained_model.TrainedModel, text: str, found: tuple[list[int], float]
) -> dict[str, list[Any]]:
    """Tells of each piece of a summary what it is, how far it is copied, and from which word."""
    ids, _ = found
    rows: dict[str, list[Any]] = {"pieces": [], "copied": [], "source_word": []}
    if not ids:
        return rows
    source = data.preprocess(tf.constant([text]), trained.vocabulary, trained.config.text)
    asked = {"source": source, "target": tf.constant([[subwords.START, *ids]])}
    outputs = {name: np.asarray(value)[0] for name, value in trained.model(asked).items()}
    source = np.asarray(source)[0]
    word_of = np.maximum(np.cumsum(pieces.begins_word(trained.vocabulary)[source]) - 1, 0)
    written = np.asarray(tf.nn.softmax(outputs["logits"]))
    for at, piece in enumerate(ids):
        gate = float(outputs["gate"][at]) if "gate" in outputs else 1.0
        attention = np.where(source == piece, outputs["attention"][at], 0.0)
        from_source = (1.0 - gate) * attention.sum()
        copied = from_source / (from_source + gate * written[at, piece] + 1e-9)
        rows["pieces"].append(
            text_pieces.valid(trained.vocabulary.strings(tf.constant([piece]))).numpy()[0]
        )
        rows["copied"].append(copied)
        rows["source_word"].append(int(word_of[attention.argmax()]) if copied >= 0.5 else -1)
    return rows


def _log_p(trained: trained_model.TrainedModel, source: Any, target: list[int]) -> np.ndarray:
    """Returns ln p float32 [time, vocabulary] after each piece of a target, by one call."""
    asked = {"source": source, "target": tf.constant([target])}
    outputs = {name: np.asarray(value) for name, value in trained.model(asked).items()}
    mixed = np.array(tf.nn.softmax(outputs["logits"]))[0]
    if "gate" in outputs:
        gate = outputs["gate"][0][:, None]
        copied = np.zeros_like(mixed)
        for place, piece in enumerate(np.asarray(source)[0]):
            copied[:, piece] += outputs["attention"][0, :, place]
        mixed = gate * mixed + (1.0 - gate) * copied
    return np.log(mixed + 1e-9)


def _greedy(
    trained: trained_model.TrainedModel, text: str, least: int, most: int
) -> tuple[list[int], float]:
    """Writes a summary piece by piece, always the best one that may follow; returns its score."""
    config, begins = trained.config, pieces.begins_word(trained.vocabulary)
    source = data.preprocess(tf.constant([text]), trained.vocabulary, config.text)
    if not text.strip():
        return [], 0.0
    written: list[int] = []
    total, count = 0.0, config.search.no_repeat
    while True:
        scores = _log_p(trained, source, [subwords.START, *written])[-1].copy()
        scores[[*pieces.FORBIDDEN]] = -np.inf
        words = int(begins[written[1:]].sum()) + 1 if written else 0
        is_full = len(written) == config.text.most_summary_pieces
        for piece in range(trained.vocabulary.size) if is_full or words >= most else ():
            if piece != subwords.END and (is_full or begins[piece]):
                scores[piece] = -np.inf
        for at in range(len(written) - count + 1) if count else ():
            if written[at : at + count - 1] == written[len(written) - count + 1 :]:
                scores[written[at + count - 1]] = -np.inf
        if words < least and not is_full:
            scores[subwords.END] = -np.inf
        best = int(scores.argmax())
        total += float(scores[best])
        if best == subwords.END:
            break
        written.append(best)
    penalty = ((5.0 + len(written) + 1) / 6.0) ** config.search.length_penalty
    return written, total / penalty


def _nats(trained: trained_model.TrainedModel, text: str, summary: str) -> float:
    settings = trained.config.text
    source = data.preprocess(tf.constant([text]), trained.vocabulary, settings)
    cut = pieces.cut(tf.constant([summary]), trained.vocabulary, settings.most_summary_pieces)
    ids = cut.ids.numpy()[0][: min(int(cut.lengths[0]), settings.most_summary_pieces)].tolist()
    log_p = _log_p(trained, source, [subwords.START, *ids])
    total = sum(float(log_p[at, piece]) for at, piece in enumerate([*ids, subwords.END]))
    return -total / max(1, int(pieces.begins_word(trained.vocabulary)[ids].sum()) if ids else 1)
