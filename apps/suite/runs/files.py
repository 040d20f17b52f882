"""Writes files whole or not at all, JSON among them, and locks files and folders.

A file appears complete, even when the process is killed or the disk is full. JSON holds finite
numbers only, and is read with clear errors. A lock keeps two processes from writing to one place.
"""

import contextlib
import errno
import fcntl
import json
import math
import os
import shutil
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apps.suite import errors

PARTIAL = ".partial-"
"""Begins the name of a file or folder that is still being written; see `remove_partial`."""

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than the limit",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
}


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes `content` (text as UTF-8) to `path`, which keeps its old content until the end.

    Raises errors.UserError when the disk is full or not writable; no part of the file is left.
    """
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path in the folder of `path`, with its suffix, to be written; renames it at the end.

    For files that a library writes: `with replacing(folder.model_file) as partial:
    model.save(partial)`. An exception removes the partial file, and leaves `path` unchanged.
    """
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        with _explained(path):
            yield partial
            flush(partial)
            partial.replace(path)
            flush(path.parent)  # the rename itself, or a power cut could undo it
    finally:
        partial.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Creates `path` with its parents. Raises errors.UserError with the reason if it cannot."""
    with _explained(path):
        path.mkdir(parents=True, exist_ok=True)


def make_room(file: Path) -> None:
    """Creates the folder of a file that will be written, before the work that fills it.

    Raises errors.UserError with the reason if it cannot, or if a folder has the file's name.
    """
    if file.is_dir():
        raise errors.UserError(f"{file}: is a folder; give the name of a file")
    make_folder(file.parent)


def remove_partial(folder: Path) -> None:
    """Removes the files and folders that killed writers left anywhere below `folder`."""
    for left in list(folder.rglob(f"{PARTIAL}*")):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def flush(*paths: Path) -> None:
    """Waits until files or folders are on the disk, so that a power cut leaves no holes."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.UserError(f"{path}: a file stands where a folder is needed") from error
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        reason = _REASONS[error.errno]
        raise errors.UserError(
            f"{path} cannot be written: {reason}; nothing finished was lost"
        ) from error


def write_json(file: Path, values: Mapping[str, Any]) -> None:
    """Writes an object; NumPy's numbers count as numbers.

    Raises errors.UserError for NaN and infinity, which JSON lacks; it names the value's place.
    """
    text = json.dumps(_plain(values, "", file), indent=2, ensure_ascii=False)
    write_atomically(file, text + "\n")


def read_json(file: Path) -> dict[str, Any]:
    """Returns the object in `file`; errors.UserError if it is missing, damaged or not an object."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise errors.UserError(f"{file} is missing") from error
    except (ValueError, OSError) as error:
        raise errors.UserError(f"{file} is damaged ({error}); choose another --run") from error
    if not isinstance(content, dict):
        raise errors.UserError(f"{file} is damaged (not an object); choose another --run")
    return content


def _plain(value: Any, place: str, file: Path) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, Mapping):
        names = {key: f"{place}.{key}".lstrip(".") for key in value}
        return {str(key): _plain(each, names[key], file) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, f"{place}[{at}]", file) for at, each in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise errors.UserError(
            f"{file}: {place} is {value}; the training diverged, lower its learning rate"
        )
    return value


LOCK_NAME = ".lock"
"""Name of the file that is locked; it stays in the folder, only the lock on it comes and goes."""


def lock(path: Path, *, wait: bool = False) -> int | None:
    """Locks a file, which is created, or a folder that exists, against every other holder.

    The lock of an open file of this process counts as another holder. The lock ends when the
    descriptor is closed, at the latest with the process.

    Returns:
        An open file descriptor, to be closed by the caller. None if another holder has the lock
        and `wait` is False.

    Raises:
        OSError: the file cannot be created or opened.
    """
    how = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, how | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class WriterLock:
    """Marks a folder as being written by this process.

    The lock is held from construction until `release`, garbage collection or the end of the
    process. Raises errors.UserError when another holder, in this process or in another, has it.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / LOCK_NAME
        descriptor = lock(file)
        if descriptor is None:
            holder = file.read_text(encoding="ascii")[:20] or "unknown"
            raise errors.UserError(
                f"{folder} is being written by process {holder}; "
                "wait for it, or choose another --run"
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self.release = weakref.finalize(self, os.close, descriptor)
        """Ends the lock by closing its file. Harmless when repeated."""


def flat(values: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the fields of nested groups with the groups' names, such as `model.units`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{group}{name}.")
        else:
            yield f"{group}{name}", value
