"""Reads lists of labelled sound or video files: a folder for each label, or a csv file."""

import csv
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.texts import text_files

PARTS = ("train", "validation", "test")

_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}
# Files and folders that operating systems leave in folders
_OF_SYSTEMS = {"desktop.ini", "thumbs.db", "__macosx"}
# Names of folders that hold a part of the data; as labels they would teach a model nothing
_PARTS_NOT_LABELS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}


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
    unread: tuple[str, ...] = ()  # files of the folder that are not read, below it
    notes: tuple[str, ...] = ()  # what was understood and might surprise, a sentence each


def find(path: Path, kind: Kind) -> Found:
    """Returns the files that a folder or a csv lists; no file is opened.

    A folder holds one folder for each label, with files in it or in folders below. Files of other
    endings than the kind's are `unread`. `validation_list.txt` and `testing_list.txt` in it name
    the files of those parts, one `label/file` a line, as in the Speech Commands data; labels whose
    folder is missing may be listed, but a list that names no file at all is refused. Hidden files
    are skipped.

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
    examples, paths, unread, notes = [], [], [], []
    entries = sorted(each for each in folder.iterdir() if not _is_passed_over(each))
    labels = [each for each in entries if each.is_dir() and each.name != kind.aside]
    if not labels:
        raise errors.UserError(
            f"{folder}: no folder in it; make one for each label, with its {kind.noun}s in it"
        )
    _refuse_parts(folder, labels, kind)
    nested: dict[str, int] = {}
    for label in labels:
        files, others = below(label, kind.suffixes)
        if not files:
            raise errors.UserError(_without_files(label, others, kind))
        for file in files:
            name = file.relative_to(folder).as_posix()
            examples.append(Example(name, label.name, "", listed.pop(name, "")))
            paths.append(file)
            if file.parent != label:
                place = file.parent.relative_to(folder).as_posix()
                nested[place] = nested.get(place, 0) + 1
        unread += others
    if len(labels) == 1 and sum(nested.values()) == len(examples):
        raise errors.UserError(
            f"{folder}: {labels[0].name!r} would be the only label, with its {kind.noun}s in "
            f"folders below it; give {labels[0]} instead"
        )
    _check_lists(folder, lists, listed, examples)
    if listed:
        first = next(iter(listed))
        notes.append(
            f"{len(listed):,} lines of {' and '.join(lists)} name files that are not here, such as "
            f"{first}"
        )
    if nested:
        first = next(iter(nested))
        notes.append(
            f"{sum(nested.values()):,} {kind.noun}s lie in folders below their label's, such as "
            f"{first}; they have the label of the topmost folder"
        )
    aside, others = below(folder / kind.aside, kind.suffixes) if kind.aside else ([], [])
    unread += others
    unread += [file for file in entries if file.is_file() and file.name not in _LISTS]
    return Found(
        name=folder.resolve().name,
        source=str(folder.resolve()),
        examples=tuple(examples),
        paths=tuple(paths),
        aside=tuple(aside),
        divided_by=" and ".join(lists),
        unread=tuple(sorted(file.relative_to(folder).as_posix() for file in unread)),
        notes=tuple(notes),
    )


def _is_passed_over(path: Path) -> bool:
    return path.name[0] == "." or path.name.lower() in _OF_SYSTEMS


def below(folder: Path, suffixes: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Returns the files in and below a folder: those with such an ending, and others.

    Hidden files and what operating systems leave are in neither. Both are sorted, the files of a
    folder before those of the folders in it; both are empty if the folder does not exist.

    Args:
        folder: to look into.
        suffixes: endings of the wanted files, such as ".wav", in any case; none stands for all.
    """
    of_kind, others = [], []
    # The files of a folder come before those of the folders in it.
    for entry in sorted(folder.iterdir() if folder.is_dir() else (), key=_folders_last):
        if _is_passed_over(entry):
            continue
        if entry.is_dir():
            wanted, left = below(entry, suffixes)
            of_kind += wanted
            others += left
        elif entry.is_file():
            counts = not suffixes or entry.suffix.lower() in suffixes
            (of_kind if counts else others).append(entry)
    return of_kind, others


def _folders_last(path: Path) -> tuple[bool, Path]:
    return path.is_dir(), path


def _refuse_parts(folder: Path, labels: Sequence[Path], kind: Kind) -> None:
    """Refuses folders that name parts of the data, not labels."""
    if all(label.name.lower() in _PARTS_NOT_LABELS for label in labels):
        names = ", ".join(label.name for label in labels)
        raise errors.UserError(
            f"{folder}: its folders are called {names}, which are parts and not labels; list the "
            f"{kind.noun}s in a csv with the header path,label,part, or give a folder that holds "
            "a folder for each label"
        )


def _without_files(label: Path, others: Sequence[Path], kind: Kind) -> str:
    formats = listed_suffixes(kind.suffixes)
    found = f"; it holds {others[0].name}, which cannot be read: convert it" if others else ""
    return (
        f"{label}: no {formats + ' ' if formats else ''}file in this folder{found}; put "
        f"{kind.noun}s of {label.name!r} there, or remove it"
    )


def listed_suffixes(suffixes: Sequence[str]) -> str:
    """Returns `flac, ogg or wav` of (".flac", ".ogg", ".wav")."""
    *others, last = [suffix.removeprefix(".") for suffix in suffixes] or [""]
    return f"{', '.join(others)} or {last}" if others else last


def _listed(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Returns the part of each file that a list names, and the names of the lists."""
    parts: dict[str, str] = {}
    lists = [name for name in _LISTS if (folder / name).is_file()]
    for name in lists:
        for number, line in enumerate(_lines(folder / name), 1):
            written = line.strip()
            if not written:
                continue
            # `./yes/a.wav` and `yes\a.wav` mean the same file
            file = os.path.normpath(written.replace("\\", "/"))
            place = f"{folder / name}, line {number}: {written}"
            if file in parts:
                raise errors.UserError(f"{place} is listed before; take out one of the lines")
            if (folder / file).parent.is_dir() and not (folder / file).is_file():
                raise errors.UserError(f"{place}: no such file; take out the line")
            parts[file] = _LISTS[name]
    return parts, lists


def _check_lists(
    folder: Path, lists: Sequence[str], unused: dict[str, str], examples: Sequence[Example]
) -> None:
    """Refuses a list that names none of the files.

    Args:
        folder: of the data.
        lists: names of the lists that are there.
        unused: the lines that fit no file, with their part.
        examples: the files, with the parts that lists give them.
    """
    for name in lists:
        if any(example.part == _LISTS[name] for example in examples):
            continue
        line = next((line for line, part in unused.items() if part == _LISTS[name]), "")
        if not line:
            raise errors.UserError(f"{folder / name}: names no file; fill it, or remove it")
        raise errors.UserError(
            f"{folder / name}: no line names a file of this folder; a line is {examples[0].name}, "
            f"not {line}: mend the lines, or remove the list"
        )


def _of_csv(path: Path, kind: Kind) -> Found:
    folder = path.resolve().parent
    examples, paths, aside = [], [], []
    line_of: dict[Path, int] = {}
    numbers: list[int] = []
    form = f"path,label[,{kind.group}][,part]"
    for number, row in rows(path, ("path", "label"), form):
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


def rows(path: Path, needed: Sequence[str], told: str = "") -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the values by column of each row that is not empty.

    Args:
        path: of a csv or tsv, whose first line names its columns. A tsv has no quotes: sentences
            may begin with one.
        needed: columns that must be there.
        told: the form of the first line, for errors; without it the columns that there are.

    Raises:
        UserError: a column that is missing, a line with another number of values.
    """
    is_tsv = path.suffix.lower() == ".tsv"
    options: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if is_tsv else {}
    reader = csv.reader(_lines(path), **options)
    header = [name.strip().lower() for name in next(reader, [])]
    for column in needed:
        if column not in header:
            raise errors.UserError(
                f"{path}, line 1: no column {column}; the header is {told or ', '.join(header)}"
            )
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            raise errors.UserError(
                f"{path}, line {reader.line_num}: {len(values)} values for {len(header)} columns"
            )
        yield reader.line_num, dict(zip(header, map(str.strip, values), strict=True))


def _lines(path: Path) -> list[str]:
    """Returns the lines of a text file with their ends; raises as `text_files.decoded`."""
    return text_files.decoded(path).splitlines(keepends=True)
