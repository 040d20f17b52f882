"""Files that appear whole or not at all, even when the process is killed or the disk is full.

JSON files of a run: written whole with finite numbers only, and read with clear errors.

Keeps two processes from writing to one folder.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from apps.suite import errors
import json
import math
from collections.abc import Mapping
from typing import Any
import fcntl
import weakref


PARTIAL = ".partial-"
"""Begins the name of a file that is still being written; see `remove_partial`."""

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than the limit",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
}


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes `content` (text as UTF-8) to `path`, which until then keeps what it held.

    Raises errors.UserError when the disk is full or not writable; no part of the file is left.
    """
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path`, with its suffix, to be written; renames it at the end.

    For what a library writes by itself: `with replacing(folder.model_file) as partial:
    model.save(partial)`. An exception removes the partial file, and leaves `path` as it was.
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
    """Creates `path` with its parents; errors.UserError says why it cannot be."""
    with _explained(path):
        path.mkdir(parents=True, exist_ok=True)


def remove_partial(folder: Path) -> None:
    """Removes what writers that were killed left anywhere below `folder`."""
    for left in folder.rglob(f"{PARTIAL}*"):
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

    Raises errors.UserError for NaN and infinity, which JSON lacks, naming the value's place.
    """
    text = json.dumps(_plain(values, "", file), indent=2, ensure_ascii=False)
    write_atomically(file, text + "\n")


def read_json(file: Path) -> dict[str, Any]:
    """The object in `file`; errors.UserError when it is missing, damaged or no object."""
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
"""The file that is locked; it stays in the folder, only the lock on it comes and goes."""


class WriterLock:
    """Held from construction until `release`, garbage collection or the end of the process.

    Raises errors.UserError when another holder, in this process or in another, has it.
    """

    def __init__(self, folder: Path) -> None:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise errors.UserError(
                f"{folder} is being written by process {holder}; "
                "wait for it, or choose another --run"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self.release = weakref.finalize(self, os.close, descriptor)
        """Lets others write; closing the file is what ends the lock. Harmless when repeated."""
