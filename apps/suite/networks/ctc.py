"""Computes connectionist temporal classification: its loss, its decoding, its alignment.

A network gives each frame t the probabilities of C - 1 labels and of the blank, number C - 1,
where TensorFlow's kernel wants it. A path π of labels and blanks, one for each frame, stands for
the text that is left after runs of the same label are joined and blanks dropped:

    p(text | x) = Σ_π Π_t p_t(π_t)        over all paths that stand for the text
    loss        = -ln p(text | x)

Labels are int32 [b, labels], padded with -1; 0 is a label as any other. All functions take the true
number of frames of each row: padding changes nothing.

Source: Graves et al., Connectionist temporal classification (2006).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

_NEVER = -100.0
"""Logarithm of a probability that no answer comes from; finite, so that sums stay defined."""
_SPARE_FRAMES = (
    6  # of blanks after a row, in which the decoder finds as many paths as are asked for
)


def least_frames(labels: Sequence[int]) -> int:
    """Returns how many frames a text needs: one for each label, and a blank between equal ones."""
    return len(labels) + sum(one == other for one, other in itertools.pairwise(labels))


def loss(
    labels: tf.Tensor, logits: tf.Tensor, frames: tf.Tensor, opening: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the loss of each row, float32 [b].

    A causal network that knows where a recording begins can learn to write the likeliest first
    letters at once, before it hears them, and hardly unlearns it: nearly all paths that it finds
    begin so. With `opening`, only paths count that begin with so many blanks.

    Args:
        labels: int32 [b, labels], padded with -1; each row has a label at least, and must fit
            (`least_frames`).
        logits: [b, time, C], padded on the right.
        frames: int32 [b], of each row.
        opening: int32 [b], first frames that write nothing; the text must fit in the others.
    """
    logits, blanks = tf.cast(logits, tf.float32), 0.0
    if opening is not None:
        is_opening = tf.sequence_mask(opening, tf.shape(logits)[1])
        log_probabilities = tf.nn.log_softmax(logits)
        blanks = tf.reduce_sum(tf.where(is_opening, log_probabilities[:, :, -1], 0.0), axis=1)
        blank = tf.one_hot(logits.shape[-1] - 1, logits.shape[-1], 0.0, _NEVER)
        logits = tf.where(is_opening[:, :, None], blank, logits)
    places = tf.where(labels >= 0)
    sparse = tf.SparseTensor(
        places, tf.gather_nd(labels, places), tf.shape(labels, out_type=tf.int64)
    )
    nats = tf.nn.ctc_loss(
        sparse,
        logits,
        label_length=None,
        logit_length=frames,
        logits_time_major=False,
        blank_index=logits.shape[-1] - 1,
    )
    return nats - blanks


def greedy(logits: tf.Tensor, frames: tf.Tensor, previous: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the text of the likeliest path, int32 [b, labels], padded with -1.

    Args:
        logits: [b, time, C].
        frames: int32 [b].
        previous: int32 [b], the best label of the frame before the first one, for a stream; the
            blank where it is not given.
    """
    blank = logits.shape[-1] - 1
    best = tf.argmax(logits, axis=2, output_type=tf.int32)
    if previous is None:
        previous = tf.fill([tf.shape(best)[0]], blank)
    before = tf.concat([previous[:, None], best], axis=1)[:, :-1]
    is_real = tf.sequence_mask(frames, tf.shape(best)[1])
    return left_aligned(best, is_real & (best != blank) & (best != before))


def left_aligned(labels: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    """Moves the kept labels of each row to its front: int32 [b, most that are kept], then -1."""
    return tf.ragged.boolean_mask(labels, kept).to_tensor(-1)


class Paths(NamedTuple):
    """The likeliest texts of each row, the best first.

    Attributes:
        labels: int32 [b, n, labels], padded with -1.
        log_probability: float32 [b, n], ln p(text | x) as far as the beam has found its paths.
    """

    labels: tf.Tensor
    log_probability: tf.Tensor


def beam(logits: tf.Tensor, frames: tf.Tensor, width: int, count: int) -> Paths:
    """Returns the `count` likeliest texts that a search of a beam of `width` prefixes finds.

    A row with fewer texts is filled up with such of a log-probability below -90.

    Args:
        logits: [b, time, C], b at least 1.
        frames: int32 [b].
        width: prefixes that are kept from frame to frame.
        count: texts that are returned, at most `width`.
    """
    classes = logits.shape[-1]
    log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    padded = tf.pad(log_probabilities, [[0, 0], [0, _SPARE_FRAMES], [0, 0]])
    is_real = tf.sequence_mask(frames, tf.shape(padded)[1])
    blank = tf.one_hot(classes - 1, classes, 0.0, _NEVER)
    padded = tf.where(is_real[:, :, None], padded, blank)
    decoded, scores = tf.nn.ctc_beam_search_decoder(
        tf.transpose(padded, [1, 0, 2]), frames + _SPARE_FRAMES, width, count
    )
    rows = [tf.cast(tf.sparse.to_dense(each, -1), tf.int32) for each in decoded]
    longest = tf.reduce_max([tf.shape(row)[1] for row in rows])
    rows = [
        tf.pad(row, [[0, 0], [0, longest - tf.shape(row)[1]]], constant_values=-1) for row in rows
    ]
    return Paths(tf.stack(rows, axis=1), scores)


class Alignment(NamedTuple):
    """Frames of the labels of a text, on its likeliest path.

    Attributes:
        first, last: int32 [b, labels], the first and the last frame of each label; -1 at padding.
        probability: float32 [b, labels], of the label in its first frame; 0 at padding.
    """

    first: tf.Tensor
    last: tf.Tensor
    probability: tf.Tensor


def align(labels: tf.Tensor, logits: tf.Tensor, frames: tf.Tensor) -> Alignment:
    """Finds the likeliest path of a given text (Viterbi).

    States 0, 2, 4 … are blanks between the labels, states 1, 3, 5 … are the labels. From a state
    the path stays, goes on by one, or by two from one label to another one. A text that has no
    path, since it has too few frames, has frames that mean nothing.

    Args:
        labels: int32 [b, labels], padded with -1.
        logits: [b, time, C].
        frames: int32 [b].
    """
    blank = logits.shape[-1] - 1
    # The frames go by one after the other; a row that is done has no say in its last ones.
    emitted = tf.transpose(tf.nn.log_softmax(tf.cast(logits, tf.float32)), [1, 0, 2])
    rows, count = tf.unstack(tf.shape(labels))
    time, states = tf.shape(emitted)[0], 2 * count + 1
    counts = tf.reduce_sum(tf.cast(labels >= 0, tf.int32), axis=1)
    known = tf.where(labels >= 0, labels, blank)
    spaced = tf.reshape(tf.stack([tf.fill([rows, count], blank), known], axis=2), [rows, -1])
    spaced = tf.pad(spaced, [[0, 0], [0, 1]], constant_values=blank)
    two_before = tf.pad(spaced, [[0, 0], [2, 0]], constant_values=blank)[:, :states]
    may_skip = (spaced != blank) & (spaced != two_before)
    never = 1e4 * _NEVER
    steps = tf.TensorArray(tf.int8, time, element_shape=[None, None], clear_after_read=False)

    def shifted(scores: tf.Tensor, by: int) -> tf.Tensor:
        return tf.pad(scores, [[0, 0], [by, 0]], constant_values=never)[:, :states]

    def go_on(
        at: tf.Tensor, scores: tf.Tensor, steps: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        skipping = tf.where(may_skip, shifted(scores, 2), never)
        ways = tf.stack([scores, shifted(scores, 1), skipping], axis=-1)
        best = tf.argmax(ways, axis=-1, output_type=tf.int32)
        said = tf.gather(emitted[at], spaced, axis=1, batch_dims=1)
        new = tf.reduce_max(ways, axis=-1) + said
        new = tf.where((at < frames)[:, None], new, scores)
        best = tf.where((at < frames)[:, None], best, 0)
        return at + 1, new, steps.write(at, tf.cast(best, tf.int8))

    # Before the first frame the path stands before the first blank: it may enter states 0 and 1.
    start = tf.concat([tf.zeros([rows, 1]), tf.fill([rows, states - 1], never)], axis=1)
    _, scores, steps = tf.while_loop(
        lambda at, *_: at < time,
        go_on,
        (tf.constant(0), start, steps),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape(None)),
    )
    ends = tf.stack([2 * counts, tf.maximum(2 * counts - 1, 0)], axis=1)
    of_ends = tf.gather(scores, ends, axis=1, batch_dims=1)
    state = tf.where(of_ends[:, 0] >= of_ends[:, 1], ends[:, 0], ends[:, 1])
    path = tf.TensorArray(tf.int32, time, element_shape=[None])

    def go_back(
        at: tf.Tensor, state: tf.Tensor, path: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        path = path.write(at, tf.where(at < frames, state, -1))
        back = tf.gather(steps.read(at), state[:, None], axis=1, batch_dims=1)[:, 0]
        return at - 1, state - tf.cast(back, tf.int32), path

    *_, path = tf.while_loop(
        lambda at, *_: at >= 0,
        go_back,
        (time - 1, state, path),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape(None)),
    )
    return _of_path(path.stack(), emitted, labels)


def _of_path(path: tf.Tensor, emitted: tf.Tensor, labels: tf.Tensor) -> Alignment:
    """Reads the frames of the labels from a path int32 [time, b] of states, -1 after its end."""
    rows, count = tf.unstack(tf.shape(labels))
    time = tf.shape(path)[0]
    is_label = (path >= 0) & (path % 2 == 1)
    # Each label's place in a list of all rows' labels; what is not one goes to a place behind it.
    place = tf.where(is_label, path // 2 + count * tf.range(rows), rows * count)
    frame = tf.broadcast_to(tf.range(time)[:, None], tf.shape(path))
    flat, frame = tf.reshape(place, [-1]), tf.reshape(frame, [-1])
    first = tf.math.unsorted_segment_min(frame, flat, rows * count + 1)[:-1]
    last = tf.math.unsorted_segment_max(frame, flat, rows * count + 1)[:-1]
    first, last = (tf.reshape(each, [rows, count]) for each in (first, last))
    found = (labels >= 0) & (first < time)
    first, last = tf.where(found, first, -1), tf.where(found, last, -1)
    of_rows = tf.broadcast_to(tf.range(rows)[:, None], [rows, count])
    at = tf.stack([tf.maximum(first, 0), of_rows, tf.maximum(labels, 0)], axis=2)
    # Without a frame there is nothing to gather from
    log_probability = tf.gather_nd(tf.pad(emitted, [[0, 1], [0, 0], [0, 0]]), at)
    return Alignment(first, last, tf.where(found, tf.exp(log_probability), 0.0))
