"""Measures a trained run on its test videos: `python -m apps.video_classification.evaluate`."""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.suite.commands import command, progress
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders
from apps.video_classification import config as configs

if typing.TYPE_CHECKING:
    from apps.video_classification import clips

TASK = "video_classification"
EXAMPLE = "datasets/moving_digits/dummy_data/circle.mp4"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run, and returns the metrics.

    The clips of each test video are answered once, and their probabilities averaged; the baselines
    answer the same clips. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    from apps.suite.evaluation import classification
    from apps.video_classification import baselines, data, report, scoring, trained_model

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus, config = run.trained, run.data, run.config
    test, classes = corpus.test, len(corpus.label_names)
    print(f"answering {len(test.names):,} test videos, {len(test):,} clips", flush=True)
    with progress.working("answering the test videos"):
        of_clips = scoring.Scorer(trained.model)(test, config.evaluation.flip)
    evaluation.refuse_diverged(folder, of_clips)
    labels, probabilities = test.video_labels, scoring.of_videos(of_clips, test)
    with progress.working("answering after each frame"):
        by_frames = scoring.by_frames_seen(trained.model, config, test)
    frames_seen = classification.by_step(labels, by_frames)
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
        example=_example(corpus, folder.path),
    )
    card = report.card(folder, corpus, metrics, measured)
    note = "\n".join(filter(None, [_note(metrics["test"]), _why(metrics, config)]))
    return evaluation.finish(folder, metrics, card, [measured.example], note=note)


def _example(corpus: clips.Corpus, run: Path) -> str:
    """Returns the path of a video to try first, of the run's own labels.

    A test video of the user's own files; of a set without files it is written into the run.
    """
    from apps.suite.videos import video_files
    from apps.video_classification import data

    if corpus.name.partition("/")[0].partition(":")[0] == data.DEFAULT:
        return EXAMPLE
    own = Path(corpus.source)
    file = (own if own.is_dir() else own.parent) / corpus.test.names[0]
    if own.exists() and file.is_file():
        return str(file)
    frames = corpus.test.read(slice(0, 1))[0][: corpus.test.lengths[0]]
    return video_files.write_example(run, frames)


def _why(metrics: dict[str, Any], config: configs.Config) -> str:
    """Tells why a baseline wins, where one does."""
    videos, settings = metrics["data"]["examples"]["train"], config.training
    passes = settings.steps * settings.batch_size / videos
    return comparison.why(
        metrics,
        f"simpler models need fewer videos and steps; this one learned {settings.steps:,} steps of "
        f"{settings.batch_size} clips, {passes:,.2g} passes over {videos:,} training videos",
        "--preset default" if config.preset == "tiny" else "more videos and more training.steps",
    )


def _note(test: dict[str, Any]) -> str:
    return (
        f"With 95 % confidence the accuracy is between {100 * test['accuracy_at_least']:.1f} % and "
        f"{100 * test['accuracy_at_most']:.1f} %; of single clips it is "
        f"{100 * test['clip_accuracy']:.1f} %."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
