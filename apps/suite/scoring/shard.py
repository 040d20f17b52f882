"""Scores one shard: asks the model for its rows, writes answers in order, sets bad rows aside.

The answers are one file, which is whole or absent. A record next to it marks the shard as done.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow

from apps.suite import errors
from apps.suite.runs import files
from apps.suite.scoring import answers as score_tables
from apps.suite.scoring import inputs, row_batches
from apps.suite.scoring import rows as input_rows
from apps.suite.scoring.binding import Binding
from apps.suite.scoring.inputs import InputFile
from apps.suite.scoring.pieces import Piece
from apps.suite.scoring.rows import BadRow, Row

RECORDS = ".shards"
"""Folder of the records while a job runs, inside the job's folder."""

_FAILED = "failed"


class Model(Protocol):
    """A model that answers requests, such as a `ServedVersion`."""

    def answer(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]: ...


class Shard(NamedTuple):
    """The rows of one output file: parts of input files."""

    number: int
    pieces: tuple[tuple[InputFile, Piece], ...]


class Work(NamedTuple):
    """Settings that all shards of a job share."""

    folder: Path
    shards: int
    form: str  # parquet or jsonl
    binding: Binding
    outputs: score_tables.Outputs
    columns: pyarrow.Schema
    keep: tuple[str, ...]
    settings: dict[str, Any]
    rows_per_batch: int


class _Refused(NamedTuple):
    row: Row
    reason: str


def score(shard: Shard, work: Work, model: Model) -> None:
    """Writes the file of a shard, then its record.

    Raises:
        UserError: an input that has changed since the job began, a full disk, an output without
            rows that changes between requests.
    """
    for file, _ in shard.pieces:
        inputs.check_unchanged(file)
    rows = itertools.chain.from_iterable(
        input_rows.read(file.path, piece, work.binding, work.keep, work.settings)
        for file, piece in shard.pieces
    )
    bad, once, read, count = list[BadRow](), dict[str, Any](), 0, 0
    path = work.folder / name(shard.number, work.shards, work.form)
    with writing(path, work.columns) as append:
        for window, aside in row_batches.windows(rows, work.rows_per_batch):
            answered, refused = _answered(window, work, model, once)
            if answered.num_rows:
                append(answered)
            read += sum(map(work.outputs.rows_of, window)) + sum(each.rows for each in aside)
            count += answered.num_rows
            bad += [*aside, *(_bad(each, work.outputs) for each in refused)]
    order = {file.path: at for at, (file, _) in enumerate(shard.pieces)}
    bad.sort(key=lambda each: (order[each.file], each.number))
    if work.binding.layout in ("rows", "series"):
        _check_count(shard, read)
    lost = read - count - sum(each.rows for each in bad)
    if lost:
        raise errors.UserError(f"{path}: {lost:,} of {read:,} rows got no answer; report this")
    write_record(work.folder, shard.number, path, (read, count), once, bad)


def _answered(
    window: Sequence[Row], work: Work, model: Model, once: dict[str, Any]
) -> tuple[pyarrow.Table, list[_Refused]]:
    """Returns the answers of a window's rows in order, and the rows that the graph refuses."""
    tables, places, refused = list[pyarrow.Table](), list[int](), list[_Refused]()
    for batch in row_batches.batches(window, work.rows_per_batch):
        for rows, answers in _asked(batch, window, work, model):
            if isinstance(answers, str):
                refused.append(_Refused(window[rows[0]], answers))
                continue
            chosen = [window[at] for at in rows]
            made = score_tables.table(chosen, answers, work.outputs, work.columns)
            tables.append(made)
            places += [at for at in rows for _ in range(made.num_rows // len(rows))]
            _note_once(once, answers, work)
    if not tables:
        return work.columns.empty_table(), refused
    order = np.argsort(np.array(places), kind="stable")
    return pyarrow.concat_tables(tables).take(order), refused


def _asked(
    batch: list[int], window: Sequence[Row], work: Work, model: Model
) -> Iterator[tuple[list[int], dict[str, np.ndarray] | str]]:
    """Yields (rows, answers) for parts of a batch, or (row, reason) for a row that is refused.

    A graph refuses a request as a whole. Halving the request repeatedly finds the row at fault.
    """
    from apps.suite.serving.models import Refusal, in_plain_words

    try:
        rows = [window[at] for at in batch]
        request = row_batches.inputs(rows, work.binding)
        answers = model.answer(work.binding.signature, request)
        yield batch, row_batches.averaged(answers, rows, work.binding)
    except Refusal as error:
        if len(batch) == 1:
            yield batch, in_plain_words(str(error))
            return
        half = len(batch) // 2
        yield from _asked(batch[:half], window, work, model)
        yield from _asked(batch[half:], window, work, model)


def _note_once(once: dict[str, Any], answers: Mapping[str, Any], work: Work) -> None:
    """Collects the outputs that are the same for all rows."""
    for name in work.outputs.once:
        value = np.asarray(answers[name])
        described = value[0] if name.endswith("_names") and value.ndim > 1 else value
        plain = score_tables.plain(described)
        if once.setdefault(name, plain) != plain:
            raise errors.UserError(
                f"signature {work.outputs.signature}: {name} has no value for each row, but "
                "changes between requests; choose other --outputs"
            )


def _bad(refused: _Refused, outputs: score_tables.Outputs) -> BadRow:
    row, reason = refused
    return BadRow(row.file, row.number, outputs.rows_of(row), reason)


def _check_count(shard: Shard, found: int) -> None:
    expected = sum(piece.rows for _, piece in shard.pieces)
    if found != expected:
        file = shard.pieces[0][0].path
        raise errors.UserError(
            f"{file}: {found:,} rows were read where {expected:,} were counted; it has changed "
            "since the job began: begin another one"
        )


class Record(NamedTuple):
    """Record of a whole shard.

    file: its name.
    input_rows: number of rows read from its input.
    rows, bad_rows: number of rows answered, and of rows set aside.
    size_bytes, sha256: size and hash of the file.
    once: outputs that are the same for all rows, by name.
    bad: the rows that were set aside, with reasons.
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
    """Returns a file name such as `part-00003-of-00012.parquet`; `number` starts from 0."""
    return f"part-{number:05d}-of-{count:05d}.{form}"


@contextlib.contextmanager
def writing(path: Path, columns: Any) -> Iterator[Callable[[Any], None]]:
    """Yields a function that appends an Arrow table; the file appears when the block ends.

    Args:
        path: with the suffix .parquet or .jsonl.
        columns: the schema of all tables.
    """
    import pyarrow.parquet

    with files.replacing(path) as partial:
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
    """Marks the shard in `file` as whole; `counts`: rows of the input, rows answered."""
    with file.open("rb") as binary:
        digest = hashlib.file_digest(binary, "sha256").hexdigest()
    bad_rows = sum(each.rows for each in bad)
    record = Record(file.name, *counts, bad_rows, file.stat().st_size, digest, once, bad)
    content = json.dumps(record._asdict(), ensure_ascii=False)
    files.write_atomically(_record(folder, number), content)


def read_record(folder: Path, number: int) -> Record | None:
    """Returns the record of a whole shard; None if it has yet to be scored."""
    try:
        found = json.loads(_record(folder, number).read_text(encoding="utf-8"))
        found["bad"] = [BadRow(*each) for each in found["bad"]]
        record = Record(**found)
        whole = (folder / record.file).stat().st_size == record.size_bytes
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return record if whole else None


def write_failure(folder: Path, reason: str) -> None:
    """Notes the reason that ends the job, for its other workers and the process that began it.

    The first of several reasons stays. A full disk may hold an empty file and no reason.
    """
    with (
        contextlib.suppress(OSError),
        (folder / RECORDS / _FAILED).open("x", encoding="utf-8") as file,
    ):
        file.write(reason)


def failure(folder: Path) -> str:
    """Returns the reason that `write_failure` noted, or ""."""
    try:
        noted = (folder / RECORDS / _FAILED).read_text(encoding="utf-8")
        return noted or f"{folder} cannot be written"
    except FileNotFoundError:
        return ""


def forget_failure(folder: Path) -> None:
    """Removes the reason that an earlier attempt noted."""
    (folder / RECORDS / _FAILED).unlink(missing_ok=True)


def finished(folder: Path) -> int:
    """Counts the shards that have a record."""
    return sum(1 for _ in (folder / RECORDS).glob("*.json"))


def check(folder: Path, file: str, sha256: str) -> None:
    """Raises UserError if the file of a finished job has changed since it was written."""
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
