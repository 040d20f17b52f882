"""Checkpoint files: one file per resume point, whole or not at all, refused when damaged.

A file holds a tree of plain values and NumPy arrays. Its first line is
`checkpoint 1 <SHA-256 of all that follows>`, its second the tree as JSON, in which
`{"@array": n}` stands for the n-th array; the arrays' bytes follow, back to back.

All that a training holds besides its data: what a checkpoint must keep to resume exactly.

Metrics are left out: `Model.fit` resets them at the start of every epoch, and a checkpoint is the
end of one. Randomness outside a model's seed generators (`tf.random`, Python's `random`, a
`keras.random` call without a seed) is left out too: tasks draw from generators of their own.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from apps.suite import errors
from apps.suite.distribution import replicas
from apps.suite.runs import files

KEPT = 2  # the newest, and the one to fall back to when the newest is damaged
_MAGIC = b"checkpoint 1 "
_SUFFIX = ".checkpoint"


class DamagedCheckpoint(Exception):
    """Raised for a file that is cut short or whose bytes have changed."""


def file_of(folder: pathlib.Path, step: int) -> pathlib.Path:
    """Returns the checkpoint file of a step, an integer >= 0."""
    return folder / f"{step:08d}{_SUFFIX}"


def steps(folder: pathlib.Path) -> list[int]:
    """Returns the steps with a file in `folder`, newest first; none without a folder."""
    names = (path.stem for path in folder.glob(f"*{_SUFFIX}"))
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def can_hold(value: Any) -> bool:
    """Returns whether `write` takes `value` as (part of) its tree."""
    try:
        _pack(value, [])
    except TypeError:
        return False
    return True


def write(folder: pathlib.Path, step: int, tree: Any) -> None:
    """Writes a step's checkpoint, then removes all but the newest `KEPT` up to that step.

    `tree`: dicts with string keys, lists, tuples, str, int, float, bool, None, functions of
    `keras.ops`, NumPy arrays and scalars. Raises TypeError for anything else, and
    `errors.UserError` when the disk is full: then the files of earlier steps are untouched.
    """
    arrays: list[np.ndarray] = []
    packed = _pack(tree, arrays)
    listed = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays]
    parts: list[Any] = [json.dumps({"arrays": listed, "tree": packed}).encode(), b"\n"]
    # memoryview knows no bfloat16, hence the bytes of every array
    parts += [np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in arrays]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    first_line = _MAGIC + digest.hexdigest().encode() + b"\n"
    with files.replacing(file_of(folder, step)) as partial, partial.open("wb") as file:
        file.writelines([first_line, *parts])
    remove_old(folder, step)


def remove_old(folder: pathlib.Path, step: int) -> None:
    """Removes all checkpoints but the newest `KEPT` up to that step; later ones are left alone."""
    for old in [kept for kept in steps(folder) if kept <= step][KEPT:]:
        file_of(folder, old).unlink(missing_ok=True)


def read(path: pathlib.Path) -> Any:
    """Reads the tree that `write` stored.

    Raises DamagedCheckpoint, or `errors.UserError` when the file may not be read.
    """
    try:
        content = bytearray(path.read_bytes())  # not bytes, so that the arrays can be written to
    except PermissionError as error:
        raise errors.UserError(f"{path}: {error.strerror}: make it readable to resume") from error
    except OSError as error:
        raise DamagedCheckpoint(path) from error
    start = len(_MAGIC) + 2 * hashlib.sha256().digest_size + 1
    digest = hashlib.sha256(memoryview(content)[start:]).hexdigest()
    if content[:start] != _MAGIC + digest.encode() + b"\n":
        raise DamagedCheckpoint(path)
    # The digest holds, so from here on the content is what `write` wrote.
    end = content.index(b"\n", start)
    header = json.loads(content[start:end])
    arrays, offset = [], end + 1
    for entry in header["arrays"]:
        dtype = np.dtype(entry["dtype"])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        array = np.frombuffer(content, np.uint8, count * dtype.itemsize, offset).view(dtype)
        arrays.append(array.reshape(entry["shape"]))
        offset += count * dtype.itemsize
    return _unpack(header["tree"], arrays)


def newest(folder: pathlib.Path) -> tuple[pathlib.Path, Any] | None:
    """Returns the newest complete checkpoint, as (file, tree), or None.

    Prints a line for each damaged file that it passes over. Raises `errors.UserError` when a
    file may not be read.
    """
    for step in steps(folder):
        path = file_of(folder, step)
        try:
            return path, read(path)
        except DamagedCheckpoint:
            print(f"{path} is damaged: going back to the checkpoint before it", flush=True)
    return None


def _pack(value: Any, arrays: list[np.ndarray]) -> Any:
    """Converts `value` for JSON and appends its arrays to `arrays`."""
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(np.asarray(value))
        return {"@array" if isinstance(value, np.ndarray) else "@scalar": len(arrays) - 1}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_pack(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {"@tuple": [_pack(item, arrays) for item in value]}
    if isinstance(value, dict) and all(
        isinstance(key, str) and not key.startswith("@") for key in value
    ):
        return {key: _pack(item, arrays) for key, item in value.items()}
    # Keras's callbacks keep their direction as such a function
    name = getattr(value, "__name__", "")
    if name and getattr(keras.ops, name, None) is value:
        return {"@keras.ops": name}
    raise TypeError(f"a checkpoint holds plain values and arrays, not {type(value).__name__}")


def _unpack(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"@array": index}:
            return arrays[index]
        case {"@scalar": index}:
            return arrays[index][()]
        case {"@tuple": items}:
            return tuple(_unpack(item, arrays) for item in items)
        case {"@keras.ops": name}:
            return getattr(keras.ops, name)
    return {key: _unpack(item, arrays) for key, item in value.items()}


# Set anew by every `fit`; of another length when a run is prolonged
_NOT_STATE = {"params"}


def variables(model: keras.Model) -> list[keras.Variable]:
    """Returns all variables of a built model: weights, seeds, states of stateful layers.

    `model.variables` lacks the last: Keras's recurrent layers keep them in a plain attribute.
    The order is the same for every model that is built alike.
    """
    found = {id(variable): variable for variable in model.variables}
    layers: list[keras.Layer] = [model]
    seen = {id(model)}
    for layer in layers:
        for held in _flatten(list(vars(layer).values())):
            if isinstance(held, keras.Variable):
                found.setdefault(id(held), held)
            elif isinstance(held, keras.random.SeedGenerator):
                found.setdefault(id(held.state), held.state)
            elif isinstance(held, keras.Layer) and id(held) not in seen:
                seen.add(id(held))
                layers.append(held)
    return list(found.values())


def collect(model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, Any]:
    """Collects the state as a tree for `write`: variables, optimizer, callbacks.

    Of a callback it takes the attributes that hold plain values, arrays or functions of
    `keras.ops`; others, such as the model or an open file, are the callback's own to renew.

    Where training is distributed every worker has to come here, and finds the same.
    """
    return {
        "variables": [replicas.read(variable) for variable in variables(model)],
        "optimizer": [replicas.read(variable) for variable in model.optimizer.variables],
        "callbacks": [
            {"class": type(callback).__name__, "attributes": _attributes(callback)}
            for callback in callbacks
        ],
    }


def restore(
    model: keras.Model,
    callbacks: Sequence[keras.callbacks.Callback],
    state: dict[str, Any],
    source: pathlib.Path,
) -> None:
    """Puts back what `collect` took, into a built model with a built optimizer.

    Raises `errors.UserError`, naming `source`, when the state is of another model, optimizer or
    list of callbacks; nothing is changed then.
    """
    held_by = {"variables": variables(model), "optimizer": model.optimizer.variables}
    for name, held in held_by.items():
        written = [(array.shape, array.dtype.name) for array in state[name]]
        expected = [(replicas.whole_shape(one), str(one.dtype)) for one in held]
        if written != expected:
            raise _another(source, name, len(written), len(expected))
    written_names = ", ".join(entry["class"] for entry in state["callbacks"])
    expected_names = ", ".join(type(callback).__name__ for callback in callbacks)
    if written_names != expected_names:
        raise _another(source, "callbacks", written_names or "none", expected_names or "none")
    for name, held in held_by.items():
        for variable, array in zip(held, state[name], strict=True):
            replicas.write(variable, array)
    for callback, entry in zip(callbacks, state["callbacks"], strict=True):
        vars(callback).update(entry["attributes"])


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in _NOT_STATE and can_hold(value)
    }


def _another(source: pathlib.Path, part: str, written: Any, expected: Any) -> errors.UserError:
    return errors.UserError(
        f"{source}: its {part} ({written}) are not those of this training ({expected}): "
        "resume with the settings it was started with, or start anew with --overwrite"
    )


def _flatten(value: Any) -> Iterator[Any]:
    """Yields the leaves of nested lists, tuples, sets and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set):
        for item in value:
            yield from _flatten(item)
    else:
        yield value
