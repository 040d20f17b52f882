"""Measurements for the small run, for tests over all tasks."""

import numpy as np

from tests.apps.anomaly_detection import small_model


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`."""
    for seed, name in enumerate(("north", "south")):
        values = small_model.with_nan(small_model.a_series(steps=90, seed=seed))
        rows = [",".join("" if np.isnan(cell) else f"{cell:.5f}" for cell in row) for row in values]
        lines = [f"2024-01-01T{at // 60:02}:{at % 60:02}:00,{row}" for at, row in enumerate(rows)]
        header = ",".join(["time", *small_model.NAMES])
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    return [str(folder)]
