r"""Prints any text to any terminal: characters that its encoding lacks become escapes.

An escape is the one of JSON, `\u00e9` (of a character beyond U+FFFF a pair), so that a line of
JSON stays JSON with the same content.
"""

import codecs
import sys

HANDLER = "json_escape"
"""Name of the error handler for encodings."""


def escaped(error: UnicodeError) -> tuple[str, int]:
    """Returns the escapes of what cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = []
    for character in error.object[error.start : error.end]:
        units = character.encode("utf-16-be", "surrogatepass")
        found += [f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)]
    return "".join(found), error.end


codecs.register_error(HANDLER, escaped)


def accept_any_text() -> None:
    """Lets standard output and error print any text; streams that a program has replaced stay."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and stream.errors in ("strict", "surrogateescape"):
            reconfigure(errors=HANDLER)
