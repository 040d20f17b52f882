"""Exports: version folders that appear whole, checked in a clean process, or not at all."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import tensorflow as tf

import lstm_layers
from apps.suite import errors
from apps.suite.export import check
from apps.suite.runs import files
from apps.suite.serving import warmup_requests


class Served(Protocol):
    """A task's model with its signatures.

    Attributes:
        saved: holds all that the signatures use; see `write`.
    """

    saved: tf.Module

    def signatures(self) -> Mapping[str, Any]:
        """Returns the functions to export, by name; see `write`."""


def of_run(
    task: str,
    run: Path,
    serve: Callable[[Path], Any],
    requests: Callable[[Any], Sequence[warmup_requests.Request]],
    destination: Path,
) -> Path:
    """Writes the next version of the export of a run, and returns its folder; see `write`.

    Args:
        task: name of the task.
        run: folder of a finished run.
        serve: builds the signatures over it; `trained` of them is what training left, with a
            `model`.
        requests: makes the warm-up requests of what training left.
        destination: folder of the exports of all tasks.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    served = serve(run)
    trained = served.trained
    return export(task, trained.model, served, lambda: requests(trained), destination)


def export(
    task: str,
    model: keras.Model,
    served: Served,
    requests: Callable[[], Sequence[warmup_requests.Request]],
    destination: Path,
) -> Path:
    """Writes the next version of a task's export, and returns its folder; see `write`.

    Args:
        task: name of the task.
        model: that `served` holds, as Keras runs it.
        served: what is saved, with its signatures.
        requests: makes the warm-up requests. It is called while the recurrent layers of `model`
            compute by other operations than the export holds.
        destination: where the exports of all tasks are.
    """
    files.make_folder(Path(destination) / task)  # or it says why not, before all the work
    print("asking the model some requests, whose answers the export has to give", flush=True)
    with lstm_layers.computed_by("portable", model):
        answered = requests()
    return write(served.saved, served.signatures(), answered, destination, task)


def tell(version: Path, wanted: str, body: str, arguments: str = "") -> None:
    """Prints where an export is, and how to ask it.

    Args:
        version: its folder.
        wanted: the word for the answer, such as "text".
        body: a request in JSON, as it stands between single quotes in a shell.
        arguments: of `predict`, which can ask the export itself; "" where it cannot.
    """
    task = version.parent.name
    print(f"exported to {version}; reloaded without this project, it answers as Keras does")
    print(f"Once TensorFlow Serving serves that folder's parent, ask it for {wanted}:")
    print(f"  echo '{body}' |")
    print(f"    curl -X POST http://localhost:8501/v1/models/{task}:predict -d @-")
    if arguments:
        print("or ask the export itself:")
        print(f"  python -m apps.{task}.predict --model {version} {arguments}")
    print("or try it in a browser:")
    print(f"  python -m apps.demo --models {version.parent.parent}")


def write(
    served: tf.Module,
    signatures: Mapping[str, Any],
    requests: Sequence[warmup_requests.Request],
    destination: Path,
    task: str,
) -> Path:
    """Writes the next version of a task's export, and checks it before it gets its name.

    Args:
        served: holds as attributes all that the signatures use: tables of vocabularies, and a
            model's weights as `[weight.value for weight in model.weights]`. The model itself or
            its Keras variables would be saved as copies that a server does not restore.
        signatures: `tf.function` by name, each with an input signature of named specs, and a
            dictionary of named tensors as its result.
        requests: for the warm-up file, with the answers that Keras gives, at least one for each
            signature; see `warmup_requests.Request`. Ask for one row and for several, with the
            recurrent layers `lstm_layers.computed_by("portable", model)`, as `export` does: by the
            operations that the export holds, a fault in them would be in both answers.
        destination: where the exports of all tasks are.
        task: name of the folder in it, and of the model that is served.

    Returns:
        `destination/task/version`, the version being the highest one there plus 1.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
        RuntimeError: a stock server cannot run it, or answers otherwise than Keras. In either
            case nothing is left of the version.
    """
    folder = Path(destination) / task
    files.make_folder(folder)
    with _alone_in(folder):
        version = 1 + max(_versions(folder), default=0)
        partial = folder / f"{files.PARTIAL}{version}"
        try:
            with _explained(folder):
                # Gradients of our recurrences are not served.
                print(f"writing the graphs of {', '.join(signatures)}", flush=True)
                options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
                tf.saved_model.save(served, str(partial), dict(signatures), options)
                file = partial / warmup_requests.FILE
                file.parent.mkdir()
                warmup_requests.write(file, task, requests)
            print("checking them in a process that cannot import this project", flush=True)
            check.check(partial)
            with _explained(folder):
                files.flush(*partial.rglob("*"), partial)
                written = partial.rename(folder / str(version))
                files.flush(folder)
                return written
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _versions(folder: Path) -> Iterator[int]:
    return (int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal())


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keeps other exports out, and removes what one that was killed has left."""
    with _explained(folder):
        # The folder itself is locked: a server's folder of versions holds nothing else.
        descriptor = files.lock(folder)
    if descriptor is None:
        raise errors.UserError(f"{folder}: another export writes there; wait for it")
    try:
        for left in folder.glob(f"{files.PARTIAL}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Says in a line why a folder cannot be written: Python and TensorFlow have their own words."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = error.strerror if isinstance(error, OSError) else _reason(error.message)
        line = f"{folder} cannot be written: {reason}; no version was added"
        raise errors.UserError(line) from error


def _reason(message: str) -> str:
    """Returns TensorFlow's message without the operation and temporary file it names."""
    return message.rpartition("; ")[2].partition(" [Op:")[0]
