"""Converts table rows, sounds and videos into model inputs, and gathers them into requests.

Rows that cannot be read are set aside. A request holds numbers of one shape only, so that none has
to be padded; lists of strings are padded with "", which no signature of this project takes for an
entry. Rows of about the same length stand together, since a request is as long as its longest row.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.panels import histories
from apps.suite.panels import panel as panels
from apps.suite.scoring import pieces
from apps.suite.scoring import values as input_values
from apps.suite.scoring.binding import Binding
from apps.suite.scoring.pieces import Piece
from apps.suite.scoring.values import CellError
from apps.suite.sounds import sound_files
from apps.suite.tables import cells, reader


class Row(NamedTuple):
    """A row of the input: one question to the model.

    file: its path.
    number: in the file, from 1.
    values: by input: bytes, a number, a list of bytes, or an array.
    kept: cells that are copied to the output; of a series, a list for each column.
    """

    file: str
    number: int
    values: dict[str, Any]
    kept: tuple[Any, ...] = ()


class BadRow(NamedTuple):
    """Rows of the input, from `number` on, that cannot be asked or get no answer."""

    file: str
    number: int
    rows: int
    reason: str


def read(
    path: str, piece: Piece, binding: Binding, keep: Sequence[str], settings: dict[str, Any]
) -> Iterator[Row | BadRow]:
    """Yields the rows of a piece, in order.

    Args:
        path: of its file.
        piece: which rows.
        binding: the inputs that they fill.
        keep: columns whose cells go into the output.
        settings: of the export: sample_rate_hz, frames, clip_seconds, data_format.

    Raises:
        UserError: a table that cannot be read any more.
    """
    if binding.layout == "rows":
        return _of_table(path, piece, binding, keep)
    if binding.layout == "series":
        return _of_series(path, piece, binding, keep, settings)
    if binding.layout == "panel":
        return _of_panel(path, piece, binding, settings)
    return _of_media(path, binding, settings)


def _of_table(
    path: str, piece: Piece, binding: Binding, keep: Sequence[str]
) -> Iterator[Row | BadRow]:
    read_columns = list(dict.fromkeys([*_columns(binding), *keep]))
    place = {column: at for at, column in enumerate(read_columns)}
    inputs = [
        (name, [place[column] for column in binding.columns[name]], wanted)
        for name, wanted in binding.wanted.items()
    ]
    kept = [place[column] for column in keep]
    comma = pieces.decimal_comma(path)
    for number, row in pieces.read(path, piece, read_columns):
        if isinstance(row, str):
            yield BadRow(path, number, 1, row)
            continue
        values = {}
        try:
            for name, places, wanted in inputs:
                if len(places) > 1:
                    column, several = name, [row[at] for at in places]
                    values[name] = input_values.many(several, wanted, binding.separator, comma)
                    continue
                column, cell = read_columns[places[0]], row[places[0]]
                values[name] = (
                    input_values.many(cell, wanted, binding.separator, comma)
                    if wanted.sides
                    else input_values.one(cell, wanted.kind, decimal_comma=comma)
                )
            keeping = tuple(_kept(row[at]) for at in kept)
        except CellError as error:
            yield BadRow(path, number, 1, f"{column}: {error}")
            continue
        yield Row(path, number, values, keeping)


def _of_series(
    path: str, piece: Piece, binding: Binding, keep: Sequence[str], settings: dict[str, Any]
) -> Iterator[Row | BadRow]:
    """Reads a whole table as one row: numbers [steps, columns], NaN where a cell is missing.

    It is read as for training, column by column: a cell means what the cells beside it show.
    """
    ((name, wanted),) = binding.wanted.items()
    columns = binding.columns[name]
    values: list[np.ndarray] = []
    kept: list[list[Any]] = [[] for _ in keep]
    data_format = settings.get("data_format", {})
    try:
        _refuse_several(path, data_format)
        table = reader.open_table(Path(path), decimal_mark=data_format.get("decimal_mark", ""))
        needed = list(dict.fromkeys([*columns, *keep]))
        for block in table.blocks(needed if reader.is_parquet(Path(path)) else None):
            found = np.stack([cells.numbers(block, column) for column in columns], axis=1)
            if wanted.kind.kind != "f" and not (found == np.rint(found)).all():
                raise errors.UserError(f"{path}: has to hold whole numbers")
            values.append(found.astype(wanted.kind))
            for cells_of_column, column in zip(kept, keep, strict=True):
                cells_of_column.extend(pieces.python_values(block.columns[column]))
    except errors.UserError as error:
        yield BadRow(path, 1, piece.rows, str(error).removeprefix(f"{path}: "))
        return
    yield Row(path, 1, {name: np.concatenate(values)}, tuple(kept))


def _of_panel(
    path: str, piece: Piece, binding: Binding, settings: dict[str, Any]
) -> Iterator[Row | BadRow]:
    """Reads a table of histories; each is a row, whose answer has a row for each step ahead.

    A row keeps the name of its series and the times ahead, seconds since 1970 or numbers of steps.
    """
    horizon = int(binding.constants["horizon"])
    try:
        panel = histories.read(Path(path), settings)
    except errors.UserError as error:
        yield BadRow(path, 1, piece.rows, str(error).removeprefix(f"{path}: "))
        return
    for at, one in enumerate(panel.series):
        alone = dataclasses.replace(panel, series=(one,))
        number = 1 + at * horizon
        try:
            histories.check(alone, horizon)
        except errors.UserError as error:
            yield BadRow(path, number, horizon, str(error).removeprefix(f"{panel.source}: "))
            continue
        context = int(settings["context_steps"])
        asked = histories.request(alone, [(0, one.length)], context, horizon, binding.wanted)
        times = panels.forward(alone, horizon).series[0].times[one.length : one.length + horizon]
        moments = [
            datetime.datetime.fromtimestamp(time, datetime.UTC) if panel.dated else time
            for time in times.tolist()
        ]
        values = {
            name: array.tolist()[0] if array.dtype == object else array[0]
            for name, array in asked.items()
        }
        yield Row(path, number, values, ([one.name] * horizon, moments))


def _refuse_several(path: str, data_format: dict[str, Any]) -> None:
    """Raises UserError for a model of tables that hold several series each."""
    if data_format.get("series_column"):
        raise errors.UserError(
            f"{path}: column {data_format['series_column']} holds several series; give a file "
            "for each, or ask with predict"
        )


def _of_media(path: str, binding: Binding, settings: dict[str, Any]) -> Iterator[Row | BadRow]:
    (name,) = binding.wanted
    number = 0
    try:
        for value in _media(path, binding.layout, settings):
            number += 1
            yield Row(path, number, {name: value})
    except errors.UserError as error:
        yield BadRow(path, number + 1, 1, str(error).removeprefix(f"{Path(path)}: "))
    except OSError as error:
        yield BadRow(path, number + 1, 1, error.strerror or str(error))


def _media(path: str, layout: str, settings: dict[str, Any]) -> Iterator[Any]:
    if layout == "bytes":
        yield Path(path).read_bytes()
    elif layout == "waveform":
        yield sound_files.read(Path(path), int(settings["sample_rate_hz"]))
    else:
        from apps.suite.videos import video_files

        frames, seconds = settings.get("frames"), settings.get("clip_seconds")
        if frames and not seconds:  # one row of several clips, as `predict` asks
            yield video_files.clips(Path(path), frames, settings.get("clips_per_video", 1))
            return
        yield from video_files.rows(Path(path), frames, seconds)


def _columns(binding: Binding) -> Iterator[str]:
    for name in binding.wanted:
        yield from binding.columns[name]


def _kept(cell: Any) -> Any:
    """Returns a cell for the output; bytes of a csv that are not UTF-8 become numbers."""
    if not isinstance(cell, str) or cell.isascii():
        return cell
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


_WINDOW_BATCHES = 16
_MOST_BYTES = 1 << 26  # of the rows of a window, and of a request, unless a row alone is larger


def windows(
    rows: Iterable[Row | BadRow], rows_per_batch: int
) -> Iterator[tuple[list[Row], list[BadRow]]]:
    """Yields rows that are in memory together, and those that were set aside between them."""
    good, bad, size = list[Row](), list[BadRow](), 0
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            weight = _bytes(row)
            if good and size + weight > _MOST_BYTES:
                yield good, bad
                good, bad, size = [], [], 0
            good.append(row)
            size += weight
        if max(len(good), len(bad)) == rows_per_batch * _WINDOW_BATCHES:
            yield good, bad
            good, bad, size = [], [], 0
    if good or bad:
        yield good, bad


def batches(rows: Sequence[Row], rows_per_batch: int) -> Iterator[list[int]]:
    """Yields the places of the rows of each request; they follow from the rows alone."""
    shapes: dict[Any, list[int]] = {}
    for at, row in enumerate(rows):
        shape = tuple(np.shape(value) for value in row.values.values() if _is_number(value))
        shapes.setdefault(shape, []).append(at)
    weights = [_bytes(row) for row in rows]
    for places in shapes.values():
        batch: list[int] = []
        for at in sorted(places, key=weights.__getitem__):  # stable
            full = len(batch) == rows_per_batch
            if batch and (full or (len(batch) + 1) * weights[at] > _MOST_BYTES):
                yield batch
                batch = []
            batch.append(at)
        yield batch


def inputs(rows: Sequence[Row], binding: Binding) -> dict[str, Any]:
    """Returns a request of these rows: arrays by input."""
    found: dict[str, Any] = dict(binding.constants)
    for name, wanted in binding.wanted.items():
        values = [row.values[name] for row in rows]
        if binding.layout == "frames":
            found[name] = np.concatenate([_clips(value) for value in values])
            continue
        found[name] = _array(values, wanted.kind, len(wanted.sides))
    for name, value in binding.repeated.items():
        kind = value.dtype if isinstance(value, np.ndarray) else np.dtype(object)
        found[name] = _array([value] * len(rows), kind, int(not isinstance(value, bytes)))
    return found


def averaged(answers: dict[str, Any], rows: Sequence[Row], binding: Binding) -> dict[str, Any]:
    """Returns the answers to rows of several clips: the mean of the numbers of a row's clips.

    `label` becomes the one of `label_names` whose mean probability is the highest; other texts are
    the first clip's.

    Args:
        answers: of a request of `inputs`, a row for each clip.
        rows: of the request.
        binding: of the job.
    """
    if binding.layout != "frames":
        return answers
    counts = [len(_clips(next(iter(row.values.values())))) for row in rows]
    total, first = sum(counts), np.cumsum([0, *counts[:-1]])
    found = dict(answers)
    for name, value in answers.items():
        if name.endswith("_names") or np.ndim(value) == 0 or len(value) != total:
            continue
        found[name] = value[first]
        if value.dtype.kind == "f":
            means = np.add.reduceat(value, first) / np.reshape(
                counts, [-1] + [1] * (value.ndim - 1)
            )
            found[name] = means.astype(value.dtype)
    if {"label", "label_names", "probabilities"} <= found.keys():
        names = np.asarray(found["label_names"])
        best = found["probabilities"].argmax(axis=-1)
        found["label"] = names[best] if names.ndim == 1 else names[0][best]
    return found


def _clips(value: np.ndarray) -> np.ndarray:
    """Returns [clips, frames, height, width, 3] of a row of one clip or of several."""
    return value if value.ndim == 5 else value[None]


def _array(values: list[Any], kind: np.dtype, sides: int) -> np.ndarray:
    if kind != np.dtype(object):
        return np.stack([np.asarray(value, kind) for value in values])
    if not sides:
        return np.array(values, object)
    table = np.full((len(values), max(map(len, values))), b"", object)
    for row, value in zip(table, values, strict=True):
        row[: len(value)] = value
    return table


def _is_number(value: Any) -> bool:
    return not isinstance(value, bytes | list)


def _bytes(row: Row) -> int:
    """Returns the memory that a row takes, about."""
    return sum(
        value.nbytes
        if isinstance(value, np.ndarray)
        else 16 * len(value) + sum(map(len, value))
        if isinstance(value, list)
        else len(value)
        if isinstance(value, bytes)
        else 8
        for value in row.values.values()
    )
