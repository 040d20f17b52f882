"""Scores one shard: its rows in requests to the model, answers in order, the bad rows aside."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow

from apps import errors, row_batches, score_tables, scoring_inputs, scoring_rows, shard_files
from apps.input_columns import Binding
from apps.scoring_inputs import InputFile
from apps.scoring_rows import BadRow, Row
from apps.table_rows import Piece


class Model(Protocol):
    """What answers: a `ServedVersion`."""

    def answer(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]: ...


class Shard(NamedTuple):
    """What one file of the output is made from."""

    number: int
    pieces: tuple[tuple[InputFile, Piece], ...]


class Work(NamedTuple):
    """What is the same for all shards of a job."""

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
    """Writes the file of a shard, and its record.

    Raises:
        UserError: an input that has changed since the job began, a full disk, an output that does
            not belong to rows.
    """
    for file, _ in shard.pieces:
        scoring_inputs.check_unchanged(file)
    rows = itertools.chain.from_iterable(
        scoring_rows.read(file.path, piece, work.binding, work.keep, work.settings)
        for file, piece in shard.pieces
    )
    bad, once, read, count = list[BadRow](), dict[str, Any](), 0, 0
    path = work.folder / shard_files.name(shard.number, work.shards, work.form)
    with shard_files.writing(path, work.columns) as append:
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
    shard_files.write_record(work.folder, shard.number, path, (read, count), once, bad)


def _answered(
    window: Sequence[Row], work: Work, model: Model, once: dict[str, Any]
) -> tuple[pyarrow.Table, list[_Refused]]:
    """The answers of a window's rows in their order, and the rows that the graph refuses."""
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
    """Answers of parts of a batch; of a single row, perhaps why there is none.

    A graph refuses a request as a whole. Halved again and again, it tells which row it means.
    """
    from apps.served_version import Refusal

    try:
        request = row_batches.inputs([window[at] for at in batch], work.binding)
        yield batch, model.answer(work.binding.signature, request)
    except Refusal as error:
        if len(batch) == 1:
            yield batch, _in_plain_words(str(error))
            return
        half = len(batch) // 2
        yield from _asked(batch[:half], window, work, model)
        yield from _asked(batch[half:], window, work, model)


def _in_plain_words(message: str) -> str:
    """A graph's message without the operation that it comes from, and the signs around its data."""
    message = re.sub(r" *\[\[\{\{node .*", "", message).removeprefix("Graph execution error: ")
    asserted, found, data = message.partition("assertion failed: ")
    if not found:
        return message
    return asserted + re.sub(r"^\[|\]$", "", data.strip()).replace("] [", " ")


def _note_once(once: dict[str, Any], answers: Mapping[str, Any], work: Work) -> None:
    """Keeps the outputs that are the same for all rows."""
    for name in work.outputs.once:
        value = np.asarray(answers[name])
        described = value[0] if name.endswith("_names") and value.ndim > 1 else value
        plain = score_tables.plain(described)
        if once.setdefault(name, plain) != plain:
            raise errors.UserError(
                f"signature {work.outputs.signature}: {name} is no value of rows, and yet changes; "
                "leave it out by --outputs"
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
