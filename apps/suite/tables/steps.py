"""Makes steps of even length out of rows at any times.

Step k covers the half step before and after the time start + k · step, where start is the time of
the first row. It holds the mean of the values observed in it, column by column; a column without a
value there is not observed, and nothing is filled in. A step is labelled if one of its rows is.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.tables import config as configs
from apps.suite.tables import large_arrays, rows
from apps.suite.tables import times as timestamps

_MOST_SPACINGS = 1_000_000  # that the median is taken of, evenly spread
_MOST_STEPS_A_ROW = 50


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
    rows: rows.Rows,
    settings: configs.DataFormatConfig,
    path: Path,
    new_array: rows.NewArray,
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
    rows: rows.Rows,
    row_times: np.ndarray,
    step: int,
    last_only: bool,
    new_array: rows.NewArray,
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

    def write(cells: _Cells) -> None:
        nonlocal done, part
        count = int(cells.at[-1]) + 1 - done
        inside = cells.at - done
        known = cells.counts > 0
        means = np.zeros((count, width))
        means[inside] = np.divide(cells.sums, cells.counts, out=np.zeros(known.shape), where=known)
        is_observed = np.zeros((count, width), np.bool_)
        is_observed[inside] = known
        is_labelled = np.zeros(count, np.bool_)
        is_labelled[inside] = cells.labels
        part_of = np.full(count, part, np.int8)
        part_of[inside] = cells.parts
        part_of = np.maximum.accumulate(part_of)
        values.append(means)
        observed.append(is_observed)
        labels.append(is_labelled)
        parts.append(part_of)
        times.append((origin + np.arange(done, done + count) * step) / timestamps.SECOND)
        done, part = done + count, int(part_of[-1])

    open_cell: _Cells | None = None  # the last step so far: the next block may have more of it
    for block in large_arrays.blocks(*rows.values.shape):
        cells = _cells(rows, row_times, block, last_only)
        if not len(cells.at):
            continue
        cells = cells._replace(at=np.rint((cells.at - origin) / step).astype(np.int64)).reduced()
        if open_cell is not None:
            cells = open_cell.joined(cells)
        if len(cells.at) > 1:
            write(_Cells(*(each[:-1] for each in cells)))
        open_cell = _Cells(*(each[-1:] for each in cells))
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


def _cells(rows: rows.Rows, row_times: np.ndarray, block: slice, last_only: bool) -> _Cells:
    """Returns the rows of a block, each at its time."""
    at = np.array(row_times[block])
    observed = np.array(rows.observed[block])
    cells = _Cells(
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
        cells = _Cells(*(each[keep] for each in cells))
    return cells
