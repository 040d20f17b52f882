"""Reads a user's own tables: histories in long or wide form, what is known ahead, static columns.

    store,time,sales,promo,temperature          time,north,south,holiday
    north,2024-01-01,12,0,3.5                   2024-01-01,12,31,1
    north,2024-01-02,15,1,                      2024-01-02,15,29,0
    north,2024-01-03,,1,                        2024-01-03,,,0
    south,2024-01-01,31,0,3.5

In long form a row is a step of one series (of all, without a column that names them); in wide form
each column that has no other role is a series. Rows at the end without a target are the future.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.panels import config as configs
from apps.suite.panels import panel as panels
from apps.suite.sequence_files import long_tables
from apps.suite.sequences import config as sequence_configs
from apps.suite.tables import cells, reader
from apps.suite.tables import rows as table_rows
from apps.suite.tables import times as timestamps

_TIMES = ("time", "timestamp", "datetime", "date_time", "date", "ts", "ds", "step")
_SERIES = ("series", "series_id", "unique_id", "item_id", "sequence", "id")
_MONTH_SECONDS = 2_629_746.0
_MONTHLY = 27 * 86_400.0  # steps from here on are whole months


class Columns(NamedTuple):
    """Names of the columns that were learned, for reading further files."""

    target: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    static: tuple[str, ...]
    step_seconds: float


class _Rows(NamedTuple):
    """The rows of one series: times in seconds, and numbers float32 [rows, columns]."""

    name: str
    times: np.ndarray
    numbers: np.ndarray


def read(path: Path, settings: configs.PanelFormatConfig) -> panels.Panel:
    """Reads a csv or parquet file to learn from; each series gets three parts.

    Raises:
        UserError: no such file, a column that is missing, a cell that cannot be read, times that
            fall, come twice or do not fit one step: with file and line, or series.
    """
    found, names, dated, notes = _read(path, settings, None)
    target = _targets(path, settings, names)
    step = settings.step_seconds or _median_spacing(found)
    return _panel(
        path, settings, found, names, Columns(target, settings.past, settings.known, (), step),
        dated, notes,
    )  # fmt: skip


def read_history(
    path: Path, settings: configs.PanelFormatConfig, columns: Columns, future: Path | None
) -> panels.Panel:
    """Reads histories for a model that is trained, and what is known ahead, in a file of its own.

    Raises:
        UserError: as `read`, and for files that lack a column that was learned.
    """
    wide = settings.layout == "wide"
    learned = (*columns.past, *columns.known) if wide else None
    wanted = (*(() if wide else columns.target), *columns.past, *columns.known)
    found, names, dated, notes = _read(path, settings, wanted, bool(wide))
    if learned is not None:
        columns = columns._replace(target=_targets(path, settings, names))
    if future is not None:
        more, known, _, _ = _read(future, settings, columns.known)
        found = [_joined(rows, more, names, known, str(future), wide) for rows in found]
    return _panel(path, settings, found, names, columns, dated, notes)


def _read(
    path: Path,
    settings: configs.PanelFormatConfig,
    wanted: tuple[str, ...] | None,
    more: bool = False,
) -> tuple[list[_Rows], tuple[str, ...], bool, tuple[str, ...]]:
    """Returns the rows of each series, the names of their columns, whether times are dates, notes.

    Args:
        wanted: columns that must be there; None for all columns of numbers.
        more: whether further columns are read beside those that are wanted.
    """
    if not path.is_file():
        raise errors.UserError(f"{path}: no such file")
    table = reader.open_table(path)
    lower = {name.lower(): name for name in reversed(table.names)}
    for field in ("series", "time", "target", "known", "past", "ignored"):
        value = getattr(settings, field)
        for name in (value,) if isinstance(value, str) else value:
            is_needed = wanted is None or name in wanted or field in ("series", "time")
            if name and name not in table.names and name != "none" and is_needed:
                raise errors.UserError(
                    f"{path}: no column {name}, which data_format.{field} names; there are "
                    f"{', '.join(table.names)}"
                )
    first = next(iter(table.blocks()), None)
    time = settings.time or next((lower[name] for name in _TIMES if name in lower), "")
    if not time and first is not None:
        time = next(
            (each for each in table.names if timestamps.looks_like_times(first, each)), "none"
        )
    series = "none"
    if settings.layout == "long":
        series = settings.series or next((lower[each] for each in _SERIES if each in lower), "none")
    for name in (*settings.known, *settings.past, *settings.target):
        if first is not None and name in table.names and not cells.is_numeric(first, name):
            raise errors.UserError(
                f"{path}: column {name} is not of numbers; write 1 and 0, or leave it out with "
                f"--data_format.ignored {name}"
            )
    form = sequence_configs.SequenceFormatConfig(
        sequence_column=series,
        step_column=time or "none",
        group_column="none",
        part_column="none",
        ignored_columns=settings.ignored,
        time_zone=settings.time_zone,
        time_format=settings.time_format,
    )
    try:
        rows = long_tables.read(path, form, {}, learned=None if more else wanted)
    except errors.UserError as error:  # its fields have other names there
        told = str(error).replace("step_column", "time").replace("sequence_column", "series")
        raise errors.UserError(told) from None
    steps = rows.steps if rows.steps is not None else np.arange(len(rows.values), dtype=np.float64)
    dated = time != "none" and first is not None and (
        bool(settings.time_format) or not cells.is_numeric(first, time)
    )  # fmt: skip
    found = []
    for at, name in enumerate(rows.names):
        part = slice(rows.starts[at], rows.starts[at + 1])
        inside = steps[part] if rows.steps is not None else steps[: part.stop - part.start]
        label = path.name[: -len(reader.suffix(path)) or None] if series == "none" else name
        found.append(_Rows(label, np.asarray(inside), rows.values[part]))
    return found, rows.channel_names, dated, rows.notes


def _targets(
    path: Path, settings: configs.PanelFormatConfig, names: Sequence[str]
) -> tuple[str, ...]:
    """Returns the columns to forecast: those that are named, or all that have no other role."""
    others = tuple(name for name in names if name not in (*settings.known, *settings.past))
    target = settings.target or others
    if not target:
        raise errors.UserError(
            f"{path}: no column to forecast beside {', '.join(names)}; name one with "
            "--data_format.target"
        )
    return target


def _median_spacing(found: list[_Rows]) -> float:
    """Returns the median of all spacings, the lower one of two."""
    spacings = np.sort(np.concatenate([np.diff(rows.times) for rows in found]))
    return float(spacings[(len(spacings) - 1) // 2]) if len(spacings) else 1.0


def _joined(
    rows: _Rows, more: list[_Rows], names: Sequence[str], known: Sequence[str], source: str,
    wide: bool,
) -> _Rows:  # fmt: skip
    """Returns the rows with what is known after them."""
    after = next((each for each in more if wide or len(more) == 1 or each.name == rows.name), None)
    if after is None:
        raise errors.UserError(f"{source}: has no row of {rows.name}; give its future as well")
    new = after.times > rows.times[-1]
    added = np.full((int(new.sum()), rows.numbers.shape[1]), np.nan, np.float32)
    for name, column in zip(known, after.numbers[new].T, strict=True):
        added[:, list(names).index(name)] = column
    return _Rows(
        rows.name,
        np.concatenate([rows.times, after.times[new]]),
        np.concatenate([rows.numbers, added]),
    )


def _panel(
    path: Path,
    settings: configs.PanelFormatConfig,
    found: list[_Rows],
    names: tuple[str, ...],
    columns: Columns,
    dated: bool,
    notes: tuple[str, ...],
) -> panels.Panel:
    static_names, static = _static(settings)
    if columns.static and not settings.static:  # nobody says what stays the same of a series
        static_names = columns.static
    elif columns.static and static_names != columns.static:
        raise errors.UserError(
            f"{settings.static}: has the columns {', '.join(static_names)}, and training had "
            f"{', '.join(columns.static)}"
        )
    wide = settings.layout == "wide"
    made = []
    for rows in found:
        times, numbers = _even(rows, columns.step_seconds, dated, settings, path)
        places = {name: at for at, name in enumerate(names)}
        of = {
            role: numbers[:, [places[name] for name in getattr(columns, role)]]
            for role in ("target", "past", "known")
        }
        for at, name in enumerate(columns.target if wide else (rows.name,)):
            target = of["target"][:, at : at + 1] if wide else of["target"]
            known = np.flatnonzero(np.isfinite(target).any(axis=1))
            length = int(known[-1]) + 1 if len(known) else 0
            ends = _parts(length, settings)
            text = static.get(name, ("",) * len(static_names))
            series = panels.Series(
                name, times, target, of["past"], of["known"], ends[2], *ends[:2], text
            )
            made.append(series)
    missing = [one.name for one in made if static and one.name not in static]
    if missing:
        notes += (f"{settings.static}: has no row of {missing[0]}; {len(missing)} are missing",)
    whole = hashlib.sha256()
    for file in (path, *([Path(settings.static)] if settings.static else [])):
        with file.expanduser().open("rb") as content:
            whole.update(hashlib.file_digest(content, "sha256").digest())
    return panels.Panel(
        name=path.resolve().name,
        licence="your own",
        source=str(path.resolve()),
        fingerprint=whole.hexdigest(),
        split="in order of time: train, validation, test in each series",
        target_names=("value",) if wide else columns.target,
        past_names=columns.past,
        known_names=columns.known,
        static_names=static_names,
        series=tuple(made),
        dated=dated,
        step_seconds=columns.step_seconds,
        time_zone=settings.time_zone,
        notes=notes,
    )


def _parts(length: int, settings: configs.PanelFormatConfig) -> tuple[int, int, int]:
    """Returns the ends of the train, the validation and the test part."""
    test = settings.test_steps or int(length * settings.test_fraction)
    validation = settings.validation_steps or int(length * settings.validation_fraction)
    if settings.train_steps:
        train = min(settings.train_steps, length)
        return train, min(train + validation, length), min(train + validation + test, length)
    return max(0, length - test - validation), max(0, length - test), length


def _even(
    rows: _Rows, step: float, dated: bool, settings: configs.PanelFormatConfig, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows on even steps; those between them are NaN.

    Raises UserError for rows that do not fit the step: two in one, or most steps empty.
    """
    if not settings.resample or len(rows.times) < 2:
        return rows.times, rows.numbers
    start = rows.times[0]
    if dated and step >= _MONTHLY:  # months are not equally long
        each = max(1, round(step / _MONTH_SECONDS))
        days = rows.times.astype("datetime64[s]")
        months = days.astype("datetime64[M]").astype(np.int64)
        at = (months - months[0]) // each
        first = days[0].astype("datetime64[M]")
        grid = (first + each * np.arange(at[-1] + 1)).astype("datetime64[s]").astype(np.float64)
        grid += start - grid[0]
    else:
        at = np.rint((rows.times - start) / step).astype(np.int64)
        grid = start + step * np.arange(at[-1] + 1)
    way = "give --data_format.step_seconds, or take each row as a step with --data_format.resample"
    twice = np.flatnonzero(np.diff(at) == 0)
    if len(twice):
        moments = [written(rows.times[place], dated) for place in (twice[0], twice[0] + 1)]
        raise errors.UserError(
            f"{path}: {rows.name}: the rows of {moments[0]} and {moments[1]} fall into one step of "
            f"{step:g} seconds; {way} False"
        )
    if len(grid) > 2 * len(at) + 20:
        raise errors.UserError(
            f"{path}: {rows.name}: {len(at):,} rows over {len(grid):,} steps of {step:g} seconds: "
            f"its steps are longer than those of the others, or mixed; {way} False"
        )
    numbers = np.full((len(grid), rows.numbers.shape[1]), np.nan, np.float32)
    numbers[at] = rows.numbers
    return grid, numbers


def written(time: float, dated: bool) -> str:
    """Returns a time of a panel in words."""
    return table_rows.written(time * timestamps.SECOND) if dated else f"{time:g}"


def _static(
    settings: configs.PanelFormatConfig,
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Returns the static columns, and their text by the name of the series."""
    if not settings.static:
        return (), {}
    path = Path(settings.static).expanduser()
    if not path.is_file():
        raise errors.UserError(
            f"{path}: no such file of static columns; put it there, or name it when you train with "
            "--data_format.static, when you predict with --static"
        )
    table = reader.open_table(path)
    key = settings.series if settings.series in table.names else table.names[0]
    names = tuple(name for name in table.names if name != key)
    found: dict[str, tuple[str, ...]] = {}
    for block in table.blocks():
        columns = [cells.names(block, key).to_pylist()]
        for name in names:
            empty = cells.missing(block.columns[name])
            texts = block.columns[name].to_pylist()
            columns.append(
                ["" if gone else str(text).strip() for gone, text in zip(empty, texts, strict=True)]
            )
        for row, (name, *texts) in enumerate(zip(*columns, strict=True)):
            if name.strip() in found:
                raise errors.UserError(f"{block.place(row)}: {key} {name} comes twice; keep one")
            found[name.strip()] = tuple(texts)
    return names, found
