"""A scoring job as an Apache Beam pipeline: shards in, files out, one model in each process.

A shard is scored as a whole where Beam puts it, in requests that follow from its rows alone: its
file is the same bytes on any runner, however often a worker dies over it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apache_beam
from apache_beam.ml.inference import base
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from apps.suite import errors, process
from apps.suite.scoring import shard as shard_files
from apps.suite.scoring.shard import Shard, Work


class ShardHandler(base.ModelHandler[Shard, int, Any]):
    """Scores shards with an exported version, for Beam's RunInference.

    Args:
        model: the version's folder, as every worker sees it.
        work: what is the same for all shards.
    """

    def __init__(self, model: Path, work: Work) -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._model, self._work = model, work

    def load_model(self) -> Any:
        process.quiet_tensorflow()
        return load(self._model)

    def run_inference(
        self, batch: Sequence[Shard], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[int]:
        for shard in batch:
            if shard_files.failure(self._work.folder):
                return  # what one shard can't do, such as write to a full disk, none can
            try:
                shard_files.score(shard, self._work, model)
            except errors.UserError as error:
                shard_files.write_failure(self._work.folder, str(error))
                return
            yield shard.number


@functools.lru_cache(maxsize=1)
def load(model: Path) -> Any:
    """The version, loaded once in a process. Raises UserError where it does not load."""
    import tensorflow as tf

    from apps.suite.serving.models import Refusal, ServedVersion

    tf.get_logger().setLevel("ERROR")  # it calls the loader of servers deprecated
    try:
        return ServedVersion(model)
    except (tf.errors.OpError, OSError, RuntimeError, ValueError, Refusal) as error:
        reason = " ".join(str(error).split())
        raise errors.UserError(f"--model {model}: does not load: {reason}") from error


def options(given: Sequence[str], workers: int) -> PipelineOptions:
    """Beam's own options; UserError for what it does not know.

    Args:
        given: as on a command line of Beam.
        workers: threads of the direct runner. They share the model, and TensorFlow uses all cores
            for each; two processes with a model each took twice the processor time.
    """
    own = ["--default_sdk_harness_log_level=ERROR"]
    if workers > 1:
        own += [f"--direct_num_workers={workers}", "--direct_running_mode=multi_threading"]
    try:
        made = PipelineOptions([*own, *given])
        known = made.get_all_options()
    except SystemExit as error:
        raise errors.UserError(f"{' '.join(given)}: Beam does not take these options") from error
    unknown = [
        word
        for word in given
        if word.startswith("-") and word.lstrip("-").partition("=")[0] not in known
    ]
    if unknown:
        raise errors.UserError(f"{unknown[0]}: is no option of Beam that is installed here")
    return made


def run(model: Path, work: Work, shards: Sequence[Shard], given: PipelineOptions) -> None:
    """Scores the shards, and waits for it.

    Raises:
        UserError: what ended the job in one of its shards.
    """
    # Its direct runner would rather be another program, which it fetches from the network
    runner: Any = given.view_as(StandardOptions).runner
    if runner in (None, "DirectRunner"):
        from apache_beam.portability.api import beam_provision_api_pb2
        from apache_beam.runners.portability.fn_api_runner import fn_runner
        from apache_beam.runners.portability.portable_runner import JobServiceHandle

        # Processes that it starts know of no options but these
        encoded = JobServiceHandle.encode_pipeline_options(given.get_all_options())
        provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        runner = fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))
    with (
        process.without_warnings(),
        apache_beam.Pipeline(runner=runner, options=given) as pipeline,
    ):
        (
            pipeline
            | "Shards" >> apache_beam.Create(shards, reshuffle=True)
            | "Score" >> base.RunInference(ShardHandler(model, work))
        )
    failed = shard_files.failure(work.folder)
    if failed:
        raise errors.UserError(failed)
