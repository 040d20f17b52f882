"""Finds the files that a scoring job reads, by folder or pattern, and recognises their content."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.data import account
from apps.suite.sounds import sound_files
from apps.suite.tables import reader
from apps.suite.videos import config as videos

SUFFIXES = {
    "table": reader.SUFFIXES,
    "sound": sound_files.SUFFIXES,
    "video": videos.SUFFIXES,
}
"""Endings of the files of each kind; a job reads one kind."""


class InputFile(NamedTuple):
    """A file as it was when the job began."""

    path: str  # as it was given or found
    size_bytes: int
    modified_ns: int
    sha256: str


def find(patterns: Sequence[str], leave_out: Path) -> tuple[str, list[str]]:
    """Returns the kind of the files that are meant, and their paths in order, each once.

    Args:
        patterns: files, folders (for all that is in them and can be scored) or glob patterns
            (`**` for folders of any depth). Hidden files and folders are passed over; other files
            that cannot be scored are told on standard error.
        leave_out: a folder to pass over: the job's own output.

    Raises:
        UserError: nothing matches, or files of several kinds do.
    """
    found: dict[str, str] = {}
    others: list[str] = []
    for pattern in patterns:
        every = list(_matching(pattern, leave_out.resolve()))
        others += [path for path, kind in every if not kind]
        matching = [(path, kind) for path, kind in every if kind]
        if not matching:
            known = "csv, tsv, parquet; wav, flac, ogg, mp3; mp4, mkv, gif and others"
            raise errors.UserError(f"--input {pattern}: matches no file that can be read ({known})")
        found.update(matching)
    kinds = {kind: [path for path in found if found[path] == kind] for kind in SUFFIXES}
    several = [
        f"{len(paths):,} {kind}{'s' if len(paths) > 1 else ''}"
        for kind, paths in kinds.items()
        if paths
    ]
    if len(several) > 1:
        raise errors.UserError(
            f"--input: matches {' and '.join(several)}; a job reads one kind: give a pattern"
        )
    if others:
        print(f"note: --input: not read: {account.named(sorted(set(others)))}", file=sys.stderr)
    return found[next(iter(found))], sorted(found)


def described(path: str, before: InputFile | None = None) -> InputFile:
    """Returns a file with the hash of its content, which is read unless it is as `before`.

    Size and time tell. Raises UserError if it cannot be read.
    """
    try:
        status = Path(path).stat()
        size, modified = status.st_size, status.st_mtime_ns
        if before is not None and (before.size_bytes, before.modified_ns) == (size, modified):
            return before
        with Path(path).open("rb") as file:
            return InputFile(path, size, modified, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise errors.UserError(f"--input: {path} cannot be read: {error.strerror}") from error


def check_unchanged(file: InputFile) -> None:
    """Raises UserError unless the file is as it was when the job began."""
    now = described(file.path, file)
    if now.sha256 != file.sha256:
        raise errors.UserError(f"{file.path} has changed since the job began; begin another one")


def fingerprint(folder: Path) -> str:
    """Returns the SHA-256 of all files in a model's folder, with their names."""
    digest = hashlib.sha256()
    for file in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
        content = described(str(file)).sha256
        digest.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def settings(model: Path) -> dict[str, Any]:
    """Reads the asset `settings.json` of an export; {} without one."""
    from apps.suite.runs import files

    file = model / "assets" / "settings.json"
    return files.read_json(file) if file.is_file() else {}


def _matching(pattern: str, leave_out: Path) -> Iterator[tuple[str, str]]:
    """Yields (path, kind) of each file that a pattern means; "" is the kind of unknown endings."""
    path = Path(pattern)
    if path.is_file():
        kind = _kind(path)
        if not kind:
            known = ", ".join(suffix for kind in SUFFIXES.values() for suffix in kind)
            raise errors.UserError(f"--input {pattern}: is not one of {known}")
        yield pattern, kind
        return
    matching = path.rglob("*") if path.is_dir() else _globbed(path)
    for entry in matching:
        inside = entry.relative_to(path).parts if path.is_dir() else (entry.name,)
        hidden = any(part.startswith(".") for part in inside)
        if hidden or leave_out in entry.resolve().parents or not entry.is_file():
            continue
        yield str(entry), _kind(entry)


def _globbed(pattern: Path) -> Iterator[Path]:
    """Returns the paths that match, relative if the pattern is."""
    if pattern.is_absolute():
        return pattern.parents[-1].glob(str(pattern.relative_to(pattern.parents[-1])))
    return Path().glob(str(pattern))


def _kind(path: Path) -> str:
    return next((kind for kind, of in SUFFIXES.items() if path.name.lower().endswith(of)), "")
