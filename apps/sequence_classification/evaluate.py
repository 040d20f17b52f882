"""Measures a trained run on its test part: `python -m apps.sequence_classification.evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.sequence_classification import config as configs
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

TASK = "sequence_classification"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run, and returns the metrics.

    The test part is answered by the model and by the baselines alike, and the beginnings of its
    sequences by the model. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)

    from apps.sequence_classification import baselines, data, report, scoring, trained_model
    from apps.suite.evaluation import classification
    from apps.suite.sequence_files import example_files
    from apps.suite.sequences import labels as numbers
    from apps.suite.sequences import sequence_statistics

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus, config = run.trained, run.data, run.config
    score = scoring.of_trained(trained)
    print(f"answering {len(corpus.test.sequences):,} test sequences", flush=True)
    probabilities = score(corpus.test.sequences)
    evaluation.refuse_diverged(folder, probabilities)
    beginnings = {}
    if not config.per_step:
        steps = sequence_statistics.beginnings(corpus.test.sequences)
        beginnings = scoring.by_first_steps(score, corpus.test, steps)
    print("training the baselines", flush=True)
    of_baselines = {
        comparison.words(name): each for name, each in baselines.evaluate(corpus, config).items()
    }
    metrics = scoring.metrics(corpus, probabilities, of_baselines, config.per_step)
    labels, of_model = scoring.known_steps(corpus.test, probabilities)
    groups = classification.by_group(
        numbers.groups(corpus.test.sequences, corpus.test.labels, by_step=config.per_step),
        labels,
        of_model,
    )
    if groups:
        metrics["test"]["accuracy_of_the_worst_group"] = groups[0].accuracy
    measured = report.Measured(probabilities, groups, beginnings, of_baselines)
    card = report.card(run, metrics, measured)
    example = example_files.write(corpus.test.sequences, folder.path / "example.csv")
    return evaluation.finish(folder, metrics, card, [example])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
