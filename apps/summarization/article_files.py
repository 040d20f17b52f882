"""Reads texts with their summaries from the files of a user.

JSON lines      {"text": "…", "summary": "…", "title": "…", "group": "…", "part": "train"}
csv, tsv        the same names as columns
two files       name.text with a text on each line, name.summary with its summary; also .source
                and .target, .src and .tgt, .article and .highlights
folder          name.txt with a text, name.summary.txt with its summary
.story          a text, and after each line "@highlight" a sentence of its summary (CNN, Daily Mail)

A folder may hold one file, or one folder, for each part; the part is told by the name. Files may
be compressed (.gz), but tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.texts import pair_files, text_files
from apps.summarization import config as configs

_PAIRS = {".text": ".summary", ".source": ".target", ".src": ".tgt", ".article": ".highlights"}
_TABLES, _LINES = (".csv", ".tsv", ".parquet"), (".jsonl", ".json", ".ndjson")
_SUMMARY_FILE = ".summary.txt"
_HIGHLIGHT = "@highlight"


class Pair(NamedTuple):
    """A text with its summary, what is known of it, and where it stands."""

    text: str
    summary: str
    title: str = ""
    group: str = ""
    part: str = ""
    place: str = ""


def read(path: Path, settings: configs.DataFormatConfig) -> list[Pair]:
    """Reads a file, or the files of a folder.

    Raises:
        UserError: nothing to read there, a field that is missing, a text or a summary that is
            empty, two files of unequal length: with file and line.
    """
    found = list(_read(path, settings))
    if not found:
        raise errors.UserError(f"{path}: holds no text with a summary")
    parts = {pair.part for pair in found}
    if "" in parts and len(parts) > 1:
        without = next(pair for pair in found if not pair.part)
        raise errors.UserError(
            f"{without.place}: has no part, others have; give all one, or leave them all out"
        )
    has_group = [bool(pair.group) for pair in found]
    if any(has_group) and not all(has_group):
        raise errors.UserError(
            f"{found[has_group.index(False)].place}: has no group, others have one; give all one, "
            "or leave them all out"
        )
    return found


def _read(path: Path, settings: configs.DataFormatConfig) -> Iterator[Pair]:
    if path.is_file():
        yield from _of_file(path, settings)
        return
    for entry in sorted(path.iterdir()):
        part = pair_files.part_of(entry.name)
        if entry.is_dir() and part:
            yield from (_in_part(pair, part) for pair in _read(entry, settings))
        elif entry.is_file() and not entry.name.startswith(".") and _is_first(entry):
            yield from (_in_part(pair, part) for pair in _of_file(entry, settings))


def _in_part(pair: Pair, part: str) -> Pair:
    return pair._replace(part=pair.part or part)


def _is_first(file: Path) -> bool:
    """Returns whether a file of a folder is read by itself, and not with another one."""
    suffix = pair_files.suffix_of(file)
    if suffix == ".txt":
        return not file.name.endswith(_SUMMARY_FILE) and _summary_of(file).is_file()
    return suffix in (*_TABLES, *_LINES, ".story", *_PAIRS)


def _summary_of(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(".txt") + _SUMMARY_FILE)


def _of_file(file: Path, settings: configs.DataFormatConfig) -> Iterator[Pair]:
    suffix = pair_files.suffix_of(file)
    readers: dict[str, Callable[..., Iterator[Pair]]] = {
        **dict.fromkeys(_LINES, _json_lines),
        **dict.fromkeys(_TABLES, _table),
        **dict.fromkeys(_PAIRS, _two_files),
        ".story": _story,
        ".txt": _two_texts,
    }
    if suffix in _PAIRS.values():
        first = next(one for one, other in _PAIRS.items() if other == suffix)
        raise errors.UserError(f"{file}: give the file of the texts, that ends in {first}")
    if suffix not in readers:
        known = ", ".join(readers)
        raise errors.UserError(f"{file}: not of a known kind; they end in {known}")
    for pair in readers[suffix](file, settings):
        for name, value in (("text", pair.text), ("summary", pair.summary)):
            if not value.strip():
                raise errors.UserError(f"{pair.place}: the {name} is empty; fill or remove it")
        yield pair


def _json_lines(file: Path, settings: configs.DataFormatConfig) -> Iterator[Pair]:
    for place, row in text_files.json_rows(text_files.read(file), file):
        yield _of_row(row, place, settings)


def _of_row(row: dict[str, Any], place: str, settings: configs.DataFormatConfig) -> Pair:
    fields = (settings.text_field, settings.summary_field)
    for name in fields:
        if not isinstance(row.get(name), str):
            raise errors.UserError(
                f"{place}: has no text {name}; there are {', '.join(row)}: give "
                "--data_format.text_field and --data_format.summary_field"
            )
    title = row.get(settings.title_field) or ""
    group, part = (str(row.get(name) or "") for name in ("group", "part"))
    if part and part not in pair_files.PARTS:
        raise errors.UserError(f"{place}: part is {part!r}; write train, validation or test")
    text, summary = (row[name] for name in fields)
    return Pair(text, summary, str(title), group, pair_files.PARTS.get(part, ""), place)


def _table(file: Path, settings: configs.DataFormatConfig) -> Iterator[Pair]:
    from apps.suite.tables import cells, reader

    table = reader.open_table(file)
    wanted = (settings.text_field, settings.summary_field, settings.title_field, "group", "part")
    for name in wanted[:2]:
        if name not in table.names:
            raise errors.UserError(
                f"{file}: has no column {name}; there are {', '.join(table.names)}: give "
                "--data_format.text_field and --data_format.summary_field"
            )
    present = [name for name in wanted if name in table.names]
    for block in table.blocks(present):
        columns = [cells.names(block, name).to_pylist() for name in present]
        for row, values in enumerate(zip(*columns, strict=True)):
            yield _of_row(dict(zip(present, values, strict=True)), block.place(row), settings)


def _two_files(file: Path, _: configs.DataFormatConfig) -> Iterator[Pair]:
    packed = ".gz" if file.suffix == ".gz" else ""
    stem = file.name.removesuffix(".gz").rpartition(".")[0]
    other = file.with_name(stem + _PAIRS[pair_files.suffix_of(file)] + packed)
    if not other.is_file():
        raise errors.UserError(f"{file}: there is no {other.name} with the summaries beside it")
    texts, summaries = (text_files.read(each).rstrip("\n").split("\n") for each in (file, other))
    if len(texts) != len(summaries):
        raise errors.UserError(
            f"{file}: {len(texts):,} lines, and {other.name} has {len(summaries):,}; line n of one "
            "belongs to line n of the other"
        )
    for number, (text, summary) in enumerate(zip(texts, summaries, strict=True), 1):
        yield Pair(text, summary, place=f"{file}:{number}")


def _two_texts(file: Path, _: configs.DataFormatConfig) -> Iterator[Pair]:
    other = _summary_of(file)
    if not other.is_file():
        raise errors.UserError(f"{file}: there is no {other.name} with its summary beside it")
    yield Pair(text_files.read(file), text_files.read(other), place=str(file))


def _story(file: Path, _: configs.DataFormatConfig) -> Iterator[Pair]:
    lines = [line.strip() for line in text_files.read(file).split("\n")]
    if _HIGHLIGHT not in lines:
        raise errors.UserError(f"{file}: has no line {_HIGHLIGHT}, after which its summary stands")
    first = lines.index(_HIGHLIGHT)
    summary = ". ".join(line.rstrip(".") for line in lines[first:] if line and line != _HIGHLIGHT)
    yield Pair(" ".join(lines[:first]), summary and f"{summary}.", place=str(file))
