"""A fleet for the small run, for tests over all tasks."""

import numpy as np

from tests.apps.sequence_regression import small_run


def fleet(folder, lengths=(12, 30, 21)):
    """Writes the sequences of a fleet as csv; returns the file."""
    lines = ["unit,cycle,flow,heat"]
    for unit, steps in enumerate(lengths, 1):
        values = small_run.a_sequence(steps, seed=unit)
        for cycle, row in enumerate(values, 1):
            cells = ["" if np.isnan(cell) else f"{cell:.5f}" for cell in row]
            lines.append(",".join([f"engine {unit}", str(cycle), *cells]))
    file = folder / "fleet.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`."""
    return [str(fleet(folder))]
