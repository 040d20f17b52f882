"""What a trained run is worth on its test part: `python -m apps.recommendation.evaluate`."""

from __future__ import annotations

import dataclasses
import shlex
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.recommendation import config as configs
from apps.suite import errors
from apps.suite.commands import command
from apps.suite.evaluation import comparison
from apps.suite.runs import run_folder as run_folders

if typing.TYPE_CHECKING:
    from apps.recommendation import data


TASK = "recommendation"


@dataclasses.dataclass(frozen=True)
class Options:
    """Measure a trained run on its test part, beside baselines, and write its report."""

    run: Path = Path("runs") / TASK
    """Folder of the run."""


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Every query of the test part is asked of the model and of the baselines alike, and every item
    ranked, with and without those that the history holds. Prints who is better, and what to do
    next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(Path(run_folder), TASK, configs.Config)
    # TensorFlow takes seconds to import: only now, so that refusals are there at once.
    from apps.recommendation import (
        answered_queries,
        baselines,
        data,
        ranking,
        report,
        trained_model,
    )

    trained = trained_model.read(folder)
    config = folder.config
    dataset = data.load(config)
    if dataset.fingerprint != folder.data["fingerprint"]:
        raise errors.UserError(
            f"{dataset.source}: changed since the training of {folder.path}; "
            "restore it, or train again"
        )
    _refuse_diverged(trained, dataset, folder)
    print(f"ranking {len(dataset.item_names):,} items for {len(dataset.test):,} test queries")
    answered = {comparison.MODEL: answered_queries.answer(trained.scorer, dataset, config)}
    print("fitting the baselines", flush=True)
    fitted = baselines.fit(dataset, config)
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
        parameters=trained.model.count_params(),
    )
    report.write(folder, dataset, metrics, measured)
    folder.write_metrics(metrics)
    print(f"\n{comparison.text_table(metrics)}\n\n{comparison.verdict(metrics)}\n")
    print(f"report:  {folder.report_file}")
    names = " ".join(shlex.quote(name) for name in _sample_history(dataset))
    run = shlex.quote(str(folder.path))
    print(f"next:    python -m apps.{TASK}.predict --run {run} -- {names}")
    return metrics


def _refuse_diverged(
    trained: Any, dataset: data.Dataset, folder: run_folders.RunFolder[configs.Config]
) -> None:
    import numpy as np

    if not np.isfinite(trained.scorer(dataset.test.take(np.arange(1)))).all():
        raise errors.UserError(
            f"{folder.model_file}: its scores on the test part are not finite: the training "
            "diverged; train again with a lower training.learning_rate"
        )


def _sample_history(dataset: data.Dataset) -> list[str]:
    """The last three items of the first test query that knows any."""
    test = dataset.test
    query = int((test.lengths > 0).argmax())
    codes = test.items[test.history_start[query] : test.history_end[query]][-3:]
    return [dataset.item_names[code - 1] for code in codes]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(
        TASK, "evaluate", Options, lambda options: evaluate(options.run), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
