"""Runs bulk scoring from the options of the command to the summary on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from apps.suite import errors, process
from apps.suite.scoring.options import Options


def score_many(options: Options, beam_options: Sequence[str] = ()) -> None:
    """Runs a job to its end or resumes it, and prints a summary.

    Args:
        options: of the command.
        beam_options: words of the command line for Apache Beam.

    Raises:
        SystemExit: with status 1 if every row was set aside.
        UserError: before anything is written, for inputs, options or a model that do not fit
            together, or a folder of another job; later, for a failure that ended the job in one
            of its shards.
    """
    from apps.suite.scoring import inputs, job

    kind, paths = inputs.find(options.input, options.to)
    if not (options.model / "saved_model.pb").is_file() or not options.model.name.isdecimal():
        told = "not an exported version; give the numbered folder that export wrote"
        raise errors.UserError(f"--model {options.model}: {told}")
    begun = job.before(options.to)
    try:
        with process.without_warnings():  # Beam warns about packages that it could also use
            from apps.suite.scoring import pipeline
    except ModuleNotFoundError as error:
        told = f"scoring needs {error.name}: pip install '.[beam]'"
        raise errors.UserError(told) from error
    from apps.suite.scoring import plan

    given = pipeline.options(beam_options, options.workers)
    prepared = plan.prepare(options, kind, paths, begun, pipeline.load(options.model))
    summary = job.ended(options.to) if begun else None
    if summary is not None:
        print("this job has ended before:")
    else:
        steps = pipeline.empty(given)
        with job.writing(options.to, prepared) as (shards, waiting):
            if waiting:
                with job.told(options.to, len(shards)):
                    pipeline.run(steps, options.model, prepared.work, waiting)
            summary = job.finish(options.to, shards, prepared.record)
    counts = f"{summary.rows:,} scored, {summary.bad_rows:,} set aside"
    print(f"{summary.input_rows:,} rows in, {counts}")
    print(f"scores: {options.to / f'part-*.{options.format}'} ({summary.shards:,} files)")
    if summary.bad_rows:
        print(f"reasons for the rows set aside: {options.to / job.BAD_ROWS}")
    if not summary.rows:
        print("no row was scored", file=sys.stderr)
        raise SystemExit(1)
