"""Scores the shards of a job as an Apache Beam pipeline, on any runner.

Each shard is scored as a whole, in requests that depend on its rows alone. Its file therefore has
the same bytes on every runner, even if Beam repeats a shard after a worker died.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import io
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from apps.suite import errors, process
from apps.suite.scoring import shard as shard_files
from apps.suite.scoring.options import Options
from apps.suite.scoring.shard import Shard, Work


def run(pipeline: apache_beam.Pipeline, model: Path, work: Work, shards: Sequence[Shard]) -> None:
    """Scores the shards and waits until the runner has finished.

    Args:
        pipeline: an empty one, from `empty`.
        model: version folder of the export, under the same path on every worker.
        work: settings that all shards share.
        shards: the shards to score.

    Raises:
        UserError: the reason that ended the job in one of its shards, or that kept another runner
            than the local ones from running it.
    """
    (
        pipeline
        | "Shards" >> apache_beam.Create(shards, reshuffle=True)
        | "Score" >> apache_beam.ParDo(ScoreShard(model, work))
    )
    try:
        with process.without_warnings():
            pipeline.run().wait_until_finish()
    except (OSError, RuntimeError, ValueError) as error:
        runner = type(pipeline.runner).__name__
        if runner in StandardOptions.LOCAL_RUNNERS or "Traceback" in str(error):
            raise
        raise errors.UserError(f"{runner}: {' '.join(str(error).split())}") from error
    failed = shard_files.failure(work.folder)
    if failed:
        raise errors.UserError(failed)


class ScoreShard(apache_beam.DoFn):
    """Writes the file of each shard, and yields the shard's number.

    Args:
        model: version folder of the export.
        work: settings that all shards share.
    """

    def __init__(self, model: Path, work: Work) -> None:
        self._model, self._work = model, work
        self._loaded: Any = None

    def setup(self) -> None:
        """Loads the export, once in each worker process."""
        process.quiet_tensorflow()
        self._loaded = load(self._model)

    def process(self, shard: Shard) -> Iterator[int]:
        """Scores a shard unless an earlier attempt has done so or the job has failed.

        A failure such as a full disk would recur in every shard, and a runner would repeat each
        one after an exception. It is therefore noted in the job's folder, and ends the job there.
        """
        folder = self._work.folder
        if shard_files.failure(folder):
            return
        if shard_files.read_record(folder, shard.number) is None:
            try:
                shard_files.score(shard, self._work, self._loaded)
            except errors.UserError as error:
                shard_files.write_failure(folder, str(error))
                return
        yield shard.number


def load(model: Path) -> Any:
    """Returns the export's version, loaded once in a process whichever thread asks first.

    Raises UserError if it does not load.
    """
    with _LOADING:
        return _loaded(model)


_LOADING = threading.Lock()


@functools.lru_cache(maxsize=1)
def _loaded(model: Path) -> Any:
    import tensorflow as tf

    from apps.suite.serving.models import Refusal, ServedVersion

    tf.get_logger().setLevel("ERROR")  # TensorFlow warns that the loader of servers is deprecated
    try:
        return ServedVersion(model)
    except (tf.errors.OpError, OSError, RuntimeError, ValueError, Refusal) as error:
        reason = " ".join(str(error).split())
        raise errors.UserError(f"--model {model}: does not load: {reason}") from error


def options(given: Sequence[str], workers: int) -> PipelineOptions:
    """Returns Beam's options; those in `given` override the defaults of bulk scoring.

    Args:
        given: words of the command line.
        workers: threads of the local runner. They share one model, and TensorFlow uses all cores
            for each request; two processes with a model each took twice the processor time.

    Raises:
        UserError: an option that Beam does not know, or a value that it refuses.
    """
    # Beam's own default, DirectRunner, first tries to download another program and start it
    own = ["--runner=FnApiRunner", "--default_sdk_harness_log_level=ERROR"]
    if workers > 1:
        own += [f"--direct_num_workers={workers}", "--direct_running_mode=multi_threading"]
    said = io.StringIO()
    try:
        with process.without_warnings(), contextlib.redirect_stderr(said):
            made = PipelineOptions([*own, *given])
            known = made.get_all_options()
            every = made.get_all_options(retain_unknown_options=True)
    except SystemExit as error:  # of argparse, which has printed its usage and the reason
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise errors.UserError(f"options of Apache Beam: {reason}") from error
    unknown = sorted(set(every) - set(known))
    if unknown:
        names = [field.name for field in dataclasses.fields(Options)]
        near = difflib.get_close_matches(unknown[0], names, n=1)
        hint = f"did you mean --{near[0]}?" if near else "see --help"
        told = "neither this command nor Apache Beam has this option"
        raise errors.UserError(f"--{unknown[0]}: {told}; {hint}")
    return made


def empty(given: PipelineOptions) -> apache_beam.Pipeline:
    """Returns a pipeline without steps.

    Raises UserError for a runner that is unknown or not installed, or lacks an option.
    """
    try:
        with process.without_warnings():
            return apache_beam.Pipeline(options=given)
    except (AttributeError, ImportError, ValueError) as error:
        raise errors.UserError(f"Apache Beam: {' '.join(str(error).split())}") from error
