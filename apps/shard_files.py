"""The files of one shard: its rows, and beside them a record that makes it count as whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from apps import errors, score_tables, whole_files
from apps.scoring_rows import BadRow

RECORDS = ".shards"
"""Folder of the records while a job runs, below its own."""

_FAILED = "failed"


class Record(NamedTuple):
    """A shard that is whole.

    file: its name.
    input_rows: of its input, as they were counted or read.
    rows, bad_rows: what it answers, and what it sets aside.
    size_bytes, sha256: of the file.
    once: outputs that are the same for all rows, by name.
    bad: what was set aside, and why.
    """

    file: str
    input_rows: int
    rows: int
    bad_rows: int
    size_bytes: int
    sha256: str
    once: dict[str, Any]
    bad: list[BadRow]


def name(number: int, count: int, form: str) -> str:
    """`part-00003-of-00012.parquet`, the first one being 0."""
    return f"part-{number:05d}-of-{count:05d}.{form}"


@contextlib.contextmanager
def writing(path: Path, columns: Any) -> Iterator[Callable[[Any], None]]:
    """Yields a function that appends an Arrow table; the file is there when the block has ended.

    Args:
        path: with the suffix .parquet or .jsonl.
        columns: the schema of all tables.
    """
    import pyarrow.parquet

    with whole_files.replacing(path) as partial:
        if path.suffix == ".parquet":
            with pyarrow.parquet.ParquetWriter(partial, columns, compression="zstd") as writer:
                yield writer.write_table
        else:
            with partial.open("w", encoding="utf-8") as file:
                yield lambda rows: file.writelines(f"{line}\n" for line in score_tables.lines(rows))


def write_record(
    folder: Path,
    number: int,
    file: Path,
    counts: tuple[int, int],
    once: dict[str, Any],
    bad: list[BadRow],
) -> None:
    """Makes the shard in `file` count as whole; its counts are rows of the input, and answered."""
    with file.open("rb") as binary:
        digest = hashlib.file_digest(binary, "sha256").hexdigest()
    bad_rows = sum(each.rows for each in bad)
    record = Record(file.name, *counts, bad_rows, file.stat().st_size, digest, once, bad)
    content = json.dumps(record._asdict(), ensure_ascii=False)
    whole_files.write_atomically(_record(folder, number), content)


def read_record(folder: Path, number: int) -> Record | None:
    """Of a shard that is whole; None where it has to be scored."""
    try:
        found = json.loads(_record(folder, number).read_text(encoding="utf-8"))
        found["bad"] = [BadRow(*each) for each in found["bad"]]
        record = Record(**found)
        whole = (folder / record.file).stat().st_size == record.size_bytes
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return record if whole else None


def write_failure(folder: Path, reason: str) -> None:
    """Notes what ends the job, for its other workers and for the process that began it.

    Of several workers the first one is heard, and a full disk may take no more than the name.
    """
    with (
        contextlib.suppress(OSError),
        (folder / RECORDS / _FAILED).open("x", encoding="utf-8") as file,
    ):
        file.write(reason)


def failure(folder: Path) -> str:
    """What `write_failure` noted, or ""."""
    try:
        noted = (folder / RECORDS / _FAILED).read_text(encoding="utf-8")
        return noted or f"{folder} cannot be written"
    except FileNotFoundError:
        return ""


def forget_failure(folder: Path) -> None:
    """Removes what an earlier attempt noted."""
    (folder / RECORDS / _FAILED).unlink(missing_ok=True)


def finished(folder: Path) -> int:
    """How many shards have a record."""
    return sum(1 for _ in (folder / RECORDS).glob("*.json"))


def check(folder: Path, file: str, sha256: str) -> None:
    """UserError unless the file of a finished job is as it was written."""
    try:
        with (folder / file).open("rb") as binary:
            if hashlib.file_digest(binary, "sha256").hexdigest() == sha256:
                return
    except FileNotFoundError:
        pass
    raise errors.UserError(
        f"{folder / file} is missing or was changed since the job ended; remove {folder} to score "
        "again, or choose another --to"
    )


def _record(folder: Path, number: int) -> Path:
    return folder / RECORDS / f"{number:05d}.json"
