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
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.texts import pair_tables, text_files

PARTS = pair_tables.PARTS
_SIDES = ("source", "target")
_TABLES, _JSON = (".tsv", ".txt", ".csv"), (".jsonl", ".json", ".ndjson")
SUFFIXES = (*_TABLES, *_JSON, ".po", ".mo", ".tmx", ".zip")
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-+0# ]*[\d.]*[a-zA-Z]|\{\w*\}")
_CODES = {"bpt", "ept", "ph", "it", "ut"}  # elements of a segment that hold code, not text
_CODE = re.compile(r"(?!src|tgt|trg|txt|csv|tsv)[a-z]{2,3}([-_][a-z]+)?", re.IGNORECASE)
LANGUAGES = "--data_format.source_language and --data_format.target_language"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

Notes = collections.Counter[str]
"""Counts of pairs that were left out, by the reason in words."""


class Pair(NamedTuple):
    """Two texts, the part that the data name for them ("" without), and where they stand.

    Where the data tell them, the title of the source, and the group that pairs belong to.
    """

    source: str
    target: str
    part: str = ""
    place: str = ""
    title: str = ""
    group: str = ""


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
        found = _of_two(both[0], both[1], notes) if both else _read_file(path, languages, notes)
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
            parts[part] = _of_two(first, second, notes)
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
        why = "".join(f"; {count:,} are {reason}" for reason, count in notes.items())
        raise errors.UserError(f"{path}: holds no pair of texts{why}; give another file")
    return found


def _kept(pairs: Iterator[Pair] | Sequence[Pair], notes: Notes) -> Iterator[Pair]:
    """Yields the pairs with text on both sides."""
    for pair in pairs:
        sides = bool(pair.source.strip()) + bool(pair.target.strip())
        if sides == 2:
            yield pair
        elif sides == 1:
            notes["with one empty side"] += 1


def aligned(source: Path, target: Path) -> Iterator[Pair]:
    """Yields the pairs of two files with a text on each line, but those of two empty lines.

    Raises:
        UserError: files of unequal length, but for empty lines at the end of one.
    """
    texts = [text_files.read(each).removesuffix("\n").split("\n") for each in (source, target)]
    shorter, longer = sorted(texts, key=len)
    while len(longer) > len(shorter) and not longer[-1].strip():
        longer.pop()
    if len(longer) > len(shorter):
        raise errors.UserError(
            f"{source} has {len(texts[0]):,} lines and {target} {len(texts[1]):,}: give files "
            "whose lines belong together"
        )
    for at, (one, other) in enumerate(zip(*texts, strict=True), 1):
        if one.strip() or other.strip():
            yield Pair(one, other, "", f"{source}:{at}")


def _of_two(source: Path, target: Path, notes: Notes) -> list[Pair]:
    found = list(_kept(aligned(source, target), notes))
    if not found:
        raise errors.UserError(f"{source}: holds no pair of texts")
    return found


def _table(path: Path, text: str, languages: tuple[str, str], notes: Notes) -> Iterator[Pair]:
    table = pair_tables.read(path, text, languages)

    def pairs() -> Iterator[Pair]:
        for place, row in table:
            yield of_row(row, place, _SIDES, LANGUAGES)

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


def of_row(
    row: Mapping[str, Any], place: str, names: Sequence[str], options: str, title: str = ""
) -> Pair:
    """Returns the pair of a row of a table or of an object in JSON.

    Args:
        row: values by name; those of `part` and `group` are taken where they are there.
        place: file and line.
        names: of the source and of the target.
        options: by which a user gives these names.
        title: name of a title, which need not be there.

    Raises:
        UserError: a text that is missing, or a part that is not one.
    """
    for name in names:
        if name not in row:
            known = ", ".join(map(repr, row)) or "no names"
            raise errors.UserError(f"{place}: has no text {name!r}; it has {known}: give {options}")
        text_files.refuse_other(row[name], f"{place}: {name}")
    given = row.get("part") or ""
    part = str(given).strip().lower()
    if part and part not in PARTS:
        raise errors.UserError(f"{place}: part is {given!r}; write train, validation or test")
    source, target = (row[name] for name in names)
    more = ["" if row.get(name) is None else row[name] for name in (title, "group")]
    for name, value in zip((title, "group"), more, strict=True):
        if isinstance(value, list | dict):
            raise errors.UserError(f"{place}: {name} is {value!r}, and has to be text")
    return Pair(source, target, PARTS.get(part, ""), place, *map(str, more))


def _json_lines(path: Path, text: str, languages: tuple[str, str], notes: Notes) -> Iterator[Pair]:
    def pairs() -> Iterator[Pair]:
        for place, value in text_files.json_rows(text, path):
            inner = value.get("translation")
            row = value | inner if isinstance(inner, dict) else value
            names = [
                code if code in row else name for code, name in zip(languages, _SIDES, strict=True)
            ]
            yield of_row(row, place, names, LANGUAGES)

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
            f"{LANGUAGES}"
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
