"""The tasks' own trainings at their smallest, run by one process or shared by several."""

import dataclasses
import importlib
import pathlib
from collections.abc import Mapping
from typing import Any

from apps.suite.commands import command
from apps.suite.distribution import distribution
from tests.apps import processes

BATCH = 8


def config_of(task: str, **training: Any) -> Any:
    """The tiny preset in float32 without dropout, eight steps of eight rows."""
    config = importlib.import_module(f"apps.{task}.config").PRESETS["tiny"]
    # What is drawn for each row apart is drawn otherwise where a replica has fewer rows
    changes = importlib.import_module(f"tests.apps.{task}.small_run").WITHOUT_DRAWS
    small = {"batch_size": BATCH, "steps": 8, "steps_per_checkpoint": 4, "precision": "float32"}
    groups = {
        **changes,
        "training": {**small, **changes.get("training", {}), **training},
    }
    for name, values in groups.items():
        group = getattr(config, name)
        known = {field.name for field in dataclasses.fields(group)}
        values = {field: value for field, value in values.items() if field in known}
        config = dataclasses.replace(config, **{name: dataclasses.replace(group, **values)})
    return config


def run(
    configs: Mapping[str, Any],
    path: pathlib.Path,
    kind: distribution.Kind,
    devices: int = 1,
    evaluates: bool = False,
) -> int:
    """Trains each task as `python -m apps.<task>.train` does, into a folder of its name."""

    def train() -> None:
        processes.divide_cpu(devices)
        with distribution.begun(kind, BATCH):
            for task, config in configs.items():
                if not evaluates:
                    module = importlib.import_module(f"apps.{task}.evaluate")
                    setattr(module, "evaluate", lambda run: None)  # noqa: B010
                try:
                    importlib.import_module(f"apps.{task}.train").train(config, path / task)
                except SystemExit:  # where a worker's command would end
                    assert not distribution.is_chief()

    return command.exit_status(train)
