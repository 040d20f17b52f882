"""Some of the embedded data that an export carries, for who has no measurements at hand."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from apps import errors, run_folder
from apps.anomaly_detection import config as configs
from apps.anomaly_detection import data, series

STEPS = 1_008  # three weeks of half-hours: a season to fill the memory, and faults behind it


def csv(run: Path) -> str | None:
    """The last steps of the series that a finished run has learned from, as csv with times.

    Only of the data that come with this project: measurements of somebody's own don't belong into
    what is handed on. None for those, and where the embedded data are not there, or other ones
    than at the training.
    """
    folder = run_folder.open_finished(run, "anomaly_detection", configs.Config)
    if folder.config.data or folder.data.get("name") != data.DEFAULT:
        return None
    with contextlib.suppress(errors.UserError):
        collection = data.load(folder.config)
        if collection.fingerprint == folder.data["fingerprint"]:
            return _written(collection.series[0], collection.feature_names)
    return None


def _written(one: series.Series, names: tuple[str, ...]) -> str:
    lines = [",".join(["time", *names])]
    for at in range(max(0, len(one) - STEPS), len(one)):
        time = np.datetime64(round(one.times[at]), "s")
        pairs = zip(one.values[at], one.observed[at], strict=True)
        cells = [f"{value:.7g}" if is_there else "" for value, is_there in pairs]
        lines.append(",".join([str(time), *cells]))
    return "\n".join(lines) + "\n"
