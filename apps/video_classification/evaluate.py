"""What a trained run is worth on its test part: `python -m apps.video_classification.evaluate`."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.suite import errors
from apps.suite.commands import command
from apps.suite.evaluation import comparison
from apps.suite.runs import run_folder as run_folders
from apps.video_classification import config as configs

TASK = "video_classification"
EXAMPLE = "datasets/moving_digits/dummy_data/circle.mp4"


@dataclasses.dataclass(frozen=True)
class Options:
    """Measure a trained run on its test videos, and write its report."""

    run: Path = Path("runs") / TASK
    """Folder of the run."""


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run, and returns the metrics.

    The clips of each test video are answered once, and their probabilities averaged; the baselines
    answer the same clips. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(Path(run_folder), TASK, configs.Config)
    # TensorFlow takes seconds to import: only now, so that refusals are there at once.
    import numpy as np

    from apps.suite.evaluation import classification
    from apps.video_classification import baselines, data, report, scoring, trained_model

    trained = trained_model.read(folder)
    corpus, config = data.load(folder.config), folder.config
    if corpus.fingerprint != folder.data["fingerprint"]:
        raise errors.UserError(
            f"{corpus.source}: changed since the training of {folder.path}; "
            "restore it, or train again"
        )
    test, classes = corpus.test, len(corpus.label_names)
    print(f"answering {len(test.names):,} test videos, {len(test):,} clips", flush=True)
    of_clips = scoring.Scorer(trained.model)(test, config.evaluation.flip)
    if not np.isfinite(of_clips).all():
        raise errors.UserError(
            f"{folder.model_file}: its answers to the test part are not finite: the training "
            "diverged; train again with a lower training.learning_rate"
        )
    labels, probabilities = test.video_labels, scoring.of_videos(of_clips, test)
    frames_seen = classification.by_step(
        labels, scoring.by_frames_seen(trained.model, config, test)
    )
    print("training the baselines", flush=True)
    of_baselines = baselines.evaluate(corpus.train, corpus.validation, test, classes, config)
    groups = classification.by_group(test.groups, labels, probabilities)
    metrics = scoring.metrics(
        corpus.split,
        corpus.counts,
        labels,
        probabilities,
        classification.scores(test.labels, of_clips)["accuracy"],
        {comparison.words(name): each for name, each in of_baselines.items()},
        groups,
        frames_seen,
    )
    measured = report.Measured(
        probabilities=probabilities,
        groups=groups,
        frames_seen=frames_seen,
        parameters=trained.model.count_params(),
    )
    report.write(folder, corpus, metrics, measured)
    folder.write_metrics(metrics)
    _tell(folder, corpus.source, metrics)
    return metrics


def _tell(folder: run_folders.RunFolder[configs.Config], source: str, metrics: Any) -> None:
    print(f"\n{comparison.text_table(metrics)}\n\n{comparison.verdict(metrics)}")
    test = metrics["test"]
    print(
        f"With 95 % confidence the accuracy is between {100 * test['accuracy_at_least']:.1f} % and "
        f"{100 * test['accuracy_at_most']:.1f} %; of single clips it is "
        f"{100 * test['clip_accuracy']:.1f} %."
    )
    print(f"\nreport:  {folder.report_file}")
    run = shlex.quote(str(folder.path))
    example = shlex.quote(source) if Path(source).is_dir() else EXAMPLE
    print(f"next:    python -m apps.{TASK}.predict --run {run} {example}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(
        TASK, "evaluate", Options, lambda options: evaluate(options.run), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
