"""Training on several devices or machines: who takes part, who writes, what all agree on.

A training command runs inside `begun`; the models that it trains are made inside `scope`. Every
replica gets its share of the rows of each batch, and the gradients are added up: a step is that of
one process on the whole batch. Without a distribution all of this does nothing.

Between machines every process runs the same program, and each computation across them waits until
all have come to it. So the chief alone writes and judges, and tells the others (`from_chief`).
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

from apps.suite import errors
from apps.suite.distribution import workers

Kind = Literal["none", "mirrored", "multiworker"]
Plain = TypeVar("Plain")  # what JSON holds

_strategy: Any = None  # of this process; a second one cannot train beside it
_place: workers.Cluster | None = None


@contextlib.contextmanager
def begun(kind: Kind, batch_size: int) -> Iterator[None]:
    """Makes this process a part of the distribution while the block runs.

    To be entered before TensorFlow computes anything. "mirrored" takes all GPUs of the machine,
    or all its CPU devices, of which there is one unless TensorFlow is told otherwise;
    "multiworker" the machines of TF_CONFIG, and waits until all have come. A worker that is not
    the chief prints nothing in the block.

    Args:
        kind: "none" changes nothing, and imports nothing.
        batch_size: rows of a step, over all replicas.

    Raises:
        errors.UserError: TF_CONFIG is missing or wrong, its port is taken, or the rows cannot be
            shared out evenly.
        strategies.PeerLost: a worker was not reached any more, or would not start.
    """
    global _strategy, _place
    if kind == "none":
        yield
        return
    if _strategy is not None:
        raise RuntimeError("this process is part of a distribution already")
    try:
        if kind == "mirrored":
            _strategy = workers.mirrored()
        else:
            _place = workers.read_cluster()
            _strategy = workers.joined(_place)
        refuse_uneven(batch_size)
        with contextlib.ExitStack() as stack:
            if not is_chief():
                stack.enter_context(_silent())
            if _place is not None:
                stack.enter_context(workers.peers_watched(_place))
            yield
    finally:
        _strategy = _place = None


def strategy() -> Any:
    """Returns the `tf.distribute.Strategy` of this process, None without a distribution."""
    return _strategy


def scope() -> contextlib.AbstractContextManager[Any]:
    """Opens the scope to build and compile a trained model in, with variables on every replica."""
    return contextlib.nullcontext() if _strategy is None else _strategy.scope()


def is_chief() -> bool:
    """Returns whether this process writes, validates and prints for all workers."""
    return _place is None or _place.index == 0


def worker_name() -> str:
    """Returns a name such as `worker 1 of 2`."""
    return _place.name if _place else "the only process"


def replica_count() -> int:
    """Returns the number of replicas on all machines; 1 without a distribution."""
    return 1 if _strategy is None else int(_strategy.num_replicas_in_sync)


def refuse_uneven(batch_size: int, replicas: int | None = None) -> None:
    """Raises errors.UserError where replicas, by default all there are, can't share rows evenly."""
    replicas = replica_count() if replicas is None else replicas
    if batch_size % replicas:
        near = max(1, round(batch_size / replicas)) * replicas
        raise errors.UserError(
            f"--training.batch_size {batch_size} cannot be shared out evenly over {replicas} "
            f"replicas; take a multiple of {replicas}, such as {near}"
        )


def from_chief(function: Callable[[], Plain]) -> Plain:
    """Returns on every worker the result of `function`, which the chief alone calls.

    Every worker has to come here, in the same order of calls. The value is of dicts, lists,
    strings, numbers, booleans and None. When the chief's call ends in a UserError, all raise it.
    """
    if _place is None or len(_place.workers) == 1:
        return function()
    told: dict[str, Any] = {}
    refusal: errors.UserError | None = None
    if is_chief():
        try:
            told = {"value": function()}
        except errors.UserError as error:
            told, refusal = {"error": str(error)}, error
    told = json.loads(gathered(json.dumps(told).encode())[0])
    if refusal is not None:
        raise refusal
    if "error" in told:
        raise errors.UserError(f"the chief ended with: {told['error']}")
    return told["value"]


def gathered(content: bytes) -> list[bytes]:
    """Returns the values that all workers passed to this call, in worker order.

    Every worker has to come here, in the same order of calls.
    """
    import numpy as np

    if _place is None:
        return [content]
    words = np.frombuffer(content + bytes(-len(content) % 4), np.int32)
    parts = _together(np.concatenate([np.array([_place.index, len(content)], np.int32), words]))
    found: dict[int, bytes] = {}
    while len(parts):
        number, length = parts[:2].tolist()
        end = 2 + -(-length // 4)
        found[number] = parts[2:end].tobytes()[:length]
        parts = parts[end:]
    return [found[index] for index in range(len(_place.workers))]


@functools.cache
def _gathering(strategy: Any) -> Callable[[Any], Any]:
    """Returns a function that concatenates the int32 vectors of all workers in worker order.

    With one signature, since each trace takes keys that all workers count alike.
    """
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)], autograph=False)
    def together(part: tf.Tensor) -> Any:
        def of_replica() -> tf.Tensor:
            here = tf.identity(part)  # on this replica's device
            return tf.distribute.get_replica_context().all_gather(here, axis=0)

        return strategy.run(of_replica)

    return together


def _together(part: Any) -> Any:
    return _strategy.experimental_local_results(_gathering(_strategy)(part))[0].numpy()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Drops what the block prints; its errors stay."""
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):  # noqa: PTH123
        yield
