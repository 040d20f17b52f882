"""Measures a trained run on its test part: `python -m apps.sequence_regression.evaluate`."""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.sequence_regression import config as configs
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

if typing.TYPE_CHECKING:
    from apps.sequence_regression import data, trained_model

TASK = "sequence_regression"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Remaining life is judged against the capped truth, the true one stands beside it. Prints who
    is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    run = evaluation.opened(run_folder, TASK, configs.Config, _load)
    import numpy as np
    import threadpoolctl  # type: ignore[import-untyped]

    from apps.sequence_regression import baselines, report, scoring
    from apps.suite.evaluation import regression
    from apps.suite.sequence_files import example_files
    from apps.suite.sequences.config import SequenceFormatConfig

    folder, trained, corpus, config = run.folder, run.trained, run.data, run.config
    test = corpus.test
    print(f"answering {len(test.sequences):,} test sequences", flush=True)
    found = scoring.answered(trained, test)
    evaluation.refuse_diverged(folder, found.value, found.lower, found.upper)
    truths = test.targets
    print("fitting the baselines", flush=True)
    # Their matrices are small: more threads than one only wait for each other on a busy machine
    with threadpoolctl.threadpool_limits(limits=1):
        others = baselines.predictions(corpus, config, test)
    measured = {
        name: scoring.measures(config, regression.Answers(each, each, each), truths, False)
        for name, each in others.items()
    }
    units = scoring.case_units(test, config.target.per == "step")
    judged = scoring.judged(config, truths)
    interval = regression.rmse_interval(found.value, judged, units, config.seed)
    metrics = {
        "data": {
            "examples": {name: len(part.sequences) for name, part in corpus.parts.items()},
            "unit": "sequences",
            "split": corpus.split,
        },
        "primary": comparison.primary(
            "mae" if config.model.answer == "median" else "rmse",
            test_scores := scoring.measures(config, found, truths),
            measured,
            higher_is_better=False,
        ),
        "test": {
            **test_scores,
            "rmse_interval_low": interval.low,
            "rmse_interval_high": interval.high,
            "units": len(np.unique(units)),
        },
        "baselines": measured,
    }
    card = report.card(run, metrics, report.Measured(found, judged))
    arguments: list[str] = []
    if config.data:  # an example has the columns' usual names
        usual = config.data_format == SequenceFormatConfig()
        file = folder.path / "example.csv"
        arguments = [example_files.write(test.sequences, file) if usual else "FILE"]
    return evaluation.finish(folder, metrics, card, arguments)


def _load(
    folder: run_folders.RunFolder[configs.Config],
) -> tuple[trained_model.TrainedModel, data.Corpus]:
    from apps.sequence_regression import data, trained_model

    return trained_model.read(folder), data.load(folder.config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
