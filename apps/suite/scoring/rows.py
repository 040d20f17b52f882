"""Converts table rows, series, sounds and videos into model inputs.

Rows that cannot be read are set aside.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Collection, Iterator, Sequence
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
from apps.suite.sequence_files import own_files
from apps.suite.sounds import sound_files
from apps.suite.tables import cells, reader


class Row(NamedTuple):
    """A row of the input: one question to the model.

    file: its path.
    number: in the file, from 1.
    values: by input: bytes, a number, a list of bytes, or an array.
    kept: cells that are copied to the output; of a series, a list for each column.
    steps: of a series that shares its file with others, the number of each step in the file.
    """

    file: str
    number: int
    values: dict[str, Any]
    kept: tuple[Any, ...] = ()
    steps: Sequence[int] = ()

    def numbers(self, count: int) -> Sequence[int]:
        """Returns the numbers in the file of the steps of a series, or of the row alone."""
        return self.steps or range(self.number, self.number + count)


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
    if binding.layout == "sequences":
        return _of_sequences(path, piece, binding, settings)
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
    marks = _marks(path, read_columns, comma)
    for number, row in pieces.read(path, piece, read_columns):
        if isinstance(row, str):
            yield BadRow(path, number, 1, row)
            continue
        values = {}
        try:
            for name, places, wanted in inputs:
                if len(places) > 1:
                    column, several = name, [row[at] for at in places]
                    values[name] = input_values.many(
                        several,
                        wanted,
                        binding.separator,
                        comma,
                        [marks[read_columns[at]] for at in places],
                    )
                    continue
                column, cell = read_columns[places[0]], row[places[0]]
                values[name] = (
                    input_values.many(cell, wanted, binding.separator, comma)
                    if wanted.sides
                    else input_values.one(
                        cell, wanted.kind, decimal_comma=comma, mark=marks[column]
                    )
                )
            keeping = tuple(_kept(row[at]) for at in kept)
        except CellError as error:
            yield BadRow(path, number, 1, f"{column}: {error}")
            continue
        yield Row(path, number, values, keeping)


_LOOKED_AT = 1_000  # rows of a table, to tell its marks of decimals


def _marks(path: str, columns: list[str], decimal_comma: bool) -> dict[str, str]:
    """Returns the mark of decimals in each column, as the first rows of the file show it."""
    names = list(pieces.columns(path))
    texts: dict[str, list[str]] = {name: [] for name in names}
    for row in itertools.islice(pieces.first_rows(path, names), _LOOKED_AT):
        for name, cell in zip(names, row, strict=True):
            if isinstance(cell, str):
                texts[name].append(cell)
    return {
        name: cells.mark_of(
            texts[name],
            [each for other, each in texts.items() if other != name],
            decimal_comma,
        )
        for name in columns
    }


def _of_series(
    path: str, piece: Piece, binding: Binding, keep: Sequence[str], settings: dict[str, Any]
) -> Iterator[Row | BadRow]:
    """Reads a whole table as one row: numbers [steps, columns], NaN where a cell is missing.

    It is read as for training, column by column: a cell means what the cells beside it show. A
    table with the column that tells series apart is one row for each of them.
    """
    (name,) = (each for each, wanted in binding.wanted.items() if len(wanted.sides) == 2)
    naming = [each for each in binding.wanted if each != name]
    wanted, columns = binding.wanted[name], binding.columns[name]
    values: list[np.ndarray] = []
    kept: list[list[Any]] = [[] for _ in keep]
    series: list[Any] = []
    data_format = settings.get("data_format", {})
    try:
        table = reader.open_table(Path(path), decimal_mark=data_format.get("decimal_mark", ""))
        series_column = data_format.get("series_column") or ""
        series_column = series_column if series_column in table.names else ""
        needed = list(dict.fromkeys([*columns, *keep, *([series_column] if series_column else [])]))
        for block in table.blocks(needed if reader.is_parquet(Path(path)) else None):
            found = np.stack([cells.numbers(block, column) for column in columns], axis=1)
            if wanted.kind.kind != "f" and not (found == np.rint(found)).all():
                raise errors.UserError(f"{path}: has to hold whole numbers")
            values.append(found.astype(wanted.kind))
            if series_column:
                series.extend(cells.names(block, series_column).to_pylist())
            for cells_of_column, column in zip(kept, keep, strict=True):
                cells_of_column.extend(pieces.python_values(block.columns[column]))
    except errors.UserError as error:
        yield BadRow(path, 1, piece.rows, str(error).removeprefix(f"{path}: "))
        return
    every = np.concatenate(values)
    known = settings.get("series", {})
    if not series:
        named = {each: series_name(path, "", known).encode() for each in naming}
        yield Row(path, 1, {name: every, **named}, tuple(kept))
        return
    places: dict[str, list[int]] = {}
    for place, one in enumerate(series):
        places.setdefault(one, []).append(place)
    for one, steps in places.items():
        named = {each: series_name(path, one, known).encode() for each in naming}
        cells_kept = tuple([column[step] for step in steps] for column in kept)
        numbers = [step + 1 for step in steps]
        yield Row(path, numbers[0], {name: every[steps], **named}, cells_kept, numbers)


def _of_sequences(
    path: str, piece: Piece, binding: Binding, settings: dict[str, Any]
) -> Iterator[Row | BadRow]:
    """Reads a table of sequences as `predict` does; each is a row, which keeps its name."""
    (name,) = binding.wanted
    try:
        form = own_files.format_of(settings)
        found = own_files.asked(Path(path), settings["channel_names"], form)
    except errors.UserError as error:
        yield BadRow(path, 1, piece.rows, str(error).removeprefix(f"{path}: "))
        return
    for at, each in enumerate(found.names):
        yield Row(path, at + 1, {name: found.at(at)}, (each,))


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


def series_name(path: str, value: str, known: Collection[str]) -> str:
    """Returns the name of a series: the longest of those of the training that its path ends with.

    Args:
        path: of the file.
        value: in the column that tells series apart; "" without one.
        known: the names of the training, which are paths without an ending.

    Returns:
        For a series of no training, its own path.
    """
    file = Path(path)
    own = file.parent / file.name.removesuffix(reader.suffix(file))
    whole = f"{own.as_posix()}/{value}" if value else own.as_posix()
    fitting = [name for name in known if f"/{whole}".endswith(f"/{name}")]
    return max(fitting, key=len, default=whole)


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
