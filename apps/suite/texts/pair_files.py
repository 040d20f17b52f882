"""Reads pairs of texts, source and target, from the files that people keep them in.

    .tsv .txt .csv      source, target and further columns, by a header or by their order
    a.en+a.fr           two files with a text on each line
    .po .mo             gettext messages and their translations
    .tmx                a translation memory
    .jsonl .json        {"source": …, "target": …} or {"translation": {"en": …, "fr": …}}; a
                        line each, or one array
    .zip                one such file in an archive, as ManyThings packs its pairs
    a folder            files named train, validation and test

Tables, JSON lines and files with a text on each line may be compressed (.gz). What is left out
is counted, see `Notes`.
"""

from __future__ import annotations

import collections
import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.texts import text_files

PARTS = {
    "train": "train", "training": "train", "valid": "validation", "validation": "validation",
    "dev": "validation", "val": "validation", "test": "test", "testing": "test",
}  # fmt: skip
_COLUMNS = {"source": "source", "target": "target", "part": "part", "split": "part"}
_TABLES, _JSON = (".tsv", ".txt", ".csv"), (".jsonl", ".json", ".ndjson")
SUFFIXES = (*_TABLES, *_JSON, ".po", ".mo", ".tmx", ".zip")
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-+0# ]*[\d.]*[a-zA-Z]|\{\w*\}")
_CODES = {"bpt", "ept", "ph", "it", "ut"}  # elements of a segment that hold code, not text
_CODE = re.compile(r"(?!src|tgt|trg|txt|csv|tsv)[a-z]{2,3}([-_][a-z]+)?", re.IGNORECASE)
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

Notes = collections.Counter[str]
"""Counts of pairs that were left out, by the reason in words."""


class Pair(NamedTuple):
    """Two texts, the part that the data name for them ("" without), and where they stand."""

    source: str
    target: str
    part: str = ""
    place: str = ""


def halves(name: str) -> list[Path] | None:
    """Returns the two paths of `a.en+a.fr`; None for any other name."""
    if Path(name).expanduser().exists() or name.count("+") < 1:
        return None
    for at, sign in enumerate(name):
        both = [Path(name[:at]).expanduser(), Path(name[at + 1 :]).expanduser()]
        if sign == "+" and any(each.is_file() for each in both):
            return both
    return None


def languages_of(name: str, languages: tuple[str, str]) -> tuple[str, str]:
    """Returns the languages of a name's sources and targets: of two files their endings.

    Args:
        name: path, or two paths with + between them.
        languages: codes that are known, "" for others; they count before the endings.
    """
    endings = [suffix_of(each)[1:] for each in halves(name) or ()]
    if len({*endings}) < 2 or not all(map(_CODE.fullmatch, endings)):
        return languages
    return languages[0] or endings[0], languages[1] or endings[1]


def suffix_of(path: Path) -> str:
    """Returns the ending of a file's name in small letters, without .gz."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def part_of(name: str) -> str:
    """Returns the part that a name of a file or folder tells, "" where it tells none."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((PARTS[word] for word in words if word in PARTS), "")


def read(name: str, languages: tuple[str, str], notes: Notes) -> dict[str, list[Pair]]:
    """Reads a file, two files or a folder into parts; "" is the part of what names none.

    Args:
        name: path, or two paths with + between them.
        languages: codes of source and target, "" where they need not be told.
        notes: is added to.

    Raises:
        UserError: what cannot be read, with the line.
    """
    both = halves(name)
    path = Path(name).expanduser()
    if both or not path.is_dir():
        found = aligned(both[0], both[1], notes) if both else _read_file(path, languages, notes)
        parts: dict[str, list[Pair]] = collections.defaultdict(list)
        for pair in found:
            parts[pair.part].append(pair)
        return dict(parts)
    return _read_folder(path, languages, notes)


def _read_folder(folder: Path, languages: tuple[str, str], notes: Notes) -> dict[str, list[Pair]]:
    entries = sorted(
        each for each in folder.iterdir() if each.is_file() and not each.name.startswith((".", "_"))
    )
    named: dict[str, list[Path]] = collections.defaultdict(list)
    for entry in entries:
        part = part_of(entry.name)
        if part:
            named[part].append(entry)
    if not named and len(entries) in (1, 2):
        named["train"] = entries
    if "train" not in named:
        raise errors.UserError(
            f"{folder}: has no file of the part train; name the files train, validation and test"
        )
    parts = {}
    for part, found in named.items():
        if len(found) == 2 and not any(suffix_of(each) in SUFFIXES for each in found):
            first, second = sorted(found, key=lambda each: suffix_of(each)[1:] == languages[1])
            parts[part] = list(aligned(first, second, notes))
        elif len(found) == 1:
            parts[part] = list(_read_file(found[0], languages, notes))
        else:
            names = ", ".join(each.name for each in found)
            raise errors.UserError(
                f"{folder}: {names} are all of the part {part}; leave one file, or two with a text "
                "on each line whose endings are their languages"
            )
    if set(parts) == {"train"} and len(entries) <= 2:
        parts[""] = parts.pop("train")
    return parts


def _read_file(path: Path, languages: tuple[str, str], notes: Notes) -> list[Pair]:
    suffix = suffix_of(path)
    if path.suffix.lower() == ".gz" and suffix not in (*_TABLES, *_JSON):
        raise errors.UserError(
            f"{path}: unpack it; of files with pairs tables and JSON lines may be compressed"
        )
    if suffix == ".zip":
        found = _zipped(path, languages, notes)
    elif suffix in (".po", ".mo"):
        found = list(_messages(path, notes))
    elif suffix == ".tmx":
        found = list(_memory(path, languages, notes))
    elif suffix in _JSON:
        found = list(_json_lines(path, text_files.read(path), languages, notes))
    elif suffix in _TABLES:
        found = list(_table(path, text_files.read(path), languages, notes))
    else:
        raise errors.UserError(
            f"{path}: is not a file of pairs that is known ({', '.join(SUFFIXES)}); two files with "
            f"a text on each line are given as {path.name}+OTHER"
        )
    if not found:
        raise errors.UserError(f"{path}: holds no pair of texts")
    return found


def _kept(pairs: Iterator[Pair] | Sequence[Pair], notes: Notes) -> Iterator[Pair]:
    """Yields the pairs with text on both sides."""
    for pair in pairs:
        sides = bool(pair.source.strip()) + bool(pair.target.strip())
        if sides == 2:
            yield pair
        elif sides == 1:
            notes["with one empty side"] += 1


def aligned(source: Path, target: Path, notes: Notes) -> list[Pair]:
    """Reads two files with a text on each line."""
    texts = [text_files.read(each).removesuffix("\n").split("\n") for each in (source, target)]
    if len(texts[0]) != len(texts[1]):
        raise errors.UserError(
            f"{source} has {len(texts[0]):,} lines and {target} {len(texts[1]):,}: give files "
            "whose lines belong together"
        )
    lines = enumerate(zip(*texts, strict=True), 1)
    found = list(
        _kept((Pair(one, other, "", f"{source}:{at}") for at, (one, other) in lines), notes)
    )
    if not found:
        raise errors.UserError(f"{source}: holds no pair of texts")
    return found


def _table(path: Path, text: str, languages: tuple[str, str], notes: Notes) -> Iterator[Pair]:
    lines = text.split("\n")
    if suffix_of(path) == ".csv":
        reader = csv.reader(io.StringIO(text), strict=True)
        rows: list[tuple[int, list[str]]] = []
        try:
            rows.extend((reader.line_num, row) for row in reader)
        except csv.Error as error:
            raise errors.UserError(f"{path}:{reader.line_num}: is not csv: {error}") from None
    else:
        rows = [(at, line.split("\t")) for at, line in enumerate(lines, 1)]
    rows = [(at, row) for at, row in rows if any(cell.strip() for cell in row)]
    known = _COLUMNS | {code: side for code, side in zip(languages, _COLUMNS, strict=False) if code}
    header = [known.get(cell.strip().lower(), "") for cell in rows[0][1]]
    if {"source", "target"} <= set(header):
        rows = rows[1:]
    else:
        cells = {row[2].strip().lower() for _, row in rows if len(row) > 2}
        header = ["source", "target", "part" if cells and cells <= PARTS.keys() else ""]
    places = {name: at for at, name in enumerate(header) if name}
    needed = max(places["source"], places["target"]) + 1

    def pairs() -> Iterator[Pair]:
        for at, row in rows:
            if len(row) < needed:
                raise errors.UserError(
                    f"{path}:{at}: has {len(row)} column{'s' * (len(row) != 1)}, and source and "
                    "target are separated by "
                    f"{'a comma' if suffix_of(path) == '.csv' else 'a tab'}"
                )
            cell = row[places["part"]] if "part" in places and len(row) > places["part"] else ""
            part = PARTS.get(cell.strip().lower(), "")
            if cell.strip() and not part:
                raise errors.UserError(
                    f"{path}:{at}: part is {cell!r}, and has to be train, validation or test"
                )
            yield Pair(row[places["source"]], row[places["target"]], part, f"{path}:{at}")

    yield from _kept(pairs(), notes)


def _zipped(path: Path, languages: tuple[str, str], notes: Notes) -> list[Pair]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                name for name in archive.namelist()
                if Path(name).suffix.lower() in (*_TABLES, *_JSON)
                and not Path(name).name.startswith(("_", ".")) and "__MACOSX" not in name
            ]  # fmt: skip
            if len(names) != 1:
                told = ", ".join(sorted(names)) or "none"
                raise errors.UserError(
                    f"{path}: must hold one file of pairs, holds {told}; unpack it, and give a file"
                )
            content = archive.read(names[0])
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise errors.UserError(f"{path}: cannot be read as a zip archive: {error}") from None
    inner = path / names[0]
    text = text_files.decoded_bytes(content, inner).replace("\r\n", "\n")
    read_text = _json_lines if inner.suffix.lower() in _JSON else _table
    return list(read_text(inner, text, languages, notes)) if text.strip() else []


def _json_lines(path: Path, text: str, languages: tuple[str, str], notes: Notes) -> Iterator[Pair]:
    def pairs() -> Iterator[Pair]:
        for place, value in text_files.json_rows(text, path):
            sides = value.get("translation", value)
            names = [
                code if code and isinstance(sides, dict) and code in sides else name
                for code, name in zip(languages, ("source", "target"), strict=True)
            ]
            texts = [sides.get(name) if isinstance(sides, dict) else None for name in names]
            if not all(isinstance(each, str) for each in texts):
                raise errors.UserError(
                    f"{place}: has no texts {names[0]!r} and {names[1]!r}; it has "
                    f"{', '.join(map(repr, sides)) if isinstance(sides, dict) else 'no names'}"
                )
            part = value.get("part") or ""
            if part and not (isinstance(part, str) and part in PARTS):
                raise errors.UserError(
                    f"{place}: part is {part!r}, and has to be train, validation or test"
                )
            one, other = map(str, texts)
            yield Pair(one, other, PARTS.get(part, ""), place)

    yield from _kept(pairs(), notes)


def _messages(path: Path, notes: Notes) -> Iterator[Pair]:
    import polib

    try:
        catalogue = (polib.mofile if path.suffix.lower() == ".mo" else polib.pofile)(str(path))
    except (OSError, UnicodeDecodeError, ValueError, IndexError) as error:
        told = " ".join(str(error).split())
        raise errors.UserError(f"{path}: cannot be read as gettext messages: {told}") from None

    def pairs() -> Iterator[Pair]:
        for entry in catalogue:
            line = getattr(entry, "linenum", None)  # a compiled catalogue has no lines
            place = f"{path}:{line}" if line else str(path)
            forms = [entry.msgstr_plural[at] for at in sorted(entry.msgstr_plural)]
            if entry.obsolete or "fuzzy" in getattr(entry, "flags", ()):
                notes["fuzzy or obsolete"] += 1
            elif not forms:
                yield Pair(entry.msgid, entry.msgstr, "", place)
            elif len(forms) == 2:
                yield Pair(entry.msgid, forms[0], "", place)
                yield Pair(entry.msgid_plural, forms[1], "", place)
            else:  # of one form or several plurals nobody says which number they stand for
                notes["with other plural forms than two"] += 1

    for pair in _kept(pairs(), notes):
        marks = [sorted(_PLACEHOLDER.findall(side)) for side in pair[:2]]
        if marks[0] == marks[1]:
            yield pair
        else:
            notes["with other placeholders in the translation"] += 1


def _memory(path: Path, languages: tuple[str, str], notes: Notes) -> Iterator[Pair]:
    import defusedxml
    from defusedxml import ElementTree

    try:
        units = list(ElementTree.parse(path).getroot().iter("tu"))
    except defusedxml.DefusedXmlException:
        raise errors.UserError(
            f"{path}: declares entities, which are not read; export the memory without them"
        ) from None
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise errors.UserError(f"{path}: cannot be read as XML: {error}") from None
    found: list[dict[str, str]] = []
    for unit in units:
        variants: dict[str, str] = {}
        for variant in unit.iter("tuv"):
            code = (variant.get(_LANGUAGE) or variant.get("lang") or "").lower()
            segment = variant.find("seg")
            if segment is not None:
                variants.setdefault(re.split("[-_]", code)[0], "".join(_segment(segment)))
        found.append(variants)
    codes = list(dict.fromkeys(code for variants in found for code in variants))
    wanted = [re.split("[-_]", code.lower())[0] for code in languages if code] or codes
    if len(wanted) != 2 or not set(wanted) <= set(codes):
        raise errors.UserError(
            f"{path}: has the languages {', '.join(codes) or 'none'}; give two of them by "
            "--data_format.source_language and --data_format.target_language"
        )
    yield from _kept(
        (
            Pair(each.get(wanted[0], ""), each.get(wanted[1], ""), "", f"{path}: unit {at}")
            for at, each in enumerate(found, 1)
        ),
        notes,
    )


def _segment(element: Any) -> Iterator[str]:
    """Yields the texts of a segment, without the code of its format."""
    yield element.text or ""
    for inner in element:
        if inner.tag not in _CODES:
            yield from _segment(inner)
        yield inner.tail or ""
