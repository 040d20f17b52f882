"""How a process becomes a part of a `tf.distribute` strategy, and learns that another has left."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from apps import cluster, errors


class PeerLost(errors.UserError):
    """Another worker is gone; the same commands, on all of them, go on with the training."""

    status = 75  # EX_TEMPFAIL: to be tried again


def mirrored() -> Any:
    """The strategy of all GPUs of this machine, or of its CPU devices."""
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name.removeprefix("/device:") for device in devices]
    if len(names) == 1:
        print(f"mirrored: this machine has one device ({names[0]}), so there is one replica")
    else:
        print(f"mirrored: {len(names)} replicas ({', '.join(names)})")
    return tf.distribute.MirroredStrategy(names)


def joined(place: cluster.Cluster) -> Any:
    """The strategy of a cluster's workers; waits until all have come."""
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
                f"{cluster.VARIABLE}: {here} cannot be listened at; is it this machine's, and "
                "does another process use its port?"
            ) from error


@contextlib.contextmanager
def _ended_by_control_c() -> Iterator[None]:
    """Python itself would hear of it only when the block, which waits in C++, is over."""
    if threading.current_thread() is not threading.main_thread():  # as under Ray
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def peers_watched(place: cluster.Cluster) -> Iterator[None]:
    """Makes one line of what TensorFlow raises when another worker is gone.

    It tells by itself: at once where a connection breaks, and some ten seconds after the last
    sign of life where a machine just falls silent.
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
