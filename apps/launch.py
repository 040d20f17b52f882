"""Trains on several workers by Ray: `python -m apps.launch --workers 2 apps.<task>.train …`."""

from __future__ import annotations

import dataclasses
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tyro

from apps.suite import errors, process
from apps.suite.commands import command, command_line
from apps.suite.distribution import distribution, ray_workers
from apps.suite.runs import run_folder

_ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Options:
    """Start a task's training on several workers, and again when one of them is lost.

    Ray Train finds the machines, sets TF_CONFIG on each, and starts
    `python -m apps.<task>.train … --distribute multiworker` there. The arguments behind the
    module's name are the training's own. docs/scaling.md tells what is written where.
    """

    command: tyro.conf.Positional[tuple[str, ...]]
    """apps.<task>.train, and its arguments."""
    workers: int = 2
    """Processes that train together."""
    restarts: int = 3
    """How often all are started again after one was lost."""
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
    """The training to be started; refuses what its own command would refuse at once.

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


def launch(options: Options) -> None:
    """Trains to the end.

    Raises:
        errors.UserError: arguments that the training refuses, no Ray, too few cores or GPUs, or
            workers that ended with an error, which they have printed.
    """
    work = _checked(options)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tells nobody that it is used
    # Ray's own warning on the way that its next version treats GPUs of workers without any
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.tensorflow import TensorflowTrainer
    except ImportError as error:
        raise errors.UserError(
            f"Ray is missing ({error}); install it with: pip install 'lstm-task-templates[ray]'"
        ) from error

    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {
        "PYTHONPATH": os.pathsep.join(paths),
        "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # or each line comes twice
    }
    started = {"address": options.address} if options.address else {"include_dashboard": False}
    try:
        ray.init(
            runtime_env={
                "env_vars": variables,
                "worker_process_setup_hook": "apps.suite.distribution.ray_workers.set_up",
            },
            logging_level=logging.ERROR,
            **started,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise errors.UserError(
            f"--address {options.address!r}: {' '.join(str(error).split())}"
        ) from error
    try:
        _refuse_too_few(options, ray.cluster_resources())
        with tempfile.TemporaryDirectory(prefix="lstm_tasks_ray_") as storage:
            resources = {"CPU": options.cpus} | ({"GPU": options.gpus} if options.gpus else {})
            trainer = TensorflowTrainer(
                ray_workers.train,
                train_loop_config={"work": work},
                scaling_config=ScalingConfig(
                    num_workers=options.workers,
                    use_gpu=options.gpus > 0,
                    resources_per_worker=resources,
                ),
                run_config=RunConfig(
                    name="training",
                    storage_path=storage,
                    failure_config=FailureConfig(max_failures=options.restarts),
                ),
            )
            try:
                trainer.fit()
            except TrainingFailedError as error:
                raise errors.UserError(
                    f"the workers did not come to the end, started {options.restarts + 1} times; "
                    "their own lines above say why. The same command goes on from the last "
                    "checkpoint"
                ) from error
    finally:
        ray.shutdown()


def _refuse_too_few(options: Options, there: dict[str, float]) -> None:
    """Ray itself would wait for more for ever."""
    for name, each in (("CPU", options.cpus), ("GPU", options.gpus)):
        wanted, found = options.workers * each, there.get(name, 0)
        if wanted > found:
            raise errors.UserError(
                f"{options.workers} workers need {wanted:g} {name}s, Ray has {found:g}; give fewer "
                f"--workers or --{name.lower()}s, or more machines"
            )


def _divided(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments of this command, and the training's with its module ahead of them."""
    for place, argument in enumerate(given):
        if argument.startswith("apps."):
            return list(given[:place]), list(given[place:])
    return list(given), []


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""

    def run() -> None:
        own, training = _divided(sys.argv[1:] if arguments is None else arguments)
        # What begins with a dash would be taken for an option of this command
        options = command_line.parse(
            Options,
            [*own, *training[:1]],
            program="python -m apps.launch",
            description=Options.__doc__ or "",
        )
        if not training:
            raise errors.UserError("which training? Give apps.<task>.train and its arguments")
        process.quiet_tensorflow()
        launch(dataclasses.replace(options, command=tuple(training)))

    return command.exit_status(run, interrupted="the same command goes on from the last checkpoint")


if __name__ == "__main__":
    sys.exit(main())
