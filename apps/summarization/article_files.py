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

from collections.abc import Iterator
from pathlib import Path

from apps.suite import errors
from apps.suite.texts import pair_files, text_files
from apps.suite.texts.pair_files import Pair
from apps.summarization import config as configs

FIELDS = "--data_format.text_field and --data_format.summary_field"
"""Options that name the fields or columns of texts and summaries."""

_PAIRS = {".text": ".summary", ".source": ".target", ".src": ".tgt", ".article": ".highlights"}
_TABLES, _LINES = (".csv", ".tsv", ".parquet"), (".jsonl", ".json", ".ndjson")
_KINDS = (*_LINES, *_TABLES, *_PAIRS, ".story", ".txt")
_SUMMARY_FILE = ".summary.txt"
_HIGHLIGHT = "@highlight"


def read(path: Path, settings: configs.DataFormatConfig) -> list[Pair]:
    """Reads a file, or the files of a folder.

    Raises:
        UserError: nothing to read there, a field that is missing, a text or a summary that is
            empty, two files of unequal length: with file and line.
    """
    found = list(_read(path, settings))
    if not found:
        told = "give a file with rows"
        if path.is_dir():
            kinds = ", ".join(_KINDS[:-1])
            told = f"give files that end in {kinds}, or a NAME.txt and a NAME{_SUMMARY_FILE} each"
        raise errors.UserError(f"{path}: holds no text with a summary; {told}")
    for name in ("part", "group"):
        without = [pair for pair in found if not getattr(pair, name)]
        if 0 < len(without) < len(found):
            raise errors.UserError(
                f"{without[0].place}: has no {name}, others have one; give all one, or leave them "
                "all out"
            )
    return found


def _read(path: Path, settings: configs.DataFormatConfig) -> Iterator[Pair]:
    if path.is_file():
        yield from _of_file(path, settings)
        return
    entries = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    folders = {each: pair_files.part_of(each.name) for each in entries if each.is_dir()}
    if any(folders.values()) and not all(folders.values()):
        other = next(each for each, part in folders.items() if not part)
        raise errors.UserError(
            f"{other}: is beside folders of parts; name it train, validation or test, or take it "
            "out"
        )
    # A .txt by itself is a README or its like, where no other has a summary
    has_summaries = any(each.name.endswith(_SUMMARY_FILE) for each in entries)
    kinds = {*_KINDS} if has_summaries else {*_KINDS} - {".txt"}
    for entry in entries:
        part = pair_files.part_of(entry.name)
        is_first = pair_files.suffix_of(entry) in kinds and not entry.name.endswith(_SUMMARY_FILE)
        if is_first if entry.is_file() else part:
            found = _read(entry, settings)
            yield from (pair._replace(part=pair.part or part) for pair in found)


def _other(file: Path) -> Path:
    """Returns the file of the summaries that stands beside a file of texts."""
    if file.suffix == ".txt":
        return file.with_name(file.name.removesuffix(".txt") + _SUMMARY_FILE)
    packed = ".gz" if file.suffix == ".gz" else ""
    stem = file.name.removesuffix(".gz").rpartition(".")[0]
    return file.with_name(stem + _PAIRS[pair_files.suffix_of(file)] + packed)


def _of_file(file: Path, settings: configs.DataFormatConfig) -> Iterator[Pair]:
    for pair in _pairs(file, pair_files.suffix_of(file), settings):
        for name, value in (("text", pair.source), ("summary", pair.target)):
            if not value.strip():
                raise errors.UserError(f"{pair.place}: the {name} is empty; fill or remove it")
        yield pair


def _pairs(file: Path, suffix: str, settings: configs.DataFormatConfig) -> Iterator[Pair]:
    names = (settings.text_field, settings.summary_field)
    if suffix in _LINES:
        for place, row in text_files.json_rows(text_files.read(file), file):
            yield pair_files.of_row(row, place, names, FIELDS, settings.title_field)
    elif suffix in _TABLES:
        yield from _table(file, names, settings.title_field)
    elif suffix == ".story":
        yield _story(file)
    elif suffix in _PAIRS or suffix == ".txt":
        other = _other(file)
        if not other.is_file():
            raise errors.UserError(f"{file}: there is no {other.name} with its summary beside it")
        if suffix == ".txt":
            yield Pair(text_files.read(file), text_files.read(other), place=str(file))
        else:
            yield from pair_files.aligned(file, other)
    elif suffix in _PAIRS.values():
        first = next(one for one, other in _PAIRS.items() if other == suffix)
        raise errors.UserError(f"{file}: give the file of the texts, that ends in {first}")
    else:
        raise errors.UserError(f"{file}: not of a known kind; they end in {', '.join(_KINDS)}")


def _table(file: Path, names: tuple[str, str], title: str) -> Iterator[Pair]:
    from apps.suite.tables import cells, reader

    table = reader.open_table(file)
    for name in names:
        if name not in table.names:
            raise errors.UserError(
                f"{file}: has no column {name}; there are {', '.join(table.names)}: give {FIELDS}, "
                "or write a first line of names"
            )
    present = [name for name in (*names, title, "group", "part") if name in table.names]
    for block in table.blocks(present):
        columns = [cells.names(block, name).to_pylist() for name in present]
        for at, values in enumerate(zip(*columns, strict=True)):
            row = dict(zip(present, values, strict=True))
            yield pair_files.of_row(row, block.place(at), names, FIELDS, title)


def _story(file: Path) -> Pair:
    lines = [line.strip() for line in text_files.read(file).split("\n")]
    if _HIGHLIGHT not in lines:
        raise errors.UserError(f"{file}: has no line {_HIGHLIGHT}, after which its summary stands")
    first = lines.index(_HIGHLIGHT)
    summary = ". ".join(line.rstrip(".") for line in lines[first:] if line and line != _HIGHLIGHT)
    return Pair(" ".join(lines[:first]), summary and f"{summary}.", place=str(file))
