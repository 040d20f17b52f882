"""Writes and scores summaries by calls of the whole network, without search or graph."""

from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.texts import subwords
from apps.summarization import data, pieces, trained_model


def text(trained: trained_model.TrainedModel, ids: list[int]) -> str:
    return trained.vocabulary.decode(tf.constant([ids or [0]])).numpy()[0].decode()


def log_p(trained: trained_model.TrainedModel, source: Any, target: list[int]) -> np.ndarray:
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


def greedy(
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
        scores = log_p(trained, source, [subwords.START, *written])[-1].copy()
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


def nats(trained: trained_model.TrainedModel, text: str, summary: str) -> float:
    settings = trained.config.text
    source = data.preprocess(tf.constant([text]), trained.vocabulary, settings)
    cut = pieces.cut(tf.constant([summary]), trained.vocabulary, settings.most_summary_pieces)
    ids = cut.ids.numpy()[0][: min(int(cut.lengths[0]), settings.most_summary_pieces)].tolist()
    found = log_p(trained, source, [subwords.START, *ids])
    total = sum(float(found[at, piece]) for at, piece in enumerate([*ids, subwords.END]))
    return -total / max(1, int(pieces.begins_word(trained.vocabulary)[ids].sum()) if ids else 1)
