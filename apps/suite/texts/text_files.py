"""Reads whole text files: UTF-8, or UTF-16 and UTF-32 that say so by a byte order mark.

A file whose name ends in .gz is unpacked first.

Texts that a command is asked with.
"""

import codecs
import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from apps.suite import errors

# The mark of UTF-16 begins that of UTF-32, which therefore comes first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # JSON spells halves of characters


def read(path: Path) -> str:
    """Returns the text of a file, with a line feed at each line end and no byte order mark.

    Raises UserError as `decoded`, and for a file without text.
    """
    text = decoded(path)
    if not text.strip():
        raise errors.UserError(f"{path}: empty; give text, or take the file out of its folder")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decoded(path: Path) -> str:
    """Returns the text of a file without its byte order mark; line ends stay.

    Raises:
        UserError: the file cannot be read or unpacked, holds NUL characters (binary), or bytes
            that are not text in the encoding that its first bytes name.
    """
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        told = getattr(error, "strerror", None) or error
        raise errors.UserError(f"{path}: cannot be read: {told}") from None
    return decoded_bytes(content, path)


def decoded_bytes(content: bytes, path: Path) -> str:
    """Returns the text of a file's bytes; `path` names it in the errors of `decoded`."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:
        raise errors.UserError(
            f"{path}: NUL byte at offset {content.index(0)}: binary, not text; give text in UTF-8"
        )
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise errors.UserError(
            f"{path}: byte {content[error.start]:#04x} at offset {error.start} is not "
            f"{encoding.upper()} text; save the file as UTF-8"
        ) from None
    if "\0" in text:
        raise errors.UserError(
            f"{path}: NUL character at offset {text.index(chr(0))}: binary, not text; "
            "give text in UTF-8"
        )
    return text.removeprefix("\ufeff")


def refuse_other(value: Any, told: str) -> None:
    """Raises UserError for a value of JSON that is not text; `told` are its place and name."""
    if not isinstance(value, str):
        raise errors.UserError(f"{told} is {value!r}, and has to be text; fill or remove it")
    wrong = _NO_TEXT.search(value)
    if wrong:
        raise errors.UserError(f"{told} holds {wrong[0]!a}, which is not text; remove it")


def json_rows(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the objects of JSON lines, or of one JSON array, each after its place.

    Args:
        text: of the file.
        path: of the file, for places.

    Raises:
        UserError: what is not JSON, or not an object, with its place.
    """
    rows: Iterable[tuple[str, Any]]
    if text.lstrip().startswith("["):
        rows = [(f"{path}: entry {at}", row) for at, row in enumerate(_json(text, str(path)), 1)]
    else:
        lines = ((f"{path}:{at}", line) for at, line in enumerate(text.split("\n"), 1))
        rows = ((place, _json(line, place)) for place, line in lines if line.strip())
    for place, row in rows:
        if not isinstance(row, dict):
            raise errors.UserError(f"{place}: is not a JSON object")
        yield place, row


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise errors.UserError(
            f"{place}: is not JSON: {error}; write an object on each line, or one array of objects"
        ) from None


def asked(texts: Sequence[str]) -> list[str]:
    """Returns the texts of a command line; without any, the lines of standard input.

    Raises:
        UserError: a text that is not UTF-8, or an empty standard input.
    """
    found = list(texts)
    if not found:
        if sys.stdin.isatty():
            print("texts, one a line, ended by Ctrl-D:", file=sys.stderr)
        try:
            given = sys.stdin.read()
        except UnicodeDecodeError:
            raise errors.UserError("standard input: not UTF-8; convert it to UTF-8") from None
        if not given:
            raise errors.UserError("standard input: is empty; give a text")
        # Other signs that end lines may stand in a text
        found = given.removesuffix("\n").split("\n")
    for text in found:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise errors.UserError(f"text {text!r}: not UTF-8; check the terminal") from None
    return found
