"""A csv file that lists videos, line by line."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from apps.suite import errors
from apps.video_classification import clips

_COLUMNS = ("path", "label", "group", "part")


def find(path: Path) -> tuple[list[clips.Video], list[Path], str]:
    """The videos that a csv lists, their files, and what divides them; no video is opened.

    See `labelled_videos.find`. Raises errors.UserError with the line.
    """
    folder = path.resolve().parent
    found, paths = [], []
    lines: dict[Path, int] = {}
    part_of: dict[str, tuple[str, int]] = {}
    ungrouped: list[int] = []
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
        part, group = row.get("part", ""), row.get("group", "")
        if "part" in row and part not in clips.PARTS:
            raise errors.UserError(
                f"{place}: part is {part!r}, not one of {', '.join(clips.PARTS)}"
            )
        if group and part:
            first, line = part_of.setdefault(group, (part, number))
            if first != part:
                raise errors.UserError(
                    f"{place}: group {group!r} is in {part} here and in {first} in line {line}; a "
                    "group belongs in one part"
                )
        if "group" in row and not group:
            ungrouped.append(number)
        found.append(clips.Video(row["path"], row["label"], group, part))
        paths.append(file)
    if not found:
        raise errors.UserError(f"{path}: lists no video below its header")
    if 0 < len(ungrouped) < len(found):
        raise errors.UserError(
            f"{path}, line {ungrouped[0]}: group is empty, here and in {len(ungrouped) - 1} other "
            "lines, and not in all; give every video one (its own name if it belongs to none)"
        )
    divided = any(video.part for video in found)
    return found, paths, f"the column part of {path.name}" if divided else ""


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, values by column) of each row that is not empty."""
    reader = csv.reader(_lines(path))
    header = [name.strip().lower() for name in next(reader, [])]
    for column in ("path", "label"):
        if column not in header:
            raise errors.UserError(
                f"{path}, line 1: no column {column}; the header is path,label[,group][,part]"
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


def _lines(path: Path) -> list[str]:
    """The lines of a text file with their ends; UserError where it is not UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise errors.UserError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None
