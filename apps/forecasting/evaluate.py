"""Measures a trained run on the test parts: `python -m apps.forecasting.evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.forecasting import config as configs
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

TASK = "forecasting"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Every origin of the test part is forecast by `asked.forecast`, as `predict` does it, with what
    was known before it; the baselines forecast the same windows.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    import threadpoolctl  # type: ignore[import-untyped]

    from apps.forecasting import baselines, data, report, scoring, serving, trained_model
    from apps.suite.evaluation import residuals
    from apps.suite.export import asking
    from apps.suite.panels import asked, forecast_blocks, measures, naive_forecasts

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, panel, config = run.trained, run.data, run.config
    horizon = config.forecast.horizon_steps
    every = config.forecast.origin_steps or horizon
    test = measures.test_of(panel, horizon, every, trained.layout.season)
    print(f"forecasting {len(test.rows):,} windows of {horizon} steps", flush=True)
    model = asking.of_served(TASK, serving.ServedForecaster(trained))
    found = asked.forecast(model, panel, test.rows, horizon)
    evaluation.refuse_diverged(folder, found.mean, found.quantiles)
    print("forecasting with the baselines", flush=True)
    # More threads than one only wait for each other on a busy machine
    with threadpoolctl.threadpool_limits(limits=1):
        others = baselines.forecasts(panel, trained.layout, config, test.rows)
    levels = config.forecast.levels
    median = found.quantiles[..., levels.index(0.5)]
    measured = {
        **measures.points(test, median, found.mean),
        **measures.bands(test, found.quantiles, levels),
    }
    if config.model.kind == "autoregressive":
        one_step = scoring.open_loop(trained, panel, test.rows)
        points = measures.points(test, one_step)
        measured |= {f"open_loop_{name}": points[name] for name in ("mae", "smape")}
    left = residuals.look(scoring.one_step_errors(model, trained, panel), trained.layout.season)
    if left is not None:
        measured["residual_autocorrelation"] = left.autocorrelation[1]
    of_baselines = {name: measures.points(test, each) for name, each in others.items()}
    naive = others.get(naive_forecasts.SEASONAL, others[naive_forecasts.LAST])
    better, counted = measures.better_series(test, median, naive)
    is_single = len(panel.series) * len(panel.target_names) == 1
    chief = "mae" if is_single or "mase" not in measured else "mase"
    metrics = comparison.metrics(
        {
            "train": sum(one.train_end for one in panel.series),
            "validation": sum(one.validation_end - one.train_end for one in panel.series),
            "test": sum(one.length - one.validation_end for one in panel.series),
        },
        panel.split,
        "steps",
        chief,
        {
            **measured,
            "windows": len(test.rows),
            "series_better_than_naive": better,
            "series": counted,
        },
        of_baselines,
        higher_is_better=False,
    )
    windows = forecast_blocks.Asked(panel, test, found.quantiles, levels, naive)
    findings = report.Measured(trained, windows, left)
    card = report.card(folder, metrics, findings)
    return evaluation.finish(folder, metrics, card, [], note=report.lesson(metrics))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
