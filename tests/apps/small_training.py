"""A small training with all that is hard to resume, run in processes that can be killed.

`keras.layers.LSTM(stateful=True)` with dropout, AdamW with averaged weights, callbacks with a
memory, validation that moves the states of the layers.
"""

import multiprocessing.process
import os
import pathlib
import signal
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from tests.apps import processes

TOKENS, BATCH, WINDOW = 12, 4, 6

SETTINGS: Mapping[str, Any] = {
    "steps": 24,
    "steps_per_checkpoint": 4,
    "jit_compile": False,
    "recurrent": True,
    "schedule": False,
    "patience_checkpoints": None,
    "higher_is_better": False,
    "plateau": True,
    "learning_rate": 0.05,
}


def folder_of(path: pathlib.Path) -> types.SimpleNamespace:
    """The part of a run folder that training and its task need."""
    names = {"checkpoints": "checkpoints", "tensorboard": "tensorboard"}
    for name in names.values():
        (path / name).mkdir(parents=True, exist_ok=True)
    names |= {"history_file": "history.csv", "model_file": "model.keras", "final": "final.npz"}
    return types.SimpleNamespace(**{field: path / name for field, name in names.items()})


def start(
    path: pathlib.Path, before: Callable[..., None] | None = None, *arguments: Any, **settings: Any
) -> multiprocessing.process.BaseProcess:
    """Starts the training in a child, which first calls `before(*arguments)`."""
    child = processes.CONTEXT.Process(
        target=_child, args=(path, before, arguments, {**SETTINGS, **settings})
    )
    child.start()
    return child


def run(
    path: pathlib.Path, before: Callable[..., None] | None = None, *arguments: Any, **settings: Any
) -> int:
    """Runs the training in a child to its end; returns its exit status, negative for a signal."""
    child = start(path, before, *arguments, **settings)
    child.join(600)
    if child.is_alive():
        child.kill()
        raise TimeoutError(path)
    assert child.exitcode is not None
    return child.exitcode


def kill_after_checkpoint(count: int, number: int = signal.SIGKILL) -> None:
    """Sends this process a signal once its count-th checkpoint is whole, before all that follows.

    The row of the history and the model are not written then.
    """
    from apps.suite.training import checkpoints

    write, seen = checkpoints.write, 0

    def written(folder: pathlib.Path, step: int, tree: Any) -> None:
        nonlocal seen
        write(folder, step, tree)
        seen += 1
        if seen == count:
            os.kill(os.getpid(), number)

    checkpoints.write = written


def kill_before_rename_to(name: str, number: int = signal.SIGKILL) -> None:
    """Sends this process a signal when a file is written, and still to be renamed to `name`."""
    from apps.suite.runs import files

    flush = files.flush

    def flushed(*paths: pathlib.Path) -> None:
        flush(*paths)
        if any(path.name == f"{files.PARTIAL}{os.getpid()}-{name}" for path in paths):
            os.kill(os.getpid(), number)

    files.flush = flushed


def kill_at_access(path: pathlib.Path, count: int, number: int = signal.SIGKILL) -> None:
    """A signal just before this process opens, renames or removes for the count-th time in `path`.

    A checkpoint with its history and model takes 15 such moments: before and after the bytes of
    each file are written, before and after they reach the disk, the rename, the clean-up.
    """
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(str(path)):
            seen += 1
            if seen == count:
                os.kill(os.getpid(), number)

    sys.addaudithook(watch)


def _child(
    path: pathlib.Path,
    before: Callable[..., None] | None,
    arguments: tuple[Any, ...],
    settings: dict[str, Any],
) -> None:
    log = os.open(path / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    # A shell starts its background jobs with Ctrl-C ignored, and Python leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from apps.suite import errors

    if before is not None:
        before(*arguments)
    try:
        train(folder_of(path), **settings)
    except errors.UserError as error:
        print(f"error: {error}", flush=True)
        print("left:", *sorted(file.name for file in (path / "checkpoints").iterdir()), flush=True)
        sys.exit(2)


def train(folder: Any, **settings: Any) -> Any:
    """The training itself; writes every variable it ends with to `folder.final`."""
    import keras
    import numpy as np

    from apps.suite.training import checkpoints, fit

    fit.seed_everything(3)
    model = build(**settings)
    callbacks = []
    if settings["plateau"]:
        # Nothing improves by 1, so the rate falls at every checkpoint after the first, and the
        # fifth is the last; a callback that forgot would do neither.
        demanding = {"monitor": "validation_loss", "min_delta": 1.0, "mode": "min"}
        callbacks = [
            keras.callbacks.ReduceLROnPlateau(factor=0.8, patience=1, **demanding),
            keras.callbacks.EarlyStopping(patience=4, **demanding),
        ]
    record = fit.fit(
        model,
        batches,
        steps=settings["steps"],
        steps_per_checkpoint=settings["steps_per_checkpoint"],
        folder=folder,
        validate=validate,
        higher_is_better=settings["higher_is_better"],
        patience_checkpoints=settings["patience_checkpoints"],
        save_best=lambda best: save(best, folder.model_file),
        callbacks=callbacks,
    )
    held = [*checkpoints.variables(model), *model.optimizer.variables]
    np.savez(folder.final, *[variable.numpy() for variable in held])
    return record


def build(**settings: Any) -> Any:
    import keras

    recurrent = keras.layers.LSTM(
        16,
        stateful=True,
        return_sequences=True,
        dropout=0.1,
        use_cudnn=False,  # with it Keras compiles no LSTM by XLA
    )
    layers = [
        keras.Input((None,), batch_size=BATCH, dtype="int32"),
        keras.layers.Embedding(TOKENS, 8),
        *([recurrent] if settings["recurrent"] else []),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(TOKENS),
    ]
    rate: Any = settings["learning_rate"]
    if settings["schedule"]:
        rate = keras.optimizers.schedules.CosineDecay(rate, settings["steps"])
    model = keras.Sequential(layers)
    model.compile(
        keras.optimizers.AdamW(rate, use_ema=True, ema_momentum=0.8),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=settings["jit_compile"],
    )
    return model


def batches(first_step: int) -> Any:
    """Tokens that count upwards by threes, from a random start, with some noise."""
    import tensorflow as tf

    def batch(step: Any) -> tuple[Any, Any]:
        seed = tf.stack([tf.constant(7, tf.int64), step])
        begin = tf.random.stateless_uniform((BATCH, 1), seed, 0, TOKENS, tf.int32)
        noise = tf.random.stateless_uniform((BATCH, WINDOW + 1), seed, 0, 2, tf.int32)
        tokens = (begin + 3 * tf.range(WINDOW + 1) + noise) % TOKENS
        return tokens[:, :-1], tokens[:, 1:]

    return tf.data.Dataset.range(first_step, tf.int64.max).map(batch)


def validate(model: Any) -> dict[str, float]:
    import keras

    tokens, targets = next(iter(batches(1_000_000)))
    logits = model(tokens, training=False)  # moves the states of the stateful layer
    loss = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    return {"loss": float(keras.ops.mean(loss))}


def save(model: Any, path: pathlib.Path) -> None:
    from apps.suite.runs import files

    with files.replacing(path) as partial:
        model.save(partial)
