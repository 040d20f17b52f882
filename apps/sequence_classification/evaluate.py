"""Measures a trained run on its test part: `python -m apps.sequence_classification.evaluate`."""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.sequence_classification import config as configs
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

if typing.TYPE_CHECKING:
    from apps.sequence_classification import data, trained_model

TASK = "sequence_classification"
_FIRST_STEPS = 8  # lengths at which the beginnings of sequences are answered


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run, and returns the metrics.

    The test part is answered by the model and by the baselines alike, and the beginnings of its
    sequences by the model. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    run = evaluation.opened(run_folder, TASK, configs.Config, _load)
    import numpy as np

    from apps.sequence_classification import baselines, report, scoring
    from apps.suite.evaluation import classification

    folder, trained, corpus, config = run.folder, run.trained, run.data, run.config
    score = scoring.Scorer(trained.model, trained.vocabulary)
    print(f"answering {len(corpus.test.sequences):,} test sequences", flush=True)
    probabilities = score(corpus.test)
    evaluation.refuse_diverged(folder, probabilities)
    beginnings = {}
    if not config.per_step:
        beginnings = scoring.by_first_steps(score, corpus.test, _steps(corpus.test))
    print("training the baselines", flush=True)
    of_baselines = {
        comparison.words(name): each for name, each in baselines.evaluate(corpus, config).items()
    }
    metrics = scoring.metrics(corpus, probabilities, of_baselines, config.per_step)
    labels, of_model = scoring.known_steps(corpus.test, probabilities)
    groups = classification.by_group(
        scoring.groups_of(corpus.test, config.per_step), labels, of_model
    )
    if groups:
        metrics["test"]["accuracy_of_the_worst_group"] = groups[0].accuracy
    right = (probabilities.argmax(axis=1) == corpus.test.labels).astype(float)
    if config.per_step:
        right = np.array(
            [np.mean(part) for part in np.split(right, corpus.test.sequences.starts[1:-1])]
        )
    measured = report.Measured(
        probabilities=probabilities,
        groups=groups,
        by_length=scoring.by_length(corpus.test, right),
        beginnings=beginnings,
        baselines=of_baselines,
    )
    card = report.card(folder, trained, corpus, metrics, measured)
    return evaluation.finish(folder, metrics, card, [_example(folder, corpus)])


def _load(
    folder: run_folders.RunFolder[configs.Config],
) -> tuple[trained_model.TrainedModel, data.Corpus]:
    from apps.sequence_classification import data, trained_model

    return trained_model.read(folder), data.load(folder.config)


def _steps(part: data.Part) -> list[int]:
    """Returns numbers of first steps, from one to all of the longest sequence."""
    import numpy as np

    lengths = [len(text.split()) for text in part.texts] or part.sequences.lengths
    longest = max(1, int(np.max(lengths)))
    return sorted({max(1, round(each)) for each in np.geomspace(1, longest, _FIRST_STEPS)})


def _example(folder: run_folders.RunFolder[configs.Config], corpus: data.Corpus) -> str:
    """Writes two test sequences for the proposed command, and returns the file, or a text."""
    if corpus.is_text:
        return corpus.test.texts[0]
    from apps.suite.runs import files

    sequences = corpus.test.sequences
    lines = [",".join(["sequence", "step", *map(_cell, sequences.channel_names)])]
    for index in range(min(2, len(sequences))):
        name = _cell(sequences.names[index])
        for step, values in enumerate(sequences.at(index)):
            cells = ["" if value != value else f"{value:.6g}" for value in values.tolist()]
            lines.append(",".join([name, str(step), *cells]))
    file = folder.path / "example.csv"
    files.write_atomically(file, "\n".join(lines) + "\n")
    return str(file)


def _cell(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if set(text) & set(',"\n') else text


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
