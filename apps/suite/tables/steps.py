"""Makes steps of even length out of a file's rows at any times; keeps those of a large file.

Step k covers the half step before and after the time start + k · step, where start is the time of
the first row. It holds the mean of the values observed in it, column by column; a column without a
value there is not observed, and nothing is filled in. A step is labelled if one of its rows is; a
label lasts through steps without a row if the rows before and after them have it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.runs import cache, files
from apps.suite.tables import cells, large_arrays, reader
from apps.suite.tables import config as configs
from apps.suite.tables import rows as table_rows
from apps.suite.tables import times as timestamps

LARGE_BYTES = 2**28
"""A file that would take more memory than this goes through the cache, as arrays on the disk."""

_RECORD = "record.json"
_VERSION = 3  # of what is kept, and of the grammar of cells that it was read by
_ARRAYS = ("times", "values", "observed", "labels", "parts")
# Fields that decide what the steps are; all others are used on the steps.
_FIELDS = (
    "time_column", "time_zone", "time_format", "label_column", "input_columns", "ignored_columns",
    "duplicate_times", "step_seconds", "resample", "date_column", "decimal_mark", "scored_columns",
    "series_column",
)  # fmt: skip
_MOST_SPACINGS = 1_000_000  # that the median is taken of, evenly spread
_MOST_STEPS_A_ROW = 50


class FileSteps(NamedTuple):
    """A file's steps, and how it was read.

    Attributes:
        steps: of the file, or of one series in it.
        feature_names: of their columns, scored ones first.
        scored_count: number of the scored ones.
        notes: sentences on changes to the data.
        columns: a sentence on the roles of the columns.
        clock: words on the times; "" without times.
        left_out: names of the columns that are not read, and why.
    """

    steps: Steps
    feature_names: tuple[str, ...]
    scored_count: int
    notes: tuple[str, ...]
    columns: str
    clock: str
    left_out: tuple[tuple[str, str], ...]


def read(
    path: Path,
    settings: configs.DataFormatConfig,
    learned: tuple[str, ...] | None = None,
    only: str | None = None,
) -> FileSteps:
    """Reads a file block by block, and makes steps of its rows.

    A large file is read once: its arrays stay in the cache folder, for as long as the file and its
    settings are the same. A file of the same path that has changed takes its place.

    Args:
        path: of the file.
        settings: how it is read.
        learned: the columns of the training, in their order; None without a training.
        only: value of `settings.series_column` in the rows that are read; None for all rows.

    Raises:
        UserError: a file that cannot be read, and a full disk.
    """
    table = reader.open_table(path, decimal_mark=settings.decimal_mark)
    if only is not None:
        table = _part(table, settings.series_column, only)
    if table.size_bytes <= LARGE_BYTES:
        return _read(path, table, settings, learned, None)
    key = _key(path, settings, learned, only)
    place = str(path.resolve()) + ("" if only is None else f"\n{only}")
    folder = cache.folder("series_steps") / hashlib.sha256(place.encode()).hexdigest()[:16]
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

        rows, roles, reading = table_rows.read(table, settings, learned, new_array)
        steps = to_steps(rows, settings, path, new_array)
    notes = []
    missing = 1 - sum(
        int(np.count_nonzero(steps.observed[block]))
        for block in large_arrays.blocks(*steps.observed.shape)
    ) / max(1, steps.observed.size)
    count = f"{len(rows.values):,} rows"
    if len(steps.values) != len(rows.values):
        count += f" became {len(steps.values):,} steps of {steps.step_seconds:g} seconds"
    if missing:
        count += f"; {missing:.2%} of the values are missing"
    if missing or len(steps.values) != len(rows.values):
        notes.append(count)
    of_times = f"{roles.date} and {roles.time}" if roles.date else roles.time
    return FileSteps(
        steps,
        roles.values,
        roles.scored_count,
        tuple(notes),
        roles.told(),
        f"{of_times} ({reading})" if reading else "",
        roles.left_out,
    )


def _part(table: reader.Table, column: str, value: str) -> reader.Table:
    """Returns the rows of a table that have a value in a column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def blocks(columns: Sequence[str]) -> Iterator[cells.Block]:
        for block in table.blocks(list(dict.fromkeys([*columns, column]))):
            is_here = pc.equal(block.columns[column].cast(pa.string()), value)
            rows = np.flatnonzero(is_here.fill_null(False).to_numpy(zero_copy_only=False))
            if len(rows):
                found = {name: each.take(pa.array(rows)) for name, each in block.columns.items()}
                yield dataclasses.replace(block, columns=found, numbers_of_rows=block.first + rows)

    return dataclasses.replace(table, reading=blocks)


def _key(
    path: Path,
    settings: configs.DataFormatConfig,
    learned: tuple[str, ...] | None,
    only: str | None,
) -> list[Any]:
    """Returns everything that the cached steps depend on, as JSON gives it back."""
    state = path.stat()
    fields = [getattr(settings, name) for name in _FIELDS]
    key = [_VERSION, str(path.resolve()), state.st_size, state.st_mtime_ns, fields, learned, only]
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
        "columns": made.columns,
        "clock": made.clock,
        "left_out": made.left_out,
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
    steps = Steps(dated=record["dated"], step_seconds=record["step_seconds"], **arrays)
    return FileSteps(
        steps,
        tuple(record["feature_names"]),
        record["scored_count"],
        tuple(record["notes"]),
        record["columns"],
        record["clock"],
        tuple((name, reason) for name, reason in record["left_out"]),
    )


class Steps(NamedTuple):
    """The steps of a file, in the terms of `series.Series`; parts as in `rows.Rows`."""

    times: np.ndarray
    dated: bool
    step_seconds: float
    values: np.ndarray
    observed: np.ndarray
    labels: np.ndarray | None
    parts: np.ndarray | None


def to_steps(
    rows: table_rows.Rows,
    settings: configs.DataFormatConfig,
    path: Path,
    new_array: table_rows.NewArray,
) -> Steps:
    """Makes steps of rows; without times, or with `resample=False`, each row is one.

    Raises:
        UserError: times so uneven that nearly all steps would be empty, named by `path`.
    """
    step = _step(rows.times, settings) if rows.times is not None else timestamps.SECOND
    if rows.times is None or not settings.resample:
        times = new_array("times", np.float64, 0)
        for block in large_arrays.blocks(len(rows.values), 1):
            if rows.times is None:
                times.append(np.arange(block.start, block.stop))
            else:
                times.append(rows.times[block] / timestamps.SECOND)
        seconds = step / timestamps.SECOND
        return Steps(times.finish(), rows.times is not None, seconds, *rows[1:])
    count = round((int(rows.times[-1]) - int(rows.times[0])) / step) + 1
    if count > _MOST_STEPS_A_ROW * (len(rows.times) + 20):
        raise errors.UserError(
            f"{path}: {len(rows.times)} rows over {count:,} steps of {step / timestamps.SECOND:g} "
            "seconds; give a longer --data_format.step_seconds, or take each row as a step with "
            "--data_format.resample False"
        )
    return _averaged(rows, rows.times, step, settings.duplicate_times == "last", new_array)


def _step(times: np.ndarray, settings: configs.DataFormatConfig) -> int:
    """Returns the length of a step in microseconds."""
    if settings.step_seconds:
        return max(1, round(settings.step_seconds * timestamps.SECOND))
    if len(times) < 2:
        return timestamps.SECOND
    at = np.arange(0, len(times) - 1, -(-len(times) // _MOST_SPACINGS))
    spacings = np.asarray(times[at + 1] - times[at])
    rising = spacings[spacings > 0]  # others only where they are allowed
    return max(1, round(float(np.median(rising)))) if len(rising) else timestamps.SECOND


class _Cells(NamedTuple):
    """Sums over the rows of each of some steps, in the order of the steps."""

    at: np.ndarray  # int64 [cells], number of the step
    sums: np.ndarray  # float64 [cells, features]
    counts: np.ndarray  # int64 [cells, features]
    labels: np.ndarray  # bool [cells]
    parts: np.ndarray  # int8 [cells]

    def reduced(self) -> _Cells:
        """Returns the sums with the entries of each step added up."""
        first = np.flatnonzero(np.diff(self.at, prepend=-1))
        return _Cells(
            self.at[first],
            np.add.reduceat(self.sums, first, axis=0),
            np.add.reduceat(self.counts, first, axis=0),
            np.logical_or.reduceat(self.labels, first),
            np.maximum.reduceat(self.parts, first),
        )

    def joined(self, others: _Cells) -> _Cells:
        return _Cells(*map(np.concatenate, zip(self, others, strict=True))).reduced()


def _averaged(
    rows: table_rows.Rows,
    row_times: np.ndarray,
    step: int,
    last_only: bool,
    new_array: table_rows.NewArray,
) -> Steps:
    width = rows.values.shape[1]
    values = new_array("values", np.float32, width)
    observed = new_array("observed", np.bool_, width)
    labels = new_array("labels", np.bool_, 0)
    parts = new_array("parts", np.int8, 0)
    times = new_array("times", np.float64, 0)
    origin = int(row_times[0])
    done = 0  # steps that are written
    part = 0  # of the last of them
    label = False  # of the last of them

    def write(found: _Cells) -> None:
        nonlocal done, part, label
        count = int(found.at[-1]) + 1 - done
        inside = found.at - done
        known = found.counts > 0
        means = np.zeros((count, width))
        means[inside] = np.divide(found.sums, found.counts, out=np.zeros(known.shape), where=known)
        is_observed = np.zeros((count, width), np.bool_)
        is_observed[inside] = known
        # A label lasts through steps without a row, from one row that has it to another
        following = np.searchsorted(inside, np.arange(count))
        lasts = found.labels & np.concatenate([[label], found.labels[:-1]])
        is_labelled = lasts[following]
        is_labelled[inside] = found.labels
        part_of = np.full(count, part, np.int8)
        part_of[inside] = found.parts
        part_of = np.maximum.accumulate(part_of)
        values.append(means)
        observed.append(is_observed)
        labels.append(is_labelled)
        parts.append(part_of)
        times.append((origin + np.arange(done, done + count) * step) / timestamps.SECOND)
        done, part, label = done + count, int(part_of[-1]), bool(found.labels[-1])

    open_cell: _Cells | None = None  # the last step so far: the next block may have more of it
    for block in large_arrays.blocks(*rows.values.shape):
        summed = _cells(rows, row_times, block, last_only)
        if not len(summed.at):
            continue
        summed = summed._replace(at=np.rint((summed.at - origin) / step).astype(np.int64)).reduced()
        if open_cell is not None:
            summed = open_cell.joined(summed)
        if len(summed.at) > 1:
            write(_Cells(*(each[:-1] for each in summed)))
        open_cell = _Cells(*(each[-1:] for each in summed))
    assert open_cell is not None
    write(open_cell)
    return Steps(
        times=times.finish(),
        dated=True,
        step_seconds=step / timestamps.SECOND,
        values=values.finish(),
        observed=observed.finish(),
        labels=labels.finish() if rows.labels is not None else None,
        parts=parts.finish() if rows.parts is not None else None,
    )


def _cells(rows: table_rows.Rows, row_times: np.ndarray, block: slice, last_only: bool) -> _Cells:
    """Returns the rows of a block, each at its time."""
    at = np.array(row_times[block])
    observed = np.array(rows.observed[block])
    found = _Cells(
        at,
        np.where(observed, rows.values[block], 0).astype(np.float64),
        observed.astype(np.int64),
        np.zeros(len(at), np.bool_) if rows.labels is None else np.array(rows.labels[block]),
        np.zeros(len(at), np.int8) if rows.parts is None else np.array(rows.parts[block]),
    )
    if last_only:
        following = np.append(at[1:], row_times[block.stop : block.stop + 1])
        keep = np.ones(len(at), np.bool_)
        keep[: len(following)] = at[: len(following)] != following
        found = _Cells(*(each[keep] for each in found))
    return found
