"""Writes the words, tables and plots of the report."""

from __future__ import annotations

import functools
import itertools
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from apps.forecasting import baselines, measures, pictures, residuals, scoring, trained_model
from apps.forecasting import config as configs
from apps.suite.evaluation import comparison, plots, report
from apps.suite.panels import panel as panels
from apps.suite.runs import run_folder

_LEADS = 8  # rows of the table by lead time
_MEANING = {
    "mae, rmse": "Mean absolute error of the median; root of the mean square error of the mean.",
    "mase": "Absolute error in mean absolute steps of one season in what came before the test "
    "part: 1 is the seasonal naive on the training part. By series, then the mean; a constant "
    "series has none.",
    "smape": "200 |y - f| / (|y| + |f|), 0 where both are 0; by series, then the mean.",
    "wape": "Sum of the absolute errors in per cent of the sum of the absolute values.",
    "weighted quantile loss": "Twice the pinball loss over all levels, by the sum of the values.",
    "residual autocorrelation": "Of the errors one step ahead, each with the one before it; 0 is "
    "best.",
    "coverage": "Share of the truths inside of the interval that is to hold 50, 80 or 90 of 100.",
}
_LIMITS = (
    "The past repeats itself here: a change that the history does not hold, nobody forecasts.",
    "Intervals cover what they say if the future is like the validation part, on which they were "
    "fitted, up to the end of the second trained horizon; further out they are drawn.",
    "One run with one seed: a small difference may be chance.",
)


class Measured(NamedTuple):
    """Findings of `evaluate` beside its metrics; `naive` is the seasonal naive or last value."""

    panel: panels.Panel
    trained: trained_model.TrainedModel
    test: measures.Test
    found: scoring.Forecasts
    baselines: Mapping[str, np.ndarray]
    naive: np.ndarray
    residuals: residuals.Residuals | None = None


def card(
    folder: run_folder.RunFolder[configs.Config], metrics: Mapping[str, Any], measured: Measured
) -> report.Card:
    """Draws the plots, and returns the model card."""
    panel, layout = measured.panel, measured.trained.layout
    config = folder.config
    test = metrics["test"]
    return report.Card(
        title="Forecasting",
        summary=f"One {config.model.kind} network for all series of {panel.name}. It reads "
        f"{config.model.context_steps:,} steps and says {len(config.forecast.levels)} quantiles of "
        f"the next {config.forecast.horizon_steps}"
        + (f"; the season has {layout.season:,} steps." if layout.season else "; no season."),
        facts={
            "better than naive": f"{test['series_better_than_naive']} of {test['series']} series",
            "windows": f"{test['windows']:,}",
            "parameters": f"{measured.trained.network.count_params():,}",
        },
        data={
            "Licence": panel.licence,
            "Source": panel.source,
            "Series": f"{len(panel.series):,} of {', '.join(panel.target_names)}",
            "Known ahead": ", ".join(panel.known_names) or "the calendar alone",
            "Known afterwards": ", ".join(panel.past_names) or "nothing",
            **({"Notes": " ".join(panel.notes)} if panel.notes else {}),
        },
        results=[
            plots.model_and_baselines(folder.plots, metrics, metrics["primary"]["name"]),
            report.Paragraph(lesson(metrics)),
            *_by_lead(folder, measured),
            *_by_hour(measured),
            *_left(measured.residuals),
            report.Paragraph(
                "What is known afterwards only is never read ahead of the origin. Rolling origins: "
                "every window of the test part counts, none is dropped, and each forecast is made "
                "by the function that predict calls."
            ),
        ],
        learning=[
            plots.learning_curve(folder.plots, folder.history_file, "errors in units of a series"),
            report.Paragraph(
                "The training loss is measured with dropout, the validation loss without. The "
                "weights with the lowest validation loss were kept, and on the same part the "
                "intervals were moved until they covered what they say."
            ),
        ],
        examples=[report.Section("Forecasts", list(_examples(folder, measured)))],
        meaning=_MEANING,
        limits=_LIMITS,
        serving=_serving(folder),
        presets=configs.PRESETS,
    )


def better_series(test: measures.Test, median: np.ndarray, naive: np.ndarray) -> tuple[int, int]:
    """Returns how many series the model forecasts with a smaller mean error, and their number."""
    ours, theirs = (measures.by_series(test, np.abs(test.truth - each)) for each in (median, naive))
    known = np.isfinite(ours)
    return int((ours[known] < theirs[known]).sum()), int(known.sum())


def lesson(metrics: Mapping[str, Any]) -> str:
    """Returns a sentence on the last value and the season before, which a model has to beat."""
    chief, test = metrics["primary"]["name"], metrics["test"]
    said = []
    for name in (baselines.LAST, baselines.SEASONAL):
        if name in metrics["baselines"]:
            value = metrics["baselines"][name][chief]
            gain = 1 - test[chief] / value if value else 0.0
            told = f"{gain:.1%} better than" if gain > 0.02 else "not better than"
            said.append(f"{told} the {name}")
    return (
        f"By {comparison.words(chief)} the model is {' and '.join(said)}; it is better than the "
        f"naive forecast in {test['series_better_than_naive']} of {test['series']} series."
    )


def _by_lead(
    folder: run_folder.RunFolder[configs.Config], measured: Measured
) -> Iterator[report.Block]:
    """Yields errors and coverage by lead time."""
    test, levels = measured.test, folder.config.forecast.levels
    horizon = test.truth.shape[1]
    borders = np.unique(np.linspace(0, horizon, min(_LEADS, horizon) + 1).astype(int))
    median = measured.found.quantiles[..., levels.index(0.5)]
    bars: dict[str, dict[str, float]] = {comparison.MODEL: {}, "naive": {}}
    rows = []
    for start, end in itertools.pairwise(borders):
        part = test._replace(truth=test.truth[:, start:end])
        name = f"{start + 1}" if end == start + 1 else f"{start + 1} to {end}"
        points = measures.points(part, median[:, start:end])
        bands = measures.bands(part, measured.found.quantiles[:, start:end], levels)
        bars[comparison.MODEL][name] = points["mae"]
        bars["naive"][name] = measures.points(part, measured.naive[:, start:end])["mae"]
        covered = [each for each in bands if each.startswith("coverage")]
        values = [points["mae"], points["smape"], bands["weighted_quantile_loss"]]
        cells = [comparison.number(value) for value in values]
        rows.append([name, *cells, *(f"{bands[each]:.1%}" for each in covered)])
    yield plots.grouped_bars(
        folder.plots, "by_lead", "Error by lead time", bars, "steps ahead", "mean absolute error"
    )
    yield report.Table(
        "By lead time, in steps.",
        ["", "MAE", "sMAPE", "weighted quantile loss", *map(comparison.words, covered)],
        rows,
    )


def _by_hour(measured: Measured) -> Iterator[report.Block]:
    """Yields errors by the hour of the forecast step, of data by hours or shorter steps."""
    panel, test = measured.panel, measured.test
    if not panel.dated or panel.step_seconds >= 86_400:
        return
    horizon = test.truth.shape[1]
    times = panels.windows(panel, test.rows, 0, horizon)["times"]
    hours = np.floor(times % 86_400 / 3_600).astype(int)
    levels = measured.trained.config.forecast.levels
    error = np.abs(test.truth - measured.found.quantiles[..., levels.index(0.5)])
    naive = np.abs(test.truth - measured.naive)
    rows = [
        [f"{hour}:00", *(comparison.number(float(np.nanmean(each[hours == hour])))
                         for each in (error, naive))]
        for hour in range(24)
        if (hours == hour).any()
    ]  # fmt: skip
    yield report.Table("Mean absolute error by the hour of the day.", ["", "model", "naive"], rows)


def _left(found: residuals.Residuals | None) -> Iterator[report.Block]:
    """Yields the autocorrelation of the errors one step ahead."""
    if found is None:
        return
    rows = [[f"{lag}", f"{value:+.3f}"] for lag, value in found.autocorrelation.items()]
    yield report.Table(
        "Autocorrelation of the errors one step ahead, by lag in steps; the mean over "
        f"{found.series} series. Errors without a pattern stay within ±{found.by_chance:.3f}.",
        ["", "autocorrelation"],
        rows,
    )
    yield report.Paragraph(
        f"The test of Ljung and Box with {found.lags} lags calls the errors of {found.rejected} of "
        f"{found.series} series patterned, at 5 %: by chance alone it would be one in twenty."
    )


def _examples(
    folder: run_folder.RunFolder[configs.Config], measured: Measured
) -> Iterator[report.Block]:
    """Yields ten forecasts from the best to the worst, by their error in units of the series."""
    test, panel, levels = measured.test, measured.panel, folder.config.forecast.levels
    median = measured.found.quantiles[..., levels.index(0.5)]
    with np.errstate(all="ignore"):
        error = np.nanmean(np.abs(test.truth - median), axis=(1, 2))
        error = error / np.nan_to_num(np.nanmean(test.scales, axis=1), nan=1.0)[test.series]
    order = np.argsort(error)[: np.isfinite(error).sum()]
    chosen = order[np.unique(np.linspace(0, len(order) - 1, 10).astype(int))]
    horizon = test.truth.shape[1]
    history = panels.windows(panel, [test.rows[at] for at in chosen], 3 * horizon, 0)["values"]
    for place, row in enumerate(chosen):
        at, origin = test.rows[row]
        shown = pictures.Shown(
            history[place, :, 0], measured.found.quantiles[row, :, 0], test.truth[row, :, 0],
            panel.target_names[0],
        )  # fmt: skip
        rank = {0: "best", len(chosen) - 1: "worst"}.get(place, f"{place + 1} of {len(chosen)}")
        title = f"{panel.series[at].name} from step {origin:,}: {rank}"
        yield plots.save(
            folder.plots,
            f"forecast_{place}",
            title,
            f"mean absolute error {error[row]:.3g} in units of the series.",
            functools.partial(pictures.draw, shown=shown, levels=levels),
        )


def _serving(folder: run_folder.RunFolder[configs.Config]) -> list[report.Block]:
    run, task = shlex.quote(str(folder.path)), folder.task
    return [
        report.Commands(
            "At the command line:",
            f"python -m apps.{task}.predict --run {run} history.csv --plot forecast.png",
        ),
        report.Commands(
            "As a service, with stock TensorFlow Serving:",
            f"python -m apps.{task}.export --run {run} --to exports\n"
            f"docker run --rm -p 8501:8501 -e MODEL_NAME={task} \\\n"
            f'    -v "$PWD/exports/{task}:/models/{task}" tensorflow/serving\n'
            f"curl -X POST localhost:8501/v1/models/{task}:predict -d @request.json",
        ),
        report.Paragraph(f"All inputs and signatures are described in apps/{task}/README.md."),
    ]
