"""Reads text files in UTF-8, and refuses what is something else."""

from pathlib import Path

from apps.suite import errors


def read(file: Path) -> str:
    """Returns a file's text, with a line feed at each line end and no byte order mark.

    Raises:
        UserError: a file that cannot be read, that is empty, binary, or not in UTF-8.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise errors.UserError(f"{file}: cannot be read: {error.strerror}") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise errors.UserError(f"{file}: is UTF-16; save it as UTF-8")
    if b"\0" in content:
        raise errors.UserError(
            f"{file}: NUL byte at offset {content.index(0)}: binary, not text; give text in UTF-8"
        )
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise errors.UserError(
            f"{file}: byte {content[error.start]:#04x} at offset {error.start} is not UTF-8; "
            "save the file as UTF-8"
        ) from None
    if not text.strip():
        raise errors.UserError(f"{file}: empty; give text, or take the file out of its folder")
    return text.replace("\r\n", "\n").replace("\r", "\n")
