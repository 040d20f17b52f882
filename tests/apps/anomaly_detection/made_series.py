"""Series that are made for a test: seasonal, with noise, and collections of them."""

import numpy as np

from apps.suite.tables import series


def one(count=1200, columns=2, season=24, noise=0.1, seed=0, missing=0.0, name="made"):
    """A season in each column, with another size and phase; 60 % train, 20 % validation."""
    random = np.random.default_rng(seed)
    angles = 2 * np.pi * (np.arange(count)[:, None] / season + np.arange(columns) / 5)
    values = (np.arange(columns) + 1) * (np.sin(angles) + 0.5 * np.sin(3 * angles))
    values = values + random.normal(0, noise, values.shape) + 10
    observed = random.random(values.shape) >= missing
    return series.Series(
        name=name,
        times=np.arange(count, dtype=np.float64),
        dated=False,
        step_seconds=1.0,
        values=np.where(observed, values, 0).astype(np.float32),
        observed=observed,
        labels=None,
        train_end=count * 6 // 10,
        validation_end=count * 8 // 10,
    )


def collection(*many, scored_count=None):
    width = many[0].values.shape[1]
    return series.Collection(
        name="made",
        licence="none",
        source="made",
        fingerprint="0",
        split="in order",
        feature_names=tuple(f"c{at}" for at in range(width)),
        scored_count=scored_count or width,
        series=many,
    )
