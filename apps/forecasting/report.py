"""Writes the words, tables and plots of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from apps.forecasting import config as configs
from apps.forecasting import trained_model
from apps.suite.evaluation import comparison, plots, report, residuals
from apps.suite.panels import forecast_blocks, naive_forecasts
from apps.suite.runs import run_folder

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
    """Findings of `evaluate` beside its metrics."""

    trained: trained_model.TrainedModel
    asked: forecast_blocks.Asked
    residuals: residuals.Residuals | None = None


def card(
    folder: run_folder.RunFolder[configs.Config], metrics: Mapping[str, Any], measured: Measured
) -> report.Card:
    """Draws the plots, and returns the model card."""
    panel, layout = measured.asked.panel, measured.trained.layout
    config = folder.config
    test, members = metrics["test"], config.training.members
    many = f"The mean of {members} {config.model.kind} networks with other seeds,"
    return report.Card(
        title="Forecasting",
        summary=f"{f'One {config.model.kind} network' if members == 1 else many} for all series of "
        f"{panel.name}. It reads "
        f"{config.model.context_steps:,} steps and says {len(config.forecast.levels)} quantiles of "
        f"the next {config.forecast.horizon_steps}"
        + (f"; the season has {layout.season:,} steps." if layout.season else "; no season."),
        facts={
            "better than naive": f"{test['series_better_than_naive']} of {test['series']} series",
            "windows": f"{test['windows']:,}",
            "parameters": f"{measured.trained.network.count_params():,}",
            **({"members": f"{members}"} if members > 1 else {}),
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
            *forecast_blocks.by_lead(folder.plots, measured.asked),
            *forecast_blocks.by_hour(measured.asked),
            *forecast_blocks.left(measured.residuals),
            report.Paragraph(
                "What is known afterwards only is never read ahead of the origin. Rolling origins: "
                "every window of the test part counts, none is dropped, and each forecast is made "
                "by the function that predict calls."
            ),
        ],
        learning=report.learned(
            folder,
            "errors in units of a series",
            "The training loss is measured with dropout, the validation loss without. The "
            "weights with the lowest validation loss were kept, and on the same part the "
            "intervals were moved until they covered what they say."
            + (" The curves are means over the members." if members > 1 else ""),
        ),
        examples=[
            report.Section(
                "Forecasts", list(forecast_blocks.examples(folder.plots, measured.asked))
            )
        ],
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.ways_to_ask(folder, "history.csv --plot forecast.png", "@request.json"),
        presets=configs.PRESETS,
    )


def lesson(metrics: Mapping[str, Any]) -> str:
    """Returns a sentence on the last value and the season before, which a model has to beat."""
    chief, test = metrics["primary"]["name"], metrics["test"]
    said = []
    for name in (naive_forecasts.LAST, naive_forecasts.SEASONAL):
        if name in metrics["baselines"]:
            value = metrics["baselines"][name][chief]
            gain = 1 - test[chief] / value if value else 0.0
            told = f"{gain:.1%} better than" if gain > 0.02 else "not better than"
            said.append(f"{told} the {name}")
    return (
        f"By {comparison.words(chief)} the model is {' and '.join(said)}; it is better than the "
        f"naive forecast in {test['series_better_than_naive']} of {test['series']} series."
    )
