"""Reads sequences in the format .ts of the UEA and UCR archives (sktime, aeon, tsml).

    @problemName vowels
    @dimensions 2
    @classLabel true a o
    @data
    0.1,0.2,0.3:5,?,6:a
    0.4,0.5:7,8:o

A line holds one sequence: its channels, between colons, and its label or its target. A `?` or NaN
is a missing value; sequences may differ in length.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.sequences import ragged

LABEL, TARGET = "label", "target"
_ENDINGS = {"_train.ts": "train", "_test.ts": "test"}


def is_ts(path: Path) -> bool:
    """Returns true for a .ts file, and for a folder with the files of a training and a test."""
    if path.is_dir():
        return bool(_of_folder(path))
    return path.suffix.lower() == ".ts"


def read(path: Path) -> ragged.Sequences:
    """Reads a file, or a folder's `…_TRAIN.ts` and `…_TEST.ts`, whose names are the parts.

    Given one of such a pair, it reads both. Labels are in `words["label"]`, a value to be predicted
    (`@targetLabel true`) in `numbers["target"]`, at every step of a sequence.

    Raises:
        UserError: a header or a line that cannot be read, with file and line.
    """
    files = _of_folder(path) if path.is_dir() else _of_file(path)
    if not files:
        raise errors.UserError(f"{path}: no file …_TRAIN.ts in this folder")
    found = [(file, part, list(_cases(file))) for file, part in files]
    names: list[str] = []
    parts: list[str] = []
    arrays: list[np.ndarray] = []
    labels: list[str] = []
    targets: list[float] = []
    for file, part, cases in found:
        if not cases:
            raise errors.UserError(f"{file}: no sequence below @data")
        for case in cases:
            if arrays and case.values.shape[1] != arrays[0].shape[1]:
                raise errors.UserError(
                    f"{file}, line {case.line}: {case.values.shape[1]} channels, "
                    f"the sequences before have {arrays[0].shape[1]}"
                )
            names.append(f"{file.stem} line {case.line}")
            parts.append(part)
            arrays.append(case.values)
            labels.append(case.label)
            targets.append(case.target)
    channels = [f"channel {number + 1}" for number in range(arrays[0].shape[1])]
    made = ragged.of_arrays(arrays, names, channels)
    has_targets = not np.isnan(targets).all()
    return ragged.Sequences(
        names=made.names,
        channel_names=made.channel_names,
        values=made.values,
        starts=made.starts,
        parts=tuple(parts),
        words={LABEL: ragged.words_of(labels, made.lengths)} if any(labels) else {},
        numbers={TARGET: np.repeat(np.array(targets), made.lengths)} if has_targets else {},
        notes=(f"{len(names):,} sequences of {', '.join(file.name for file, _, _ in found)}",),
    )


class _Case(NamedTuple):
    line: int
    values: np.ndarray  # float32 [steps, channels]
    label: str  # "" without one
    target: float  # NaN without one


def _of_folder(folder: Path) -> list[tuple[Path, str]]:
    found = [
        (file, part)
        for ending, part in _ENDINGS.items()
        for file in sorted(folder.iterdir())
        if file.name.lower().endswith(ending)
    ]
    if len(found) > len(_ENDINGS):
        names = ", ".join(file.name for file, _ in found)
        raise errors.UserError(f"{folder}: holds several sets: {names}; name one of the files")
    return found if any(part == "train" for _, part in found) else []


def _of_file(path: Path) -> list[tuple[Path, str]]:
    lower = path.name.lower()
    for ending in _ENDINGS:
        if lower.endswith(ending):
            stem = lower.removesuffix(ending)
            pair = [
                (file, part)
                for each, part in _ENDINGS.items()
                for file in sorted(path.parent.iterdir())
                if file.name.lower() == stem + each
            ]
            if len(pair) == len(_ENDINGS):
                return pair
    return [(path, "")]


def _cases(file: Path) -> Iterator[_Case]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise errors.UserError(f"{file}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise errors.UserError(f"{file}: cannot be read: {error.strerror}") from None
    header: dict[str, list[str]] = {}
    begun = False
    for number, line in enumerate(lines, 1):
        line = line.strip()
        place = f"{file}, line {number}"
        if not line or line.startswith("#"):
            continue
        if begun:
            yield _case(place, number, line, header)
        elif line.lower() == "@data":
            begun = True
            _check_header(file, header)
        elif line.startswith("@"):
            name, *values = line[1:].split()
            header[name.lower()] = values
        else:
            raise errors.UserError(f"{place}: a sequence before the line @data")
    if not begun:
        raise errors.UserError(f"{file}: no line @data; is this a .ts file of sequences?")


def _check_header(file: Path, header: dict[str, list[str]]) -> None:
    if header.get("timestamps", ["false"])[0].lower() == "true":
        raise errors.UserError(
            f"{file}: its sequences have time stamps; write their values alone, as "
            "@timeStamps false"
        )
    if not _says(header, "classlabel") and not _says(header, "targetlabel"):
        raise errors.UserError(
            f"{file}: has no labels: the header lacks a line such as @classLabel true a b"
        )
    if _says(header, "classlabel") and len(header["classlabel"]) < 2:
        raise errors.UserError(f"{file}: name the labels in the header: @classLabel true a b")


def _says(header: dict[str, list[str]], name: str) -> bool:
    return header.get(name, ["false"])[0].lower() == "true"


def _case(place: str, line: int, text: str, header: dict[str, list[str]]) -> _Case:
    *channels, last = text.split(":")
    if not channels:
        raise errors.UserError(f"{place}: no colon: channels and label are divided by colons")
    label, target = "", float("nan")
    if _says(header, "classlabel"):
        label = last.strip()
        if label not in header["classlabel"][1:]:
            known = ", ".join(header["classlabel"][1:])
            raise errors.UserError(f"{place}: label {label!r} is not in @classLabel: {known}")
    else:
        target = _number(place, last)
    columns = [[_number(place, cell) for cell in channel.split(",")] for channel in channels]
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise errors.UserError(
            f"{place}: channels of {min(lengths)} and {max(lengths)} steps; "
            "write ? where a value is missing"
        )
    values = np.array(columns, np.float32).T
    if not np.isfinite(values).any():
        raise errors.UserError(f"{place}: a sequence without any value; remove the line")
    return _Case(line, values, label, target)


def _number(place: str, cell: str) -> float:
    cell = cell.strip()
    if cell == "?":
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        raise errors.UserError(f"{place}: {cell!r} is not a number") from None
    if value in (float("inf"), float("-inf")):
        raise errors.UserError(f"{place}: {cell!r} is not a finite number")
    return value
