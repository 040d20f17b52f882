"""Pairs of texts as numbers, and their batches: sources, targets from START on, what follows."""

from __future__ import annotations

import typing
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from apps.suite.sequences import batches as buckets
from apps.suite.texts import subwords
from apps.suite.texts.pair_files import Pair

_RATIO_QUANTILE = 0.995


class Encoded(typing.NamedTuple):
    """Pairs as numbers, one after the other; each text ends with END.

    Attributes:
        sources, targets: int32 [tokens].
        source_starts, target_starts: int64 [pairs + 1], the first token of each, and the end.
        left_out: pairs with a text of more pieces than the config allows.
    """

    sources: np.ndarray
    targets: np.ndarray
    source_starts: np.ndarray
    target_starts: np.ndarray
    left_out: int

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the numbers of tokens of sources and of targets, int64 [pairs] each."""
        return np.diff(self.source_starts), np.diff(self.target_starts)


def with_end(texts: tf.Tensor, vocabulary: subwords.Subwords) -> tf.RaggedTensor:
    """Encodes texts string[b] as ids int32 [b, (pieces)] with END, as the export does."""
    ids = vocabulary.encode(vocabulary.normalised(texts))
    end = tf.fill([ids.nrows(), 1], subwords.END)
    return tf.concat([ids, tf.RaggedTensor.from_tensor(end)], axis=1)


def flat(ids: tf.RaggedTensor) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ids of texts one after the other, and the starts and the end: see `Encoded`."""
    return ids.flat_values.numpy(), np.cumsum([0, *ids.row_lengths().numpy()])


def encode(
    pairs: Sequence[Pair],
    source: subwords.Subwords,
    target: subwords.Subwords,
    most_pieces: int,
) -> Encoded:
    """Encodes pairs, but those with a text that is too long."""
    ids = [
        with_end(tf.constant([each[side] for each in pairs]), vocabulary)
        for side, vocabulary in enumerate((source, target))
    ]
    lengths = [each.row_lengths().numpy() for each in ids]
    fits = (lengths[0] <= most_pieces + 1) & (lengths[1] <= most_pieces + 1)
    sources, targets = (flat(tf.ragged.boolean_mask(each, fits)) for each in ids)
    return Encoded(sources[0], targets[0], sources[1], targets[1], int((~fits).sum()))


def length_ratio(encoded: Encoded) -> float:
    """Returns how many times as long as its source a translation may be, in tokens."""
    source, target = encoded.lengths
    return float(np.quantile(target / source, _RATIO_QUANTILE))


def padded(encoded: Encoded, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns sources, targets that begin with START, and what follows, (n, time), 0 after ends."""
    sources = buckets.filled(encoded.sources, encoded.source_starts, chosen, 0)
    following = buckets.filled(encoded.targets, encoded.target_starts, chosen, 0)
    first = np.full((len(following), 1), subwords.START, following.dtype)
    before = np.where(following == subwords.END, subwords.PADDING, following)[:, :-1]
    return sources, np.concatenate([first, before], axis=1), following


def batches(
    encoded: Encoded, rows: int, seed: tuple[int, int], first_step: int = 0
) -> tf.data.Dataset:
    """Yields ({"source", "target"}, following) without end, int32 (b, time) each; see `padded`.

    Args:
        encoded: pairs.
        rows: of a batch, of about equal lengths.
        seed: of the run, and a number that no other draw of the task takes beside it. A step is a
            function of the seed and its number alone.
        first_step: number of the first batch, in a training that goes on.
    """
    source, target = encoded.lengths

    def make(chosen: np.ndarray, _: np.random.Generator) -> tuple[np.ndarray, ...]:
        return padded(encoded, chosen)

    order = buckets.Buckets(source + 1000 * target, rows, seed)
    specs = [tf.TensorSpec([rows, None], tf.int32)] * 3

    def named(source: tf.Tensor, target: tf.Tensor, following: tf.Tensor) -> tuple:
        return {"source": source, "target": target}, following

    return buckets.endless(order, make, specs, first_step).map(named)
