"""Measures a trained run on its test part: `python -m apps.sequence_regression.evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.sequence_regression import config as configs
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

TASK = "sequence_regression"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Remaining life is judged against the capped truth, the true one stands beside it. Prints who
    is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    import numpy as np
    import threadpoolctl  # type: ignore[import-untyped]

    from apps.sequence_regression import baselines, data, report, scoring, targets, trained_model
    from apps.suite.evaluation import regression
    from apps.suite.sequence_files import example_files
    from apps.suite.sequences.config import SequenceFormatConfig

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus, config, test = run.trained, run.data, run.config, run.data.test
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
    by_step = config.target.per == "step"
    units = np.repeat(test.units, test.sequences.lengths) if by_step else test.units
    judged = targets.capped(truths, config.target)
    interval = regression.rmse_interval(found.value, judged, units, config.seed)
    metrics = comparison.metrics(
        {name: len(part.sequences) for name, part in corpus.parts.items()},
        corpus.split,
        "sequences",
        "mae" if config.model.answer == "median" else "rmse",
        {
            **scoring.measures(config, found, truths),
            "rmse_interval_low": interval.low,
            "rmse_interval_high": interval.high,
            "units": len(np.unique(units)),
        },
        measured,
        higher_is_better=False,
    )
    card = report.card(run, metrics, report.Measured(found, judged))
    arguments: list[str] = []
    if config.data:  # an example has the columns' usual names
        usual = config.data_format == SequenceFormatConfig()
        file = folder.path / "example.csv"
        arguments = [example_files.write(test.sequences, file) if usual else "FILE"]
    return evaluation.finish(folder, metrics, card, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
