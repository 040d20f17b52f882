"""Scores many rows with an export: `python -m apps.score_many --model … --input … --to …`.

Rows of csv and parquet files, sound files or videos go through a signature of the export as an
Apache Beam pipeline, and the answers into files of their own. What was killed goes on by the same
command. All that stands behind `--` are Beam's own options, such as another runner.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apps.suite import errors, process
from apps.suite.commands import command, command_line


@dataclass(frozen=True)
class Options:
    """Score tables, sounds or videos with an export; what was killed goes on by the same command.

    What stands behind -- are options of Apache Beam, which runs the job: another runner, say.
    """

    model: Path
    """An export's version folder, such as exports/recommendation/1."""
    input: tuple[str, ...]
    """Files, folders or patterns of one kind: csv, tsv, parquet; wav, flac, ogg; or videos."""
    to: Path
    """Folder of the scores: part-….parquet (or .jsonl), _bad_rows.jsonl, _manifest.json."""
    signature: str = "serving_default"
    """Which signature is asked."""
    inputs: tuple[str, ...] = ()
    """INPUT=COLUMN of a table, or INPUT=COLUMN,COLUMN,…; else the column of the input's name."""
    constant: tuple[str, ...] = ()
    """INPUT=VALUE, the same for all rows."""
    outputs: tuple[str, ...] = ()
    """Outputs that are written; else all of them."""
    keep: tuple[str, ...] = ()
    """Columns of the input that are written beside the scores."""
    separator: str = " "
    """Between the entries of a list in a csv; the default is white space."""
    format: Literal["parquet", "jsonl"] = "parquet"
    """Of the scores."""
    rows_per_shard: int | None = None
    """Rows of an output file; else 10,000 rows of a table, 256 sounds or 16 videos."""
    rows_per_batch: int = 64
    """Rows that are asked together, at most."""
    workers: int = 2
    """Shards that are scored at the same time on this machine."""

    def __post_init__(self) -> None:
        for name in ("rows_per_batch", "workers", "rows_per_shard"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be at least 1, is {value}")
        if not self.input:
            raise ValueError("--input: name files, a folder or a pattern")
        if not self.separator:
            raise ValueError("--separator: give a sign")


def score_many(options: Options, beam_options: Sequence[str] = ()) -> None:
    """Runs a job to its end, and prints how it went.

    Raises:
        SystemExit: with status 1, where every row was set aside.
        UserError: before anything is written, for inputs, options or a model that don't fit
            together, or a folder of another job; later, what ends the job in one of its shards.
    """
    from apps.suite.scoring import inputs, job

    kind, paths = inputs.find(options.input, options.to)
    if not (options.model / "saved_model.pb").is_file() or not options.model.name.isdecimal():
        told = "no exported version; it is the numbered folder that export wrote"
        raise errors.UserError(f"--model {options.model}: {told}")
    begun = job.before(options.to)
    try:
        with process.without_warnings():  # of Beam, about what it could also have
            from apps.suite.scoring import pipeline
    except ModuleNotFoundError as error:
        told = f"scoring needs {error.name}: pip install '.[beam]'"
        raise errors.UserError(told) from error
    from apps.suite.scoring import job, plan

    given = pipeline.options(beam_options, options.workers)
    model = pipeline.load(options.model)
    prepared = plan.prepare(options, kind, paths, begun, model)
    summary = job.ended(options.to) if begun else None
    if summary is not None:
        print("this job has ended before:")
    else:
        with job.writing(options.to, prepared) as (shards, waiting):
            if waiting:
                with job.told(options.to, len(shards)):
                    pipeline.run(options.model, prepared.work, waiting, given)
            summary = job.finish(options.to, shards, prepared.record)
    counts = f"{summary.rows:,} scored, {summary.bad_rows:,} set aside"
    print(f"{summary.input_rows:,} rows in, {counts}")
    print(f"scores: {options.to / f'part-*.{options.format}'} ({summary.shards:,} files)")
    if summary.bad_rows:
        print(f"why rows were set aside: {options.to / job.BAD_ROWS}")
    if not summary.rows:
        print("no row was scored", file=sys.stderr)
        raise SystemExit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""

    def run() -> None:
        given = list(sys.argv[1:] if arguments is None else arguments)
        at = given.index("--") if "--" in given else len(given)
        options = command_line.parse(
            Options,
            given[:at],
            program="python -m apps.score_many",
            description=inspect.cleandoc(Options.__doc__ or ""),
        )
        process.quiet_tensorflow()
        score_many(options, given[at + 1 :])

    return command.exit_status(run, interrupted="the same command goes on where it was")


if __name__ == "__main__":
    status = main()
    if status == 130:  # threads are still scoring: the end of Python under them would be a crash
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
