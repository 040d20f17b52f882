"""Reads tagged sentences: columns, JSON lines, and folders of seq.in, seq.out and label.

columns         a word and its tag on each line, other columns between them, and an empty line
after each sentence: CoNLL, IOB files, CoNLL-U
JSON lines      {"tokens": ["to", "Rome"], "tags": ["O", "B-city"], "label": "travel"}
{"text": "to Rome", "spans": [[3, 7, "city"]]}
folder          seq.in with a sentence on each line, seq.out with its tags, label with its
label (Goo et al. 2018)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.sequences.config import SentenceFormatConfig
from apps.suite.texts import tag_schemes, text_files, word_spans

PARTS = {
    "train": "train", "training": "train", "valid": "validation", "validation": "validation",
    "dev": "validation", "val": "validation", "testa": "validation", "test": "test",
    "testb": "test",
}  # fmt: skip


class Sentence(NamedTuple):
    """Words, a tag for each, the sentence's label ("" without one), and where it stands."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    label: str = ""
    place: str = ""  # file and line of the first word
    line_a_word: bool = False  # each word has a line of its own


def read_parts(path: Path, settings: SentenceFormatConfig) -> dict[str, list[Sentence]]:
    """Reads a file as one part "train", or the parts of a folder by their files' names.

    Raises:
        UserError: nothing there, a format that is not known, what cannot be read: with the line.
    """
    if path.is_file():
        return {"train": _read_file(path, settings)}
    parts: dict[str, list[Sentence]] = {}
    for entry in sorted(path.iterdir()):
        part = next(
            (PARTS[word] for word in re.split(r"[^a-z]+", entry.stem.lower()) if word in PARTS),
            None,
        )
        if part and (entry.is_file() or (entry / "seq.in").is_file()):
            if part in parts:
                raise errors.UserError(f"{entry}: a second file of the part {part}; leave one")
            read = _read_file if entry.is_file() else _read_triple
            parts[part] = read(entry, settings)
    if not parts and (path / "seq.in").is_file():
        parts["train"] = _read_triple(path, settings)
    if "train" not in parts:
        raise errors.UserError(
            f"{path}: has no file of the part train; name the files train, validation and test"
        )
    return parts


def _read_file(file: Path, settings: SentenceFormatConfig) -> list[Sentence]:
    text = text_files.read(file)
    is_json = file.suffix in (".jsonl", ".json", ".ndjson")
    read = _json_lines if is_json else _columns
    found = list(read(file, text.split("\n"), settings))
    if not found:
        raise errors.UserError(f"{file}: holds no sentence")
    return found


def _columns(file: Path, lines: list[str], settings: SentenceFormatConfig) -> Iterator[Sentence]:
    separator = "\t" if any("\t" in line for line in lines) else None
    rows = [line.rstrip("\n").split(separator) for line in lines]
    width = next((len(row) for row in rows if row and row[0][:1] not in ("", "#")), 0)
    places = [settings.word_column, settings.tag_column]
    if width < 2 or not all(-width <= place < width for place in places):
        raise errors.UserError(
            f"{file}: its lines have {width} columns; words are looked for in column {places[0]} "
            f"and tags in {places[1]}: give --data_format.word_column and --data_format.tag_column"
        )
    words: list[str] = []
    tags: list[str] = []
    first = 0
    for number, row in enumerate([*rows, []], 1):
        if not any(cell.strip() for cell in row):
            if words:
                yield Sentence(tuple(words), tuple(tags), place=f"{file}:{first}", line_a_word=True)
            words, tags = [], []
            continue
        if row[0].startswith("#") and len(row) != width and not words:
            continue  # a comment before a sentence
        if row[0] == "-DOCSTART-":
            continue
        if settings.word_column % width and re.fullmatch(r"\d+[-.]\d+", row[0]):
            continue  # in CoNLL-U, several words in one, and words that nobody wrote
        if len(row) != width:
            raise errors.UserError(
                f"{file}:{number}: has {len(row)} columns, the lines before {width}"
            )
        word, tag = (row[place].strip() for place in places)
        if not word or not tag:
            raise errors.UserError(f"{file}:{number}: has no {'tag' if word else 'word'}")
        first = first if words else number
        words.append(word)
        tags.append(tag)


def _json_lines(file: Path, lines: list[str], settings: SentenceFormatConfig) -> Iterator[Sentence]:
    for number, line in enumerate(lines, 1):
        place = f"{file}:{number}"
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise errors.UserError(f"{place}: is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise errors.UserError(f"{place}: is not a JSON object")
        label = value.get("label", value.get("intent", ""))
        if not isinstance(label, str):
            raise errors.UserError(f"{place}: label is {label!r}, and has to be text")
        if "tokens" in value:
            tags: Any = value.get("tags", value.get("labels"))
            for name, given in (("tokens", value["tokens"]), ("tags", tags)):
                if not isinstance(given, list) or not all(
                    isinstance(each, str) and each.strip() for each in given
                ):
                    raise errors.UserError(f"{place}: {name} has to be a list of texts")
            words = value["tokens"]
        elif "text" in value:
            words, tags = _from_spans(place, value, settings.tokenizer)
        else:
            raise errors.UserError(f"{place}: has neither tokens and tags nor text and spans")
        yield _checked(place, words, tags, label)


def _from_spans(place: str, value: dict[str, Any], tokenizer: str) -> tuple[list[str], list[str]]:
    """Returns words and tags (IOB2) of a text with spans of characters."""
    text: Any = value["text"]
    given: Any = value.get("spans")
    shapes = isinstance(text, str) and isinstance(given, list)
    if not shapes or not all(
        isinstance(span, list)
        and [type(each) for each in span] == [int, int, str]
        and 0 <= span[0] < span[1] <= len(text)
        for span in given or ()
    ):
        raise errors.UserError(
            f"{place}: spans has to be a list of [first character, character after the last, type] "
            "within text"
        )
    words, *places = word_spans.cut_one(text, tokenizer)
    starts, ends = ({place: at for at, place in enumerate(each)} for each in places)
    spans: list[tag_schemes.Span] = []
    for start, end, kind in sorted(given):
        if start not in starts or end not in ends:
            raise errors.UserError(
                f"{place}: the span {text[start:end]!r} does not begin and end with a word; "
                "try --data_format.tokenizer signs, or give tokens and tags"
            )
        if spans and spans[-1].end > starts[start]:
            raise errors.UserError(f"{place}: the span {text[start:end]!r} overlaps another one")
        spans.append(tag_schemes.Span(starts[start], ends[end] + 1, kind))
    return words, tag_schemes.write(spans, len(words), "IOB2")


def _read_triple(folder: Path, settings: SentenceFormatConfig) -> list[Sentence]:
    names = ["seq.in", "seq.out", *(["label"] if (folder / "label").is_file() else [])]
    columns = [text_files.read(folder / name).rstrip("\n").split("\n") for name in names]
    for name, lines in zip(names, columns, strict=True):
        if len(lines) != len(columns[0]):
            raise errors.UserError(
                f"{folder / name}: has {len(lines)} lines, seq.in {len(columns[0])}"
            )
    found = []
    for number, (words, tags, *label) in enumerate(zip(*columns, strict=True), 1):
        place = f"{folder / 'seq.out'}:{number}"
        if words.strip() or tags.strip():
            name = label[0].strip() if label else ""
            found.append(_checked(place, words.split(), tags.split(), name))
    return found


def _checked(place: str, words: list[str], tags: list[str], label: str) -> Sentence:
    if len(words) != len(tags):
        raise errors.UserError(f"{place}: {len(words)} words and {len(tags)} tags")
    if not words:
        raise errors.UserError(f"{place}: a sentence without words")
    return Sentence(tuple(words), tuple(tags), label, place)
