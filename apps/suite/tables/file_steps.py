"""Makes steps of one file, and keeps those of a large file in a cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.runs import cache, files
from apps.suite.tables import config as configs
from apps.suite.tables import large_arrays, reader
from apps.suite.tables import rows as table_rows
from apps.suite.tables import steps as resampling

LARGE_BYTES = 2**28
"""A file that would take more memory than this goes through the cache, as arrays on the disk."""

_RECORD = "record.json"
_VERSION = 2  # of what is kept, and of the grammar of cells that it was read by
_ARRAYS = ("times", "values", "observed", "labels", "parts")
# Fields that decide what the steps are; all others are used on the steps.
_FIELDS = (
    "time_column", "time_zone", "time_format", "label_column", "input_columns", "ignored_columns",
    "duplicate_times", "step_seconds", "resample",
)  # fmt: skip


class FileSteps(NamedTuple):
    """A file's steps, the names of their columns (scored ones first), and notes."""

    steps: resampling.Steps
    feature_names: tuple[str, ...]
    scored_count: int
    notes: tuple[str, ...]


def cache_folder() -> Path:
    """Returns the folder for the steps of large files; it exists."""
    return cache.folder("series_steps")


def read(
    path: Path, settings: configs.DataFormatConfig, learned: tuple[str, ...] | None = None
) -> FileSteps:
    """Reads a file block by block, and makes steps of its rows.

    A large file is read once: its arrays stay in `cache_folder`, for as long as the file and its
    settings are the same. A file of the same path that has changed takes its place.

    Args:
        learned: the columns of the training, in their order; None without a training.

    Raises:
        UserError: a file that cannot be read, and a full disk.
    """
    table = reader.open_table(path)
    if table.size_bytes <= LARGE_BYTES:
        return _read(path, table, settings, learned, None)
    key = _key(path, settings, learned)
    folder = cache_folder() / hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    with cache.locked(folder.parent):
        if _record(folder).get("key") != key:
            partial = folder.with_name(f"{files.PARTIAL}{folder.name}")
            try:
                partial.mkdir()
                _write_record(_read(path, table, settings, learned, partial), key, partial)
                shutil.rmtree(folder, ignore_errors=True)
                partial.replace(folder)
            except OSError as error:
                raise errors.UserError(
                    f"{partial} cannot be written: {error.strerror}; {cache.VARIABLE} names "
                    "another place for the cache"
                ) from None
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return _kept(folder)


def _read(
    path: Path,
    table: reader.Table,
    settings: configs.DataFormatConfig,
    learned: tuple[str, ...] | None,
    folder: Path | None,
) -> FileSteps:
    """Reads with arrays in memory, or in files of the folder."""
    with contextlib.ExitStack() as opened:

        def new_array(name: str, dtype: type, columns: int) -> large_arrays.GrowingArray:
            made = large_arrays.GrowingArray(dtype, columns, folder / name if folder else None)
            opened.callback(made.close)
            return made

        rows, roles = table_rows.read(table, settings, learned, new_array)
        steps = resampling.to_steps(rows, settings, path, new_array)
    notes = []
    if roles.left_out:
        notes.append(f"{path.name}: not numeric, left out: {', '.join(roles.left_out)}")
    missing = 1 - sum(
        int(np.count_nonzero(steps.observed[block]))
        for block in large_arrays.blocks(*steps.observed.shape)
    ) / max(1, steps.observed.size)
    count = f"{path.name}: {len(rows.values):,} rows"
    if len(steps.values) != len(rows.values):
        count += f" became {len(steps.values):,} steps of {steps.step_seconds:g} seconds"
    if missing:
        count += f"; {missing:.2%} of the values are missing"
    if missing or len(steps.values) != len(rows.values):
        notes.append(count)
    return FileSteps(steps, roles.values, roles.scored_count, tuple(notes))


def _key(
    path: Path, settings: configs.DataFormatConfig, learned: tuple[str, ...] | None
) -> list[Any]:
    """Returns everything that the cached steps depend on, as JSON gives it back."""
    state = path.stat()
    fields = [getattr(settings, name) for name in _FIELDS]
    key = [_VERSION, str(path.resolve()), state.st_size, state.st_mtime_ns, fields, learned]
    return list(json.loads(json.dumps(key)))


def _write_record(made: FileSteps, key: list[Any], folder: Path) -> None:
    """Writes the record that `_kept` reads, and removes the files of intermediate arrays."""
    arrays: dict[str, Any] = {}
    for name in _ARRAYS:
        array = getattr(made.steps, name)
        if array is not None:
            arrays[name] = {
                "file": Path(array.filename).name,
                "dtype": array.dtype.str,
                "row_shape": array.shape[1:],
            }
    used = {each["file"] for each in arrays.values()}
    for file in folder.iterdir():
        if file.name not in used:
            file.unlink()
    record = {
        "key": key,
        "arrays": arrays,
        "dated": made.steps.dated,
        "step_seconds": made.steps.step_seconds,
        "feature_names": made.feature_names,
        "scored_count": made.scored_count,
        "notes": made.notes,
    }
    files.write_atomically(folder / _RECORD, json.dumps(record))


def _record(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / _RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _kept(folder: Path) -> FileSteps:
    record = _record(folder)
    arrays: dict[str, Any] = dict.fromkeys(_ARRAYS)
    for name, each in record["arrays"].items():
        arrays[name] = large_arrays.mapped(
            folder / each["file"], np.dtype(each["dtype"]), tuple(each["row_shape"])
        )
    steps = resampling.Steps(dated=record["dated"], step_seconds=record["step_seconds"], **arrays)
    return FileSteps(
        steps,
        tuple(record["feature_names"]),
        record["scored_count"],
        tuple(record["notes"]),
    )
