"""Histories for the small run, for tests over all tasks."""

import numpy as np

from tests.apps.forecasting import small_run


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`."""
    panel = small_run.panel(steps=40, names=("north", "new"), static=None)
    (folder / "history.csv").write_text(csv_of(panel))
    return [str(folder / "history.csv"), "--horizon", str(small_run.HORIZON)]


def csv_of(panel):
    """The panel in long form, with the rows of the future at the end of each series."""
    names = [*panel.target_names, *panel.past_names, *panel.known_names]
    lines = [",".join(["series", "time", *names])]
    for one in panel.series:
        columns = np.concatenate([one.target, one.past, one.known], axis=1)
        for time, row in zip(one.times, columns, strict=True):
            day = np.datetime64(int(time), "s").astype("datetime64[D]")
            cells = ["" if np.isnan(cell) else f"{cell:.5f}" for cell in row]
            lines.append(",".join([one.name, str(day), *cells]))
    return "\n".join(lines) + "\n"
