"""What runs in the processes that Ray starts for `apps.launch`."""

from __future__ import annotations

import importlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.suite import process
from apps.suite.distribution import workers


@dataclass(frozen=True)
class Work:
    """A training as it is to be started: `apps.<task>.train`, its arguments, and from where."""

    module: str
    arguments: tuple[str, ...]
    folder: str


def set_up() -> None:
    """Called as each process starts: what a person reads shall be the training's own lines."""
    process.quiet_tensorflow(3)
    # Without a dashboard one part of Ray Train complains twice a second that it cannot ask it; and
    # Ray has every logger print what is of use for those who write it
    for name in ("ray.train", "tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)


def train(told: dict[str, Any]) -> None:
    """What each worker does, with TF_CONFIG set; raises RuntimeError where it doesn't end well."""
    work: Work = told["work"]
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # Ray asks for Keras 2
    if Path(work.folder).is_dir():
        os.chdir(work.folder)
    command = importlib.import_module(work.module).main
    status = command([*work.arguments, "--distribute", "multiworker"])
    if status:
        raise RuntimeError(f"{workers.read_cluster().name} ended with status {status}")
