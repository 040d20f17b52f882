"""The cross entropy over all items and its own gradient, against NumPy and TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation.losses import full_softmax

POSITIONS, ITEMS, UNITS = 6, 11, 4


def arrays(scale=1.0):
    draw = np.random.default_rng(0)
    shapes = ((POSITIONS, UNITS), (ITEMS, UNITS), (ITEMS,))
    tensors = [tf.constant(draw.normal(0, scale, shape), tf.float32) for shape in shapes]
    return [*tensors, tf.constant([0, 3, 3, 10, 5, 3])]


def plain(vectors, embeddings, bias, targets, smoothing):
    scores = tf.matmul(vectors, embeddings, transpose_b=True) + bias
    labels = tf.one_hot(targets, ITEMS) * (1 - smoothing) + smoothing / ITEMS
    return tf.nn.softmax_cross_entropy_with_logits(labels, scores)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_its_equation(smoothing):
    given = arrays()
    vectors, embeddings, bias, targets = (np.asarray(each, np.float64) for each in given)
    scores = vectors @ embeddings.T + bias
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    right = logs[np.arange(POSITIONS), targets.astype(int)]
    expected = -(1 - smoothing) * right - smoothing * logs.mean(axis=1)
    np.testing.assert_allclose(full_softmax(*given, smoothing), expected, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_its_gradient_is_tensorflows(smoothing):
    *weights, targets = arrays()
    upstream = tf.constant([1.0, 0.5, 0.0, 2.0, -1.0, 3.0])
    slopes = []
    for loss in (full_softmax, plain):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            total = tf.reduce_sum(loss(*weights, targets, smoothing) * upstream)
        slopes.append(tape.gradient(total, weights))
    for found, expected in zip(*slopes, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_narrow_products_give_nearly_the_same():
    *weights, targets = arrays()
    found = []
    for products in ("float32", "bfloat16"):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = full_softmax(*weights, targets, 0.1, products)
        found.append([loss, *tape.gradient(loss, weights)])
    for wide, narrow in zip(*found, strict=True):
        np.testing.assert_allclose(narrow, wide, atol=0.05)
        assert narrow.dtype == tf.float32


def test_large_scores_stay_finite():
    *weights, targets = arrays(scale=20.0)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = full_softmax(*weights, targets)
    for each in (loss, *tape.gradient(loss, weights)):
        assert np.isfinite(each).all()
