"""Cross entropy over all items, with a gradient that takes each large array once."""

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
    """Minus the logarithm of what the softmax over all items gives the right ones.

        s_j = v · E_j + b_j        p = softmax(s)        q_j = (1 - e) [j = y] + e / items
        L = -Σ_j q_j ln p_j        dL/ds = p - q

    The scores of a step are its largest arrays by far. TensorFlow's own gradient writes several of
    their size; here p alone is kept, in the precision of the products, and the parts of q are
    taken off behind the products, where they are small.

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
