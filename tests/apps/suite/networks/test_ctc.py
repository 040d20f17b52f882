"""Loss, decoding and alignment are those of all paths, counted one by one; padding is nothing."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import ctc

CLASSES, BLANK = 4, 3


def logits(rows, frames, seed=0):
    return np.random.default_rng(seed).normal(0, 2, (rows, frames, CLASSES)).astype("float32")


def text_of(path):
    kept = [label for label, _ in itertools.groupby(path)]
    return tuple(label for label in kept if label != BLANK)


def all_paths(scores):
    """ln p of each path of a row, float64."""
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    for path in itertools.product(range(CLASSES), repeat=len(scores)):
        yield path, sum(log_p[at, label] for at, label in enumerate(path))


@pytest.mark.parametrize("text", [(0,), (1, 1), (0, 2, 0), (2, 1)])
def test_the_loss_is_that_of_all_paths_that_stand_for_the_text(text):
    scores = logits(1, 5)
    expected = sum(
        np.exp(p) for path, p in all_paths(scores[0].astype(float)) if text_of(path) == text
    )
    labels = tf.constant([text], tf.int32, [1, len(text)])
    found = ctc.loss(labels, tf.constant(scores), tf.constant([5]))
    np.testing.assert_allclose(found, [-np.log(expected)], rtol=1e-5)


def test_with_an_opening_only_paths_that_begin_with_its_blanks_count():
    scores, text = logits(1, 6), (0, 2)
    paths = [
        (path, np.exp(p)) for path, p in all_paths(scores[0].astype(float)) if text_of(path) == text
    ]
    for opening in range(5):
        begins = (BLANK,) * opening
        expected = sum(p for path, p in paths if path[:opening] == begins)
        labels, frames = tf.constant([text]), tf.constant([6])
        found = ctc.loss(labels, tf.constant(scores), frames, tf.constant([opening]))
        np.testing.assert_allclose(found, [-np.log(expected)], rtol=1e-5)


def test_a_row_alone_and_padded_in_a_batch_has_the_same_loss_and_gradient():
    scores = tf.constant(logits(3, 9))
    frames, labels = [4, 9, 6], [[0, 0, -1, -1], [1, 2, 0, 1], [2, -1, -1, -1]]
    with tf.GradientTape() as tape:
        tape.watch(scores)
        together = ctc.loss(tf.constant(labels), scores, tf.constant(frames))
    slopes = tape.gradient(together, scores).numpy()
    for row, (count, text) in enumerate(zip(frames, labels, strict=True)):
        own = tf.constant(scores[row : row + 1, :count])
        text = [label for label in text if label >= 0]
        with tf.GradientTape() as tape:
            tape.watch(own)
            alone = ctc.loss(tf.constant([text]), own, tf.constant([count]))
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5)
        np.testing.assert_allclose(tape.gradient(alone, own)[0], slopes[row, :count], atol=1e-5)
        assert not slopes[row, count:].any(), "padding has no say"


def test_the_least_frames_are_enough_and_one_less_is_not():
    text = (0, 0, 1, 1, 1)
    assert ctc.least_frames(text) == 8
    assert ctc.least_frames(()) == 0
    alone = [p for p in itertools.product((0, 1, BLANK), repeat=8) if text_of(p) == text]
    assert alone == [(0, BLANK, 0, 1, BLANK, 1, BLANK, 1)]
    assert not [p for p in itertools.product((0, 1, BLANK), repeat=7) if text_of(p) == text]
    assert np.isfinite(ctc.loss(tf.constant([text]), tf.constant(logits(1, 8)), tf.constant([8])))


def test_greedy_joins_runs_and_drops_blanks_also_across_a_border():
    path = [0, 0, BLANK, 0, 1, 1, BLANK, BLANK, 2]
    scores = tf.one_hot([path], CLASSES)
    assert ctc.greedy(scores, tf.constant([9])).numpy().tolist() == [[0, 0, 1, 2]]
    assert ctc.greedy(scores, tf.constant([5])).numpy().tolist() == [[0, 0, 1]]
    for cut in range(10):
        first = ctc.greedy(scores[:, :cut], tf.constant([cut]))
        before = tf.constant([path[cut - 1] if cut else BLANK])
        second = ctc.greedy(scores[:, cut:], tf.constant([9 - cut]), before)
        assert [*first.numpy()[0], *second.numpy()[0]] == [0, 0, 1, 2], cut


def test_the_beam_finds_the_likeliest_texts_with_their_probabilities():
    scores = logits(2, 5, seed=3)
    found = ctc.beam(tf.constant(scores), tf.constant([5, 3]), 60, 6)
    for row, count in enumerate((5, 3)):
        sums = {}
        for path, p in all_paths(scores[row, :count].astype(float)):
            sums[text_of(path)] = sums.get(text_of(path), 0.0) + np.exp(p)
        best = sorted(sums, key=lambda text: -sums[text])[:6]
        texts = [tuple(t for t in each if t >= 0) for each in found.labels.numpy()[row].tolist()]
        assert texts == best
        given = found.log_probability.numpy()[row]
        np.testing.assert_allclose(given, np.log([sums[text] for text in best]), rtol=1e-4)


def test_a_row_without_frames_has_the_empty_text_and_no_other():
    found = ctc.beam(tf.constant(logits(1, 3)), tf.constant([0]), 4, 3)
    assert (found.labels.numpy()[0, 0] == -1).all()
    assert found.log_probability.numpy()[0, 0] == pytest.approx(0.0, abs=1e-5)
    assert (found.log_probability.numpy()[0, 1:] < -90).all()


@pytest.mark.parametrize("text", [(0,), (1, 1), (0, 2, 0), (2, 1)])
def test_the_alignment_is_the_likeliest_path_of_the_text(text):
    scores = logits(1, 6, seed=5)
    of_text = [(p, path) for path, p in all_paths(scores[0].astype(float)) if text_of(path) == text]
    _, best = max(of_text)
    runs, at = [], 0
    for label, group in itertools.groupby(best):
        count = len(list(group))
        if label != BLANK:
            runs.append((at, at + count - 1))
        at += count
    # Beside other rows, with frames of padding after the end
    several = np.concatenate([np.pad(scores, ((0, 0), (0, 3), (0, 0))), logits(2, 9)])
    labels = np.full((3, 5), -1, "int32")
    labels[0, : len(text)], labels[1, :2] = text, (1, 0)
    found = ctc.align(tf.constant(labels), tf.constant(several), tf.constant([6, 9, 0]))
    pairs = list(zip(found.first.numpy()[0], found.last.numpy()[0], strict=True))
    assert pairs[: len(text)] == runs
    assert pairs[len(text) :] == [(-1, -1)] * (5 - len(text))
    shares = np.exp(scores[0]) / np.exp(scores[0]).sum(axis=1, keepdims=True)
    expected = [shares[first, label] for (first, _), label in zip(runs, text, strict=True)]
    np.testing.assert_allclose(found.probability.numpy()[0, : len(text)], expected, rtol=1e-4)
    assert (found.first.numpy()[2] == -1).all()
