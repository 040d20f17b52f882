"""Measures a trained run on its test part: `python -m apps.recommendation.evaluate`."""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.recommendation import config as configs
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

if typing.TYPE_CHECKING:
    from apps.recommendation import data


TASK = "recommendation"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Every query of the test part is asked of the model and of the baselines alike, and every item
    ranked, with and without the items of the history. Of a network that is joined with transitions
    each part is asked by itself, too. Prints the better method and the next
    command.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    import numpy as np

    from apps.recommendation import (
        answered_queries,
        baselines,
        data,
        joining,
        model,
        ranking,
        report,
        trained_model,
    )

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, dataset, config = run.trained, run.data, run.config
    evaluation.refuse_diverged(folder, trained.scorer(dataset.test.take(np.arange(1))))
    print(f"ranking {len(dataset.item_names):,} items for {len(dataset.test):,} test queries")
    answered = {comparison.MODEL: answered_queries.answer(trained.scorer, dataset, config)}
    print("fitting the baselines", flush=True)
    fitted = {**baselines.fit(dataset, config), **joining.parts(trained)}
    for name, baseline in fitted.items():
        answered[comparison.words(name)] = answered_queries.answer(baseline.scores, dataset, config)
    metrics = answered_queries.metrics(dataset, config, answered)
    chosen = {comparison.words(name): each.chosen for name, each in fitted.items()}
    best = metrics["primary"]["baseline"]["name"]
    scores = {comparison.words(name): each.scores for name, each in fitted.items()}[best]
    measured = report.Measured(
        answered=answered,
        chosen=chosen,
        baseline_validation={
            best: answered_queries.on_validation(scores, dataset, config)[ranking.PRIMARY]
        },
        parameters=model.network_alone(trained.model).count_params(),
    )
    card = report.card(folder, dataset, metrics, measured)
    return evaluation.finish(folder, metrics, card, ["--", *_sample_history(dataset)])


def _sample_history(dataset: data.Dataset) -> list[str]:
    """Returns the last three items of the first test query that knows any."""
    test = dataset.test
    query = int((test.lengths > 0).argmax())
    codes = test.items[test.history_start[query] : test.history_end[query]][-3:]
    return [dataset.item_names[code - 1] for code in codes]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
