"""A csv file that lists recordings, line by line."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from apps.speech_commands import recordings
from apps.suite import errors
from apps.suite.data import file_reader

_COLUMNS = ("path", "label", "speaker", "part")


def find(path: Path, sample_rate_hz: int) -> recordings.Source:
    """What a csv lists; no recording is opened. See `labelled_files.find`."""
    folder = path.resolve().parent
    found, places, parts, background = [], [], [], []
    lines: dict[Path, int] = {}
    for number, row in _rows(path):
        place = f"{path}, line {number}"
        for column in ("path", "label"):
            if not row[column]:
                raise errors.UserError(f"{place}: {column} is empty")
        file = Path(os.path.normpath(folder / row["path"]))
        if not file.is_file():
            raise errors.UserError(f"{place}: no such file: {file}")
        if file in lines:
            raise errors.UserError(f"{place}: {row['path']} stands in line {lines[file]} already")
        lines[file] = number
        if row["label"] == recordings.BACKGROUND:
            background.append(file)
            continue
        if "part" in row and row["part"] not in recordings.PARTS:
            raise errors.UserError(
                f"{place}: part is {row['part']!r}, not one of {', '.join(recordings.PARTS)}"
            )
        found.append(
            recordings.Recording(
                row["path"], recordings.label_of(row["label"]), row.get("speaker", "")
            )
        )
        places.append(recordings.Place(row["path"]))
        parts.append(row.get("part", "train"))
    if not found:
        raise errors.UserError(f"{path}: lists no recording below its header")
    return recordings.Source(
        name=path.resolve().name,
        licence="your own",
        source=str(path.resolve()),
        recordings=tuple(found),
        places=tuple(places),
        parts=tuple(parts),
        divided_by=f"the column part of {path.name}" if "part" in row else "",
        reader=file_reader.FileReader(folder, sample_rate_hz),
        background=tuple(background),
    )


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, values by column) of each row that is not empty."""
    reader = csv.reader(lines_of(path))
    header = [name.strip().lower() for name in next(reader, [])]
    for column in ("path", "label"):
        if column not in header:
            raise errors.UserError(
                f"{path}, line 1: no column {column}; the header is path,label[,speaker][,part]"
            )
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            raise errors.UserError(
                f"{path}, line {reader.line_num}: {len(values)} values for {len(header)} columns"
            )
        row = dict(zip(header, (value.strip() for value in values), strict=True))
        yield reader.line_num, {name: row[name] for name in _COLUMNS if name in row}


def lines_of(path: Path) -> list[str]:
    """The lines of a text file with their ends; UserError where it is not UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise errors.UserError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None
