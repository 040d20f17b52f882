"""Trains on several workers by Ray: `python -m apps.launch --workers 2 apps.<task>.train …`."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from apps.suite import errors, process
from apps.suite.commands import command, command_line
from apps.suite.distribution import distribution, ray_workers
from apps.suite.runs import run_folder


@dataclasses.dataclass(frozen=True)
class Options:
    """Start a task's training on several workers, and again when one of them is lost.

    Ray Train finds the machines, sets TF_CONFIG on each, and starts
    `python -m apps.<task>.train … --distribute multiworker` there. The arguments after the
    module's name are the training's own.
    """

    command: tyro.conf.Positional[tuple[str, ...]]
    """apps.<task>.train, and its arguments."""
    workers: int = 2
    """Processes that train together."""
    restarts: int = 3
    """Number of times that all workers are started again after one was lost."""
    cpus: float = 1.0
    """Cores of each worker, as Ray counts them."""
    gpus: int = 0
    """GPUs of each worker."""
    address: str = ""
    """A running Ray cluster, such as "auto" or host:6379; "" starts one on this machine."""

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("restarts", 0), ("gpus", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"--{name} must be at least {least}, is {getattr(self, name)}")
        if self.cpus <= 0:
            raise ValueError(f"--cpus must be above 0, is {self.cpus:g}")


def _checked(options: Options) -> ray_workers.Work:
    """Returns the training to be started; refuses what its own command would refuse at once.

    Raises errors.UserError; SystemExit(0) where the training's `--help` was asked for.
    """
    module, *arguments = options.command
    parts = module.split(".")
    if len(parts) != 3 or (parts[0], parts[2]) != ("apps", "train"):
        raise errors.UserError(f"{module}: not a training; give apps.<task>.train")
    try:
        presets = importlib.import_module(f"apps.{parts[1]}.config").PRESETS
    except ImportError as error:
        raise errors.UserError(f"{module}: no such task; `python -m apps` lists them") from error
    told = command.train_options(parts[1], presets, arguments)
    if told.distribute != "none":
        raise errors.UserError("--distribute is set by apps.launch; leave it out")
    run_folder.refuse_finished(told.run, parts[1], told.overwrite)
    replicas = options.workers * max(1, options.gpus)
    distribution.refuse_uneven(told.config.training.batch_size, replicas)
    return ray_workers.Work(module, tuple(arguments), str(Path.cwd()))


def _divided(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the arguments of this command, and the training's with its module before them."""
    for place, argument in enumerate(given):
        if argument.startswith("apps."):
            return list(given[:place]), list(given[place:])
    return list(given), []


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        own, training = _divided(sys.argv[1:] if arguments is None else arguments)
        # Arguments with a dash would be taken for options of this command
        options = command_line.parse(
            Options,
            [*own, *training[:1]],
            program="python -m apps.launch",
            description=Options.__doc__ or "",
        )
        if not training:
            raise errors.UserError("which training? Give apps.<task>.train and its arguments")
        process.quiet_tensorflow()
        work = _checked(dataclasses.replace(options, command=tuple(training)))
        ray_workers.launch(work, options)

    return command.exit_status(run, interrupted="the same command goes on from the last checkpoint")


if __name__ == "__main__":
    sys.exit(main())
