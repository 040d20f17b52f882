"""Mixes clips of a batch, and their labels with them (mixup, Zhang et al. 2018)."""

from __future__ import annotations

import numpy as np


def mixed(
    random: np.random.Generator,
    values: np.ndarray,
    lengths: np.ndarray,
    labels: np.ndarray,
    alpha: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Each clip with another one of the batch, in shares drawn from Beta(alpha, alpha).

    Args:
        random: what draws partners and shares; with alpha 0 nothing is drawn.
        values: frames uint8 or features float32, [clips, time, …].
        lengths: int [clips], real frames; clips of different lengths are not mixed.
        labels: float32 [clips, classes].
        alpha: 0 = nothing is mixed; small = most clips stay nearly themselves; 1 = any share alike.

    Returns:
        (values, labels) of the same shapes and types.
    """
    if not alpha:
        return values, labels
    partners = random.permutation(len(values))
    share = random.beta(alpha, alpha, len(values))
    share = np.where(lengths == lengths[partners], share, 1.0).astype(np.float32)

    def between(rows: np.ndarray) -> np.ndarray:
        own = share.reshape(-1, *[1] * (rows.ndim - 1))
        found = own * rows + (1 - own) * rows[partners]
        return np.rint(found).astype(rows.dtype) if rows.dtype == np.uint8 else found

    return between(values), between(labels)
