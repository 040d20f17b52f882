"""Computes losses over some drawn items, `negatives`, and cross entropy over all items.

A sampled loss takes the scores of the right items r_i (positions,), the scores of the
negatives r_j (positions, negatives), and `hits`, bool (positions, negatives), which marks negatives
that are the right item by accident. Such hits count as if they had not been drawn. The result is
float32 (positions,).

The gradient of the cross entropy over all items takes each large array once.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def full_softmax(
    vectors: tf.Tensor,
    embeddings: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    label_smoothing: float = 0.0,
    products: str = "float32",
) -> tf.Tensor:
    """Returns the negative logarithm of the right items' share of the softmax over all items.

        s_j = v · E_j + b_j        p = softmax(s)        q_j = (1 - e) [j = y] + e / items
        L = -Σ_j q_j ln p_j        dL/ds = p - q

    The scores of a step are its largest arrays by far. TensorFlow's own gradient writes several of
    their size; here p alone is kept, in the precision of the products, and the parts of q are
    subtracted after the products, where they are small.

    Args:
        vectors: v, float32 (positions, units).
        embeddings: E, float32 (items, units).
        bias: b, float32 (items,).
        targets: y, int (positions,), from 0.
        label_smoothing: e (Szegedy et al. 2016, section 7).
        products: precision of the three large products; their sums and the softmax are float32.

    Returns:
        L, float32 (positions,).
    """
    items = tf.cast(tf.shape(embeddings)[0], tf.float32)

    @tf.custom_gradient
    def loss(vectors: tf.Tensor, embeddings: tf.Tensor, bias: tf.Tensor) -> Any:
        narrow_vectors = tf.cast(vectors, products)
        narrow_embeddings = tf.cast(embeddings, products)
        scores = tf.matmul(narrow_vectors, narrow_embeddings, transpose_b=True)
        scores = tf.cast(scores, tf.float32) + bias
        log_sums = tf.reduce_logsumexp(scores, axis=1)
        right = tf.gather(scores, targets, batch_dims=1)
        mean_embedding = tf.reduce_mean(embeddings, axis=0)
        kept = (1.0 - label_smoothing) * right
        if label_smoothing:  # the mean score of all items, without going over them again
            mean_scores = tf.linalg.matvec(vectors, mean_embedding) + tf.reduce_mean(bias)
            kept += label_smoothing * mean_scores
        probabilities = tf.exp(scores - log_sums[:, None])

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            weights = upstream[:, None]
            narrow = tf.cast(probabilities, products)
            of_vectors = tf.cast(narrow @ narrow_embeddings, tf.float32)
            of_vectors -= (1.0 - label_smoothing) * tf.gather(embeddings, targets)
            weighted = vectors * weights
            of_embeddings = tf.cast(
                tf.matmul(narrow, tf.cast(weighted, products), transpose_a=True), tf.float32
            )
            of_bias = tf.linalg.matvec(probabilities, upstream, transpose_a=True)
            if label_smoothing:
                of_vectors -= label_smoothing * mean_embedding
                of_embeddings -= label_smoothing * tf.reduce_sum(weighted, axis=0) / items
                of_bias -= label_smoothing * tf.reduce_sum(upstream) / items
            of_embeddings = tf.tensor_scatter_nd_sub(
                of_embeddings, targets[:, None], (1.0 - label_smoothing) * weighted
            )
            of_bias = tf.tensor_scatter_nd_sub(
                of_bias, targets[:, None], (1.0 - label_smoothing) * upstream
            )
            return of_vectors * weights, of_embeddings, of_bias

        return log_sums - kept, gradient

    return loss(vectors, embeddings, bias)


_NOTHING = -1e9  # a score that no softmax sees


def sampled_softmax(
    right: tf.Tensor,
    negatives: tf.Tensor,
    hits: tf.Tensor,
    log_expected: tf.Tensor,
    label_smoothing: float = 0.0,
) -> tf.Tensor:
    """Returns the cross entropy over the right item and negatives corrected by their frequency.

        r'_j = r_j - ln(m Q_j)        L = -r_i + ln(exp r_i + Σ_j exp r'_j)

    The sum over m negatives drawn with replacement from Q is an unbiased estimate of that over all
    items but the right one (Bengio and Senécal 2008, section III; Jean et al. 2015, section 3.1).
    The right item is not drawn but always there, so its own score needs no correction.

    Args:
        right, negatives, hits: see above.
        log_expected: ln(m Q_j), float32 (negatives,).
        label_smoothing: share of the target that goes to all candidates alike.
    """
    corrected = tf.where(hits, _NOTHING, negatives - log_expected)
    scores = tf.concat([right[:, None], corrected], axis=1)
    log_sums = tf.reduce_logsumexp(scores, axis=1)
    kept = right
    if label_smoothing:
        candidates = tf.cast(~hits, tf.float32)
        total = right + tf.reduce_sum(tf.where(hits, 0.0, corrected), axis=1)
        mean = total / (1.0 + tf.reduce_sum(candidates, axis=1))
        kept = (1.0 - label_smoothing) * right + label_smoothing * mean
    return log_sums - kept


def bpr_max(
    right: tf.Tensor, negatives: tf.Tensor, hits: tf.Tensor, regularization: float
) -> tf.Tensor:
    """Returns a pairwise loss, weighted towards the strongest negatives.

        w = softmax over j of r_j        L = -ln Σ_j w_j σ(r_i - r_j) + λ Σ_j w_j r_j²

    Hidasi and Karatzoglou 2018, section 3.3, equation 8 and the regularised form below it; λ is
    `regularization`. Gradients flow through w as well.
    """
    weights = _weights(negatives, hits)
    # ln Σ w σ as a log of sums of exponentials: σ alone ends at 1e-38
    log_weights = tf.nn.log_softmax(tf.where(hits, _NOTHING, negatives), axis=1)
    terms = log_weights + tf.math.log_sigmoid(right[:, None] - negatives)
    penalty = tf.reduce_sum(weights * tf.square(negatives), axis=1)
    return -tf.reduce_logsumexp(terms, axis=1) + regularization * penalty


def top1_max(right: tf.Tensor, negatives: tf.Tensor, hits: tf.Tensor) -> tf.Tensor:
    """Returns a pairwise loss with a pull of the negatives towards 0, weighted to the strongest.

        w = softmax over j of r_j        L = Σ_j w_j (σ(r_j - r_i) + σ(r_j²))

    Hidasi and Karatzoglou 2018, section 3.3, equation 6.
    """
    pairs = tf.sigmoid(negatives - right[:, None]) + tf.sigmoid(tf.square(negatives))
    return tf.reduce_sum(_weights(negatives, hits) * pairs, axis=1)


def _weights(negatives: tf.Tensor, hits: tf.Tensor) -> tf.Tensor:
    """Returns the softmax over the negatives that are not hits; zeros if all are hits."""
    weights = tf.nn.softmax(tf.where(hits, _NOTHING, negatives), axis=1)
    return tf.where(hits, 0.0, weights)
