"""Reads named sets that are laid out as `hourly_traffic` is."""

from __future__ import annotations

import hashlib

import numpy as np

from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.panels import config as configs
from apps.suite.panels import panel as panels


def read(name: str, settings: configs.PanelFormatConfig) -> panels.Panel:
    """Reads a set; its parts are its own unless the settings give steps.

    Raises:
        UserError: no such set, or a set of another layout.
    """
    builder = named_sets.prepare(name)
    metadata = builder.info.metadata or {}
    lacking = [each for each in ("series", "time", "target") if each not in builder.info.features]
    lacking += [f"metadata {each}" for each in ("target", "past", "known") if each not in metadata]
    if lacking:
        raise errors.UserError(
            f"{name}: lacks {', '.join(lacking)}; give a set laid out as hourly_traffic"
        )
    whole = hashlib.sha256()
    made = []
    for example in builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator():
        steps = len(example["time"])
        columns = {
            role: np.asarray(example.get(role, np.zeros((steps, 0))), np.float32)
            for role in ("target", "past", "known")
        }
        for array in (example["time"], *columns.values()):
            whole.update(np.ascontiguousarray(array).data)
        test = steps - (settings.test_steps or int(example["test_steps"]))
        validation = settings.validation_steps or int(example["validation_steps"])
        made.append(
            panels.Series(
                name=example["series"].decode(),
                times=example["time"].astype(np.float64),
                target=columns["target"],
                past=columns["past"],
                known=columns["known"],
                length=steps,
                train_end=max(0, test - validation),
                validation_end=test,
            )
        )
    return panels.Panel(
        name=name,
        licence=builder.info.redistribution_info.license or "see source",
        source=builder.info.homepage,
        fingerprint=whole.hexdigest(),
        split="in order of time; the test part is the end of each series, the validation part "
        "stands before it",
        target_names=tuple(metadata["target"]),
        past_names=tuple(metadata["past"]),
        known_names=tuple(metadata["known"]),
        static_names=(),
        series=tuple(made),
        dated=bool(metadata.get("dated")),
        step_seconds=float(np.median(np.diff(made[0].times))),
        season=metadata.get("season"),
    )
