"""Reads JSON lines: one sequence or one text a line, with what is known about it.

    {"values": [[0.1, 5], [0.2, null]], "label": "a", "group": "anna", "part": "train"}
    {"text": "what a film", "label": "good"}

`values` hold a list for each step, with a number (null: missing) for each channel. A label or a
target is one for the sequence, or a list with one for each step. Texts are sequences of one row
without channels; the text is `words["text"]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from apps.suite import errors
from apps.suite.data import labelled_files
from apps.suite.sequences import ragged

SUFFIXES = (".jsonl", ".ndjson", ".json")
TEXT, VALUES = "text", "values"
_NAMES = ("sequence", "id", "name")

Kind = Literal["number", "word"]


def read(path: Path, further: Mapping[str, Kind]) -> ragged.Sequences:
    """Reads a file.

    Args:
        path: of the file, in UTF-8.
        further: fields that each line must have, words (labels) or numbers (targets).

    Raises:
        UserError: a line that is not an object or lacks a field, values of another shape than in
            the first line, or anything else than numbers among them: with file and line.
    """
    names, groups, parts, arrays, texts = [], [], [], [], []
    columns: dict[str, list[Any]] = {name: [] for name in further}
    lengths: list[int] = []
    kind, channels = "", 0
    for place, row in _rows(path):
        found = [name for name in (TEXT, VALUES) if name in row]
        if len(found) != 1 or (kind and found[0] != kind):
            raise errors.UserError(
                f'{place}: needs "{kind or TEXT}"' + ("" if kind else f' or "{VALUES}"')
            )
        kind = found[0]
        if kind == TEXT:
            texts.append(_text(place, row[TEXT]))
            steps = 1
        else:
            array = _values(place, row[VALUES])
            channels = channels or array.shape[1]
            if array.shape[1] != channels:
                raise errors.UserError(
                    f"{place}: steps of {array.shape[1]} numbers, those before have {channels}"
                )
            arrays.append(array)
            steps = len(array)
        lengths.append(steps)
        for name, wanted in further.items():
            columns[name].append(_further(place, row, name, wanted, steps))
        own = next((str(row[name]) for name in _NAMES if name in row), "")
        names.append(own or f"line {place.rpartition(' ')[2]}")
        groups.append(str(row.get("group", "")))
        parts.append(str(row.get("part", "")))
        if parts[-1] not in ("", *labelled_files.PARTS):
            raise errors.UserError(
                f"{place}: part is {parts[-1]!r}; write train, validation or test"
            )
    if not names:
        raise errors.UserError(f"{path}: is empty")
    _check(path, names, groups)
    words = {
        name: ragged.words_of(
            [each for row in columns[name] for each in row], np.ones(sum(lengths))
        )
        for name, wanted in further.items()
        if wanted == "word"
    }
    if kind == TEXT:
        words[TEXT] = ragged.words_of(texts, np.ones(len(texts)))
    return ragged.Sequences(
        names=tuple(names),
        channel_names=tuple(f"channel {number + 1}" for number in range(channels)),
        values=np.concatenate(arrays) if arrays else np.zeros((len(texts), 0), np.float32),
        starts=ragged.starts_of(np.array(lengths)),
        groups=tuple(groups) if groups[0] else None,
        parts=tuple(parts),
        numbers={
            name: np.concatenate(columns[name]).astype(np.float64)
            for name, wanted in further.items()
            if wanted == "number"
        },
        words=words,
    )


def _check(path: Path, names: list[str], groups: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise errors.UserError(f"{path}: the sequence {twice!r} stands in two lines")
    if any(groups) and not all(groups):
        name = names[groups.index("")]
        raise errors.UserError(f"{path}: {name} has no group, others have one")


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the place and the object of each line that is not empty."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                place = f"{path}, line {number}"
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise errors.UserError(
                        f"{place}: is not JSON ({error.msg}); write one object a line"
                    ) from None
                if not isinstance(row, dict):
                    raise errors.UserError(f"{place}: is not an object such as {{…}}")
                yield place, row
    except UnicodeDecodeError:
        raise errors.UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None


def _text(place: str, text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise errors.UserError(f"{place}: text is {text!r}; give some text, or remove the line")
    return text


def _values(place: str, rows: Any) -> np.ndarray:
    """Returns float32 [steps, channels]; a flat list is one channel."""
    if isinstance(rows, list) and rows and not any(isinstance(each, list) for each in rows):
        rows = [[each] for each in rows]
    if not isinstance(rows, list) or not rows:
        raise errors.UserError(f"{place}: values are not a list of steps with something in it")
    widths = {len(each) if isinstance(each, list) else 0 for each in rows}
    if len(widths) > 1 or not min(widths):
        raise errors.UserError(f"{place}: steps of {min(widths)} and {max(widths)} numbers")
    for each in (cell for row in rows for cell in row):
        if each is not None and (isinstance(each, bool) or not isinstance(each, int | float)):
            raise errors.UserError(f"{place}: {each!r} among the values is not a number")
    array = np.array(rows, np.float32)
    if not np.isfinite(array).any() or np.isinf(array).any():
        raise errors.UserError(f"{place}: values without a finite number, or with an infinite one")
    return array


def _further(place: str, row: Mapping[str, Any], name: str, kind: Kind, steps: int) -> list[Any]:
    """Returns a field for each step."""
    if name not in row:
        raise errors.UserError(f'{place}: lacks "{name}"; it has {", ".join(row)}')
    given = row[name]
    found = given if isinstance(given, list) else [given] * steps
    if len(found) != steps:
        raise errors.UserError(f"{place}: {name} has {len(found)} entries for {steps} steps")
    for each in found:
        if kind == "number" and (isinstance(each, bool) or not isinstance(each, int | float)):
            raise errors.UserError(f"{place}: {name} is {each!r}, and has to be a number")
        if kind == "word" and not isinstance(each, str | int):
            raise errors.UserError(f"{place}: {name} is {each!r}, and has to be a word")
    return [str(each) for each in found] if kind == "word" else found
