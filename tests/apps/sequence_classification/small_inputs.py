"""Sequences for the small run, for tests over all tasks."""

import numpy as np

from tests.apps.sequence_classification import small_run


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`."""
    lines = ["sequence,step,x,y"]
    for seed, steps in enumerate((9, 21)):
        for step, row in enumerate(small_run.sequence(steps, seed)):
            lines.append(
                ",".join([f"walk {seed}", str(step), *("" if np.isnan(v) else str(v) for v in row)])
            )
    (folder / "walks.csv").write_text("\n".join(lines) + "\n")
    return [str(folder / "walks.csv")]
