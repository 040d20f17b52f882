"""Converts table rows, sounds and videos into model inputs, and gathers them into requests.

Rows that cannot be read are set aside. A request holds numbers of one shape only, so that none has
to be padded; lists of strings are padded with "", which no signature of this project takes for an
entry. Rows of about the same length stand together, since a request is as long as its longest row.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.suite import errors
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
