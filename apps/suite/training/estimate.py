"""Estimates how long a training takes on this machine, by some of its steps and a validation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from apps.suite import process
from apps.suite.distribution import replicas
from apps.suite.training import history

_STEPS_SECONDS = 3.0
_MOST_STEPS = 40
_VALIDATION_SECONDS = 6.0


def of(
    model: keras.Model,
    batches: tf.data.Dataset,
    validate: Callable[[], object] | None,
    steps: int,
    steps_per_checkpoint: int,
) -> str:
    """Returns a sentence on the time of a training; trains the model for some steps.

    The first step is not counted, since it builds the graph. A validation that takes longer than
    some seconds is left, and counted with what it took.

    Args:
        model: built and compiled.
        batches: the stream from the first step on.
        validate: called at each checkpoint of the training.
        steps, steps_per_checkpoint: of the training.
    """
    watch = _Stopwatch()
    with contextlib.suppress(_Enough):
        model.fit(
            replicas.shared_out(batches),
            steps_per_epoch=steps,
            callbacks=[watch],
            shuffle=False,
            verbose=0,
        )
    checkpoints = steps // steps_per_checkpoint
    step_seconds = watch.step_seconds()
    validation_seconds, ended = _validation(validate) if validate else (0.0, True)
    total = steps * step_seconds + checkpoints * validation_seconds
    about = "about" if ended else "more than"
    parts = f"{steps:,} steps of {_short(step_seconds)}"
    if validate:
        longer = "" if ended else "more than "
        parts += f", {checkpoints} validations of {longer}{_short(validation_seconds)}"
    return (
        f"a training takes {about} {history.duration(total)} on this machine as it is now: "
        f"{parts}; the evaluation and its baselines come on top"
    )


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


class _Enough(Exception):
    """Ends the training that a stopwatch is at."""


class _Stopwatch(keras.callbacks.Callback):
    """Notes when steps end, and ends the training after enough of them."""

    def __init__(self) -> None:
        super().__init__()
        self._ends: list[float] = []
        self._begun = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._ends.append(time.monotonic())
        if len(self._ends) > _MOST_STEPS or self._ends[-1] - self._ends[0] > _STEPS_SECONDS:
            raise _Enough

    def step_seconds(self) -> float:
        """Returns the mean time of a step after the first one; of a single step its own."""
        if len(self._ends) < 2:
            return self._ends[0] - self._begun
        return (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)


def _validation(validate: Callable[[], object]) -> tuple[float, bool]:
    """Returns the time of a validation, and whether it came to its end.

    A short one is done twice, since the first one builds a graph.
    """
    begun = time.monotonic()
    for _ in range(2):
        began = time.monotonic()
        with _left_after(_VALIDATION_SECONDS) as left:
            validate()
        took = time.monotonic() - began
        if left or time.monotonic() - begun > _VALIDATION_SECONDS / 2:
            break
    return took, not left


@contextlib.contextmanager
def _left_after(seconds: float) -> Iterator[list[bool]]:
    """Leaves the block after a time; the list that is yielded is filled then."""
    left: list[bool] = []
    process.raise_after(seconds, _Left())
    try:
        yield left
    except _Left:
        left.append(True)
    finally:
        process.raise_after(0)


class _Left(BaseException):
    """Leaves the block of `_left_after`; not an Exception, which a validation might handle."""
