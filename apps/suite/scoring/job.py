"""Keeps the folder of a scoring job: begins, resumes and finishes it, and reports progress.

    _job.json        model, options and files; written first, and refuses another job
    part-….parquet   the rows of each shard; each file is whole or absent
    _bad_rows.jsonl  rows that were set aside: file, row, reason
    _manifest.json   counts, and the hash of each part; written last, when the job has ended

Readers of folders, such as pandas and Spark, skip names that begin with an underscore or a dot, and
read the folder as one table. While the job runs, `.shards` holds a record of each whole shard.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.runs import files as json_files
from apps.suite.scoring import inputs
from apps.suite.scoring import shard as shard_files
from apps.suite.scoring.inputs import InputFile
from apps.suite.scoring.pieces import Piece
from apps.suite.scoring.shard import Shard, Work

JOB, MANIFEST, BAD_ROWS = "_job.json", "_manifest.json", "_bad_rows.jsonl"

_LOOK_SECONDS = 1.0
_TELL_SECONDS = 30.0  # between two lines in a log; a terminal has one live line
_ERASE_LINE = "\r\x1b[2K"


class Prepared(NamedTuple):
    """A job that is ready to run.

    record: entries of _job.json, without the files.
    files, shards: the files, and for each part of the output the rows of them that it holds.
    work: settings that all shards share.
    """

    record: dict[str, Any]
    files: list[InputFile]
    shards: list[list[Piece]]
    work: Work


class Summary(NamedTuple):
    """Counts of an ended job: rows of the input, rows answered, rows set aside, and files."""

    input_rows: int
    rows: int
    bad_rows: int
    shards: int


def before(folder: Path) -> dict[str, Any] | None:
    """Reads the _job.json of a folder; None if the folder is absent or empty.

    Raises UserError for a folder that holds other files.
    """
    if folder.exists() and not folder.is_dir():
        raise errors.UserError(f"--to {folder}: is a file; give a folder")
    if (folder / JOB).is_file():
        return json_files.read_json(folder / JOB)
    if folder.is_dir() and any(entry.name[0] != "." for entry in folder.iterdir()):
        raise errors.UserError(f"--to {folder}: holds other files; give a new folder")
    return None


def check_same(folder: Path, begun: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Raises UserError if the job in the folder was begun with other options or another model."""
    choose = f"give another --to, or remove {folder}"
    for name, value in options.items():
        was = begun.get(name)
        if was == value or name == "model":  # a copy elsewhere is the same model
            continue
        if name == "model_sha256":
            told = f"its job was begun with another model than {options['model']} is now"
        else:
            told = f"its job was begun with {_said(name, was)}, not {_said(name, value)}"
        raise errors.UserError(f"--to {folder}: {told}; {choose}")


def same_files(folder: Path, begun: Mapping[str, Any], paths: Sequence[str]) -> list[InputFile]:
    """Returns the files of a job that was begun; raises UserError if they have changed."""
    files = [InputFile(*each) for each in begun["files"]]
    choose = f"give another --to, or remove {folder}"
    changed = sorted({file.path for file in files} ^ set(paths))
    if changed:
        what = "is new" if changed[0] in paths else "is gone"
        raise errors.UserError(f"--to {folder}: {changed[0]} {what} since its job began; {choose}")
    for file in files:
        if inputs.described(file.path, file).sha256 != file.sha256:
            told = f"{file.path} has changed since its job began"
            raise errors.UserError(f"--to {folder}: {told}; {choose}")
    # A file with a new time and the same content counts as unchanged while the shards are read
    return [inputs.described(file.path, file) for file in files]


@contextlib.contextmanager
def writing(folder: Path, prepared: Prepared) -> Iterator[tuple[list[Shard], list[Shard]]]:
    """Begins or resumes a job; yields all its shards, and the shards that are still to be scored.

    Raises UserError if another process writes there or the disk is full.
    """
    json_files.make_folder(folder)
    lock = json_files.WriterLock(folder)
    try:
        json_files.remove_partial(folder)
        json_files.make_folder(folder / shard_files.RECORDS)
        shard_files.forget_failure(folder)
        if not (folder / JOB).exists():
            files = [list(file) for file in prepared.files]
            pieces = [[list(piece) for piece in shard] for shard in prepared.shards]
            record = {**prepared.record, "files": files, "shards": pieces}
            content = json.dumps(record, ensure_ascii=False)
            json_files.write_atomically(folder / JOB, f"{content}\n")
        shards = [
            Shard(at, tuple((prepared.files[piece.file], piece) for piece in pieces))
            for at, pieces in enumerate(prepared.shards)
        ]
        waiting = [
            shard for shard in shards if shard_files.read_record(folder, shard.number) is None
        ]
        if len(waiting) < len(shards):
            whole = len(shards) - len(waiting)
            print(f"{whole:,} of {len(shards):,} shards are whole already", flush=True)
        yield shards, waiting
    finally:
        lock.release()


def finish(folder: Path, all_shards: Sequence[Shard], options: Mapping[str, Any]) -> Summary:
    """Gathers the rows set aside, checks that no row is missing, and writes _manifest.json.

    Args:
        folder: of the job.
        all_shards: in their order.
        options: entries of _job.json that the manifest repeats.

    Raises:
        UserError: a shard without its record, missing rows, a full disk.
    """
    parts, once = list[dict[str, Any]](), dict[str, Any]()
    rows = bad_rows = input_rows = 0
    with (
        json_files.replacing(folder / BAD_ROWS) as partial,
        partial.open("w", encoding="utf-8") as file,
    ):
        for shard in all_shards:
            record = shard_files.read_record(folder, shard.number)
            if record is None:
                raise errors.UserError(f"{folder}: shard {shard.number} is missing; run it again")
            for name, value in record.once.items():
                if once.setdefault(name, value) != value:
                    raise errors.UserError(f"{folder}: {name} changes from shard to shard")
            for each in record.bad:
                told = {"file": each.file, "row": each.number, "reason": each.reason}
                if each.rows != 1:
                    told["rows"] = each.rows
                file.write(json.dumps(told, ensure_ascii=False) + "\n")
            rows, bad_rows = rows + record.rows, bad_rows + record.bad_rows
            part = {"file": record.file, "rows": record.rows, "bad_rows": record.bad_rows}
            parts.append({**part, "sha256": record.sha256})
            input_rows += record.input_rows
    if rows + bad_rows != input_rows:
        missing = input_rows - rows - bad_rows
        raise errors.UserError(f"{folder}: {missing:,} of {input_rows:,} rows are missing")
    summary = Summary(input_rows, rows, bad_rows, len(all_shards))
    manifest = {**options, **summary._asdict(), "once": once, "parts": parts}
    json_files.write_json(folder / MANIFEST, manifest)
    shutil.rmtree(folder / shard_files.RECORDS, ignore_errors=True)
    return summary


def ended(folder: Path) -> Summary | None:
    """Returns the counts of a job that has ended; None if it has not.

    Raises UserError if a part has changed since it was written.
    """
    if not (folder / MANIFEST).is_file():
        return None
    manifest = json_files.read_json(folder / MANIFEST)
    for part in manifest["parts"]:
        shard_files.check(folder, part["file"], part["sha256"])
    return Summary(*(manifest[name] for name in Summary._fields))


def _said(name: str, value: Any) -> str:
    """Returns an option in the form of the command line."""
    if isinstance(value, dict):
        value = [f"{key}={each}" for key, each in value.items()]
    shown = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"--{name} {shown}" if value else f"no --{name}"


@contextlib.contextmanager
def told(folder: Path, shards: int) -> Iterator[None]:
    """Reports progress on standard error until the block ends: whole shards, time left."""
    ended, begin = threading.Event(), time.monotonic()
    first = shard_files.finished(folder)

    def tell() -> None:
        last = begin
        while not ended.wait(_LOOK_SECONDS):
            now, done = time.monotonic(), shard_files.finished(folder)
            line = f"{done:,} of {shards:,} shards"
            if done > first:
                left = (shards - done) * (now - begin) / (done - first)
                line += f", {_duration(left)} left"
            if sys.stderr.isatty():
                print(f"{_ERASE_LINE}{line}", end="", file=sys.stderr, flush=True)
            elif now - last >= _TELL_SECONDS:
                last = now
                print(line, file=sys.stderr, flush=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if sys.stderr.isatty():
            print(_ERASE_LINE, end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
