"""Reads lists of labelled sound or video files: a folder for each label, or a csv file."""

import csv
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from apps.suite import errors

PARTS = ("train", "validation", "test")

_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}
_OF_SYSTEMS = {"desktop.ini", "thumbs.db"}  # files that operating systems leave in folders


class Example(NamedTuple):
    """One labelled file, or one example of a named set."""

    name: str  # path below the data's folder, or `test/00042` of a named set; in reports and errors
    label: str
    group: str = ""  # examples of one group, such as a speaker, belong in one part; "" = unknown
    part: str = ""  # train, validation or test; "" where the data do not say


@dataclass(frozen=True)
class Kind:
    """Describes the files that a task reads."""

    noun: str  # for one file: recording, video
    group: str  # name of the csv column that holds the groups
    suffixes: tuple[str, ...] = ()  # of the files in folders; () = every file
    aside: str = ""  # a label whose files are listed apart from the examples
    whole_groups: bool = False  # a group lies in one part, and either all files have one or none


class Found(NamedTuple):
    """The files that a folder or a csv lists."""

    name: str
    source: str  # absolute path of the folder or csv
    examples: tuple[Example, ...]
    paths: tuple[Path, ...]  # of each example
    aside: tuple[Path, ...]  # files with the label `Kind.aside`
    divided_by: str  # what names the parts, such as "the column part of a.csv"; "" = nothing


def find(path: Path, kind: Kind) -> Found:
    """Returns the files that a folder or a csv lists; no file is opened.

    A folder holds one folder for each label, with files in it. `validation_list.txt` and
    `testing_list.txt` in it name the files of those parts, one `label/file` a line, as in the
    Speech Commands data; labels whose folder is missing may be listed. Hidden files are skipped.

    A csv has the header `path,label`, and may have a column of groups and `part` (train,
    validation or test). Paths are relative to the csv's folder, or absolute.

    Raises:
        UserError: naming the folder, or the file and line.
    """
    if path.is_dir():
        return _of_folder(path, kind)
    if path.suffix.lower() == ".csv":
        return _of_csv(path, kind)
    raise errors.UserError(f"{path}: give a folder with a folder for each label in it, or a csv")


def grouped(found: Found, pattern: str) -> Found:
    """Returns the files with groups: what the pattern's first group matches in their names.

    Raises:
        UserError: a pattern that is not valid or finds nothing, or files that have groups.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise errors.UserError(f"own.group_pattern {pattern!r}: {error}") from None
    if not compiled.groups:
        raise errors.UserError(
            f"own.group_pattern {pattern!r} has no group in brackets; "
            "write for instance '^([^_]+)_'"
        )
    examples, without = [], []
    for example, path in zip(found.examples, found.paths, strict=True):
        if example.group:
            raise errors.UserError(
                f"{example.name}: has the group {example.group!r} by the csv's column; leave "
                "own.group_pattern out, or the column"
            )
        match = compiled.search(path.name)
        examples.append(example._replace(group=(match[1] or "") if match else ""))
        if not examples[-1].group:
            without.append(example.name)
    if without:
        raise errors.UserError(
            f"own.group_pattern {pattern!r} finds no group in {len(without)} of {len(examples)} "
            f"names, the first is {without[0]}; mend the pattern, or list the files in a csv"
        )
    return found._replace(examples=tuple(examples))


def digests(paths: Sequence[Path]) -> tuple[str, ...]:
    """Returns the SHA-256 of each file. Raises errors.UserError for a file that cannot be read."""
    with futures.ThreadPoolExecutor() as pool:  # hashing and reading overlap
        return tuple(pool.map(digest, paths))


def digest(path: Path) -> str:
    """Returns the SHA-256 of a file. Raises errors.UserError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None


def _of_folder(folder: Path, kind: Kind) -> Found:
    listed, lists = _listed(folder)
    examples, paths = [], []
    labels = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    labels = [label for label in labels if label.name != kind.aside]
    if not labels:
        raise errors.UserError(
            f"{folder}: no folder in it; make one for each label, with its {kind.noun}s in it"
        )
    for label in labels:
        files = _files(label, kind)
        if not files:
            *others, last = [suffix.removeprefix(".") for suffix in kind.suffixes] or [""]
            formats = f"{', '.join(others)} or {last} " if others else last
            raise errors.UserError(
                f"{label}: no {formats}file in this folder; put {kind.noun}s of {label.name!r} "
                "there, or remove it"
            )
        for file in files:
            name = f"{label.name}/{file.name}"
            examples.append(Example(name, label.name, "", listed.get(name, "")))
            paths.append(file)
    return Found(
        name=folder.resolve().name,
        source=str(folder.resolve()),
        examples=tuple(examples),
        paths=tuple(paths),
        aside=tuple(_files(folder / kind.aside, kind)) if kind.aside else (),
        divided_by=" and ".join(lists),
    )


def _files(folder: Path, kind: Kind) -> list[Path]:
    """Returns the files of a folder that count, sorted; [] if it does not exist."""
    return sorted(
        file
        for file in (folder.iterdir() if folder.is_dir() else ())
        if file.is_file()
        and file.name[0] != "."
        and file.name.lower() not in _OF_SYSTEMS
        and (not kind.suffixes or file.suffix.lower() in kind.suffixes)
    )


def _listed(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Returns the part of each file that a list names, and the names of the lists."""
    parts: dict[str, str] = {}
    lists = [name for name in _LISTS if (folder / name).is_file()]
    for name in lists:
        for number, line in enumerate(_lines(folder / name), 1):
            file = line.strip()
            if not file:
                continue
            place = f"{folder / name}, line {number}: {file}"
            if file in parts:
                raise errors.UserError(f"{place} is listed before; take out one of the lines")
            if (folder / file).parent.is_dir() and not (folder / file).is_file():
                raise errors.UserError(f"{place}: no such file; take out the line")
            parts[file] = _LISTS[name]
    return parts, lists


def _of_csv(path: Path, kind: Kind) -> Found:
    folder = path.resolve().parent
    examples, paths, aside = [], [], []
    line_of: dict[Path, int] = {}
    numbers: list[int] = []
    for number, row in _rows(path, kind):
        place = f"{path}, line {number}"
        for column in ("path", "label"):
            if not row[column]:
                raise errors.UserError(f"{place}: {column} is empty")
        file = Path(os.path.normpath(folder / row["path"]))
        if not file.is_file():
            raise errors.UserError(f"{place}: no such file: {file}")
        if file in line_of:
            raise errors.UserError(f"{place}: {row['path']} stands in line {line_of[file]} already")
        line_of[file] = number
        if row["label"] == kind.aside:
            aside.append(file)
            continue
        part = row.get("part", "")
        if "part" in row and part not in PARTS:
            raise errors.UserError(f"{place}: part is {part!r}, not one of {', '.join(PARTS)}")
        examples.append(Example(row["path"], row["label"], row.get(kind.group, ""), part))
        paths.append(file)
        numbers.append(number)
    if not examples:
        raise errors.UserError(f"{path}: lists no {kind.noun} below its header")
    if kind.whole_groups:
        _check_groups(path, examples, numbers)
    return Found(
        name=path.resolve().name,
        source=str(path.resolve()),
        examples=tuple(examples),
        paths=tuple(paths),
        aside=tuple(aside),
        divided_by=f"the column part of {path.name}" if examples[0].part else "",
    )


def _check_groups(path: Path, examples: Sequence[Example], numbers: Sequence[int]) -> None:
    """Raises UserError for a group in two parts, and where only some examples have a group."""
    first_of: dict[str, tuple[str, int]] = {}
    for example, number in zip(examples, numbers, strict=True):
        first, line = first_of.setdefault(example.group, (example.part, number))
        if example.group and first != example.part:
            raise errors.UserError(
                f"{path}, line {number}: group {example.group!r} is in {example.part} here and in "
                f"{first} in line {line}; a group belongs in one part"
            )
    without = [n for example, n in zip(examples, numbers, strict=True) if not example.group]
    if 0 < len(without) < len(examples):
        raise errors.UserError(
            f"{path}, line {without[0]}: group is empty, here and in {len(without) - 1} other "
            "lines, and not in all; give every file one (its own name if it belongs to none)"
        )


def _rows(path: Path, kind: Kind) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the values by column of each row that is not empty."""
    columns = ("path", "label", kind.group, "part")
    reader = csv.reader(_lines(path))
    header = [name.strip().lower() for name in next(reader, [])]
    for column in columns[:2]:
        if column not in header:
            raise errors.UserError(
                f"{path}, line 1: no column {column}; "
                f"the header is path,label[,{kind.group}][,part]"
            )
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            raise errors.UserError(
                f"{path}, line {reader.line_num}: {len(values)} values for {len(header)} columns"
            )
        row = dict(zip(header, (value.strip() for value in values), strict=True))
        yield reader.line_num, {name: row[name] for name in columns if name in row}


def _lines(path: Path) -> list[str]:
    """Returns the lines of a text file with their ends; UserError if it is not UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise errors.UserError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None
