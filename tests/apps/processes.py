"""Processes forked from one that has imported TensorFlow: commands, and trainings together."""

import importlib
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

# Children are forked from a process that has imported TensorFlow and computed nothing: a start
# takes a moment instead of seconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.conftest", "tensorflow", "keras", "apps.suite.training.fit"])
_LONGEST_SECONDS = 900  # of slow machines too


def ended(
    task: str,
    command: str,
    arguments: Sequence[object],
    folder: pathlib.Path,
    before: Callable[..., None] | None = None,
    *of_before: Any,
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m apps.<task>.<command>` in a child, in `folder`, to its end.

    The child first calls `before(*of_before)`.
    """
    with tempfile.TemporaryDirectory() as elsewhere:
        outputs = [pathlib.Path(elsewhere) / name for name in ("out", "err")]
        words = [str(argument) for argument in arguments]
        child = CONTEXT.Process(
            target=_command,
            args=(outputs, dict(os.environ), folder, task, command, words, before, of_before),
        )
        child.start()
        child.join(_LONGEST_SECONDS)
        if child.is_alive():
            child.kill()
            child.join()
        assert child.exitcode is not None
        out, err = (file.read_text() for file in outputs)
    return subprocess.CompletedProcess(words, child.exitcode, out, err)


def _command(
    outputs: Sequence[pathlib.Path],
    environment: dict[str, str],
    folder: pathlib.Path,
    task: str,
    command: str,
    arguments: list[str],
    before: Callable[..., None] | None,
    of_before: tuple[Any, ...],
) -> None:
    for file, stream in zip(outputs, (sys.stdout, sys.stderr), strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), stream.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()  # the parent's of now, not of when the first child began
    os.environ.update(environment)
    os.chdir(folder)
    if before is not None:
        before(*of_before)
    sys.exit(importlib.import_module(f"apps.{task}.{command}").main(arguments))


class Workers:
    """Processes that run the same function, each with its own place in TF_CONFIG.

    Each writes what it prints to `log_<index>.txt` in `folder`.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        function: Callable[..., int | None],
        *arguments: Any,
        count: int = 2,
        of: Sequence[int] | None = None,
        ports: Sequence[int] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ports = list(ports or free_ports(count))
        hosts = [f"127.0.0.1:{port}" for port in self.ports]
        self.children = {}
        for index in range(count) if of is None else of:
            task = {"type": "worker", "index": index}
            config = json.dumps({"cluster": {"worker": hosts}, "task": task}) if count > 1 else None
            child = CONTEXT.Process(
                target=_child, args=(self.log_file(index), config, function, arguments)
            )
            child.start()
            self.children[index] = child

    def log_file(self, index: int) -> pathlib.Path:
        return self.folder / f"log_{index}.txt"

    def log(self, index: int) -> str:
        file = self.log_file(index)
        return file.read_text() if file.exists() else ""

    def wait_for(self, text: str, index: int = 0) -> None:
        """Until the worker has printed so, or has ended."""
        deadline = time.monotonic() + _LONGEST_SECONDS
        while text not in self.log(index):
            assert self.children[index].is_alive(), self.logs()
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.01)

    def kill(self, index: int) -> None:
        self.children[index].kill()
        self.children[index].join()

    def statuses(self) -> list[int | None]:
        """The exit statuses in the end, negative for a signal."""
        deadline = time.monotonic() + _LONGEST_SECONDS
        for child in self.children.values():
            child.join(max(0.0, deadline - time.monotonic()))
        late = [child for child in self.children.values() if child.is_alive()]
        for child in late:
            child.kill()
        assert not late, f"still running after {_LONGEST_SECONDS} s\n{self.logs()}"
        return [child.exitcode for child in self.children.values()]

    def logs(self) -> str:
        return "\n".join(f"--- {index}\n{self.log(index)[-6000:]}" for index in self.children)


def divide_cpu(devices: int) -> None:
    """Has TensorFlow see so many CPU devices in this process."""
    import tensorflow as tf

    if devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * devices
        )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _child(
    log_file: pathlib.Path,
    config: str | None,
    function: Callable[..., int | None],
    arguments: tuple[Any, ...],
) -> None:
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.pop("TF_CONFIG", None)
    if config is not None:
        os.environ["TF_CONFIG"] = config
    sys.exit(function(*arguments))
