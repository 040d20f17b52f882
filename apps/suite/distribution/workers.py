"""Joins this process to a `tf.distribute` strategy, and watches for lost workers.

TF_CONFIG: which machines train together, and which of them this process is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from apps.suite import errors

CLUSTER_VARIABLE = "TF_CONFIG"
_EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
_KINDS = ("chief", "worker")  # a chief is worker 0 by another name


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers as "host:port", the chief first, and this process's place among them."""

    workers: tuple[str, ...]
    index: int

    @property
    def name(self) -> str:
        """Returns the name of this process in messages."""
        return f"worker {self.index} of {len(self.workers)}"


def read_cluster() -> Cluster:
    """Reads the cluster that the environment variable TF_CONFIG describes.

    Raises errors.UserError, naming the part, when it is missing or no cluster that can train.
    """
    text = os.environ.get(CLUSTER_VARIABLE, "")
    if not text.strip():
        raise errors.UserError(
            f"--distribute multiworker reads {CLUSTER_VARIABLE}, which is not set; "
            "worker 0 of two: "
            f"{CLUSTER_VARIABLE}='{_EXAMPLE}'"
        )
    try:
        told = json.loads(text)
    except ValueError as error:
        raise errors.UserError(
            f"{CLUSTER_VARIABLE} is not JSON ({error}); it should be like {_EXAMPLE}"
        ) from error
    hosts = _hosts(_part(told, "cluster", dict, "of workers"))
    task = _part(told, "task", dict, "of this process")
    kind, index = task.get("type"), task.get("index")
    if kind not in hosts:
        raise _wrong(f"task.type is {kind!r}, not {' or '.join(hosts)}")
    if not isinstance(index, int) or not 0 <= index < len(hosts[kind]):
        raise _wrong(
            f"task.index is {index!r}, but the places of {kind} are 0 to {len(hosts[kind]) - 1}"
        )
    workers = [host for each in _KINDS for host in hosts.get(each, [])]
    return Cluster(tuple(workers), workers.index(hosts[kind][index]))


def _hosts(given: dict[str, Any]) -> dict[str, list[str]]:
    for kind, hosts in given.items():
        if kind not in _KINDS:
            raise _wrong(f"cluster has {kind!r}; this training has workers alone")
        if not isinstance(hosts, list) or not hosts:
            raise _wrong(f"cluster.{kind} must be a list of host:port, is {json.dumps(hosts)}")
        for host in hosts:
            name, _, port = str(host).rpartition(":")
            if not (name and port.isdecimal() and 0 < int(port) < 2**16):
                raise _wrong(f"cluster.{kind} has {json.dumps(host)}, which is not host:port")
    every = [host for hosts in given.values() for host in hosts]
    if not every:
        raise _wrong("cluster has no worker")
    for host in every:
        if every.count(host) > 1:
            raise _wrong(f"cluster has {host} twice")
    if len(given.get("chief", [0])) != 1:
        raise _wrong("cluster.chief must be one host:port")
    return given


def _part(told: Any, name: str, kind: type, of_what: str) -> Any:
    if not isinstance(told, dict) or not isinstance(told.get(name), kind):
        raise _wrong(f"has no object {name!r} {of_what}")
    return told[name]


def _wrong(what: str) -> errors.UserError:
    return errors.UserError(f"{CLUSTER_VARIABLE}: {what}; it should be like {_EXAMPLE}")


class PeerLost(errors.UserError):
    """Another worker is gone; the same commands, on all of them, go on with the training."""

    status = 75  # EX_TEMPFAIL: to be tried again


def mirrored() -> Any:
    """Returns the strategy of all GPUs of this machine, or of its CPU devices."""
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name.removeprefix("/device:") for device in devices]
    if len(names) == 1:
        print(f"mirrored: this machine has one device ({names[0]}), so there is one replica")
    else:
        print(f"mirrored: {len(names)} replicas ({', '.join(names)})")
    return tf.distribute.MirroredStrategy(names)


def joined(place: Cluster) -> Any:
    """Returns the strategy of a cluster's workers; waits until all have joined."""
    import tensorflow as tf

    here = place.workers[place.index]
    if place.index == 0:
        print(f"multiworker: {place.name} at {here}, the chief; waiting for all", flush=True)
    else:
        print(
            f"multiworker: {place.name} at {here}; the chief at {place.workers[0]} tells and "
            "writes everything, this process is silent",
            flush=True,
        )
    with peers_watched(place), _ended_by_control_c():
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.UnknownError as error:
            if "start gRPC server" not in str(error):
                raise
            raise errors.UserError(
                f"{CLUSTER_VARIABLE}: {here} cannot be listened at; is it this machine's, and "
                "does another process use its port?"
            ) from error


@contextlib.contextmanager
def _ended_by_control_c() -> Iterator[None]:
    """Ends on Control-C at once; Python would notice only after the block, which waits in C++."""
    if threading.current_thread() is not threading.main_thread():  # as under Ray
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def peers_watched(place: Cluster) -> Iterator[None]:
    """Turns TensorFlow's errors about a lost worker into one line.

    TensorFlow notices a broken connection at once, and a silent machine about ten seconds after
    its last sign of life.
    """
    import tensorflow as tf

    lost = (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    )
    try:
        yield
    except lost as error:
        if not _is_of_peers(str(error)):
            raise
        raise PeerLost(
            f"{place.name} has lost another worker, whose own lines say why; start all of them "
            "again by the same commands: they go on from the last checkpoint"
        ) from error


def _is_of_peers(message: str) -> bool:
    words = ("Collective", "collective", "heartbeat", "CoordinationService", "/job:")
    return any(word in message for word in words)
