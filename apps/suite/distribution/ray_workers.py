"""Starts the workers of a training by Ray, and again when one of them is lost."""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from apps.suite import errors, process
from apps.suite.distribution import workers

_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Work:
    """A training to be started: `apps.<task>.train`, its arguments, and the working folder."""

    module: str
    arguments: tuple[str, ...]
    folder: str


class Wanted(Protocol):
    """The workers that are wanted: the options of `apps.launch`."""

    @property
    def workers(self) -> int: ...

    @property
    def restarts(self) -> int: ...

    @property
    def cpus(self) -> float: ...

    @property
    def gpus(self) -> int: ...

    @property
    def address(self) -> str: ...


def launch(work: Work, wanted: Wanted) -> None:
    """Trains to the end.

    Raises:
        errors.UserError: Ray is missing, there are too few cores or GPUs, or workers ended with an
            error, which they have printed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics are sent
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
    started = {"address": wanted.address} if wanted.address else {"include_dashboard": False}
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
            f"--address {wanted.address!r}: {' '.join(str(error).split())}"
        ) from error
    try:
        _refuse_too_few(wanted, ray.cluster_resources())
        with tempfile.TemporaryDirectory(prefix="lstm_tasks_ray_") as storage:
            resources = {"CPU": wanted.cpus} | ({"GPU": wanted.gpus} if wanted.gpus else {})
            trainer = TensorflowTrainer(
                train,
                train_loop_config={"work": work},
                scaling_config=ScalingConfig(
                    num_workers=wanted.workers,
                    use_gpu=wanted.gpus > 0,
                    resources_per_worker=resources,
                ),
                run_config=RunConfig(
                    name="training",
                    storage_path=storage,
                    failure_config=FailureConfig(max_failures=wanted.restarts),
                ),
            )
            try:
                trainer.fit()
            except TrainingFailedError as error:
                raise errors.UserError(
                    f"the workers did not come to the end, started {wanted.restarts + 1} times; "
                    "their own lines above say why. The same command goes on from the last "
                    "checkpoint"
                ) from error
    finally:
        ray.shutdown()


def _refuse_too_few(wanted: Wanted, there: dict[str, float]) -> None:
    """Refuses what Ray itself would wait for without end."""
    for name, each in (("CPU", wanted.cpus), ("GPU", wanted.gpus)):
        needed, found = wanted.workers * each, there.get(name, 0)
        if needed > found:
            raise errors.UserError(
                f"{wanted.workers} workers need {needed:g} {name}s, Ray has {found:g}; give fewer "
                f"--workers or --{name.lower()}s, or more machines"
            )


def set_up() -> None:
    """Silences each process as it starts, so that people read the training's own lines only."""
    process.quiet_tensorflow()
    # Without a dashboard, a part of Ray Train complains twice a second that it cannot reach it; and
    # Ray makes every logger print lines for Ray's own developers
    for name in ("ray.train", "tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)


def train(told: dict[str, Any]) -> None:
    """Trains in a worker, with TF_CONFIG set; raises RuntimeError where the training fails."""
    work: Work = told["work"]
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # Ray asks for Keras 2
    if Path(work.folder).is_dir():
        os.chdir(work.folder)
    command = importlib.import_module(work.module).main
    status = command([*work.arguments, "--distribute", "multiworker"])
    if status:
        raise RuntimeError(f"{workers.read_cluster().name} ended with status {status}")
