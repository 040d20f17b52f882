"""Builds the tab of the demo page that forecasts a history and draws the bands."""

from __future__ import annotations

import gradio

from apps.suite import errors
from apps.suite.demo import asked_text, elements
from apps.suite.export import asking
from apps.suite.panels import histories
from apps.suite.report_blocks import forecast_plots
from apps.suite.tables import rows as table_rows

TITLE = "Forecasting"
EXPLAINED = "Give the history of a series; the model says what comes next, and how surely."
MOST_STEPS, MOST_AHEAD = 20_000, 1_000


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    horizon = int(model.settings.get("horizon_steps", 24))
    names = ", ".join(model.settings.get("target_names", ()))

    def ahead() -> list[gradio.Slider]:
        return [
            gradio.Slider(
                1, min(MOST_AHEAD, 4 * horizon), horizon, step=1, label="Steps ahead",
                info=f"Beyond {horizon} the model goes on along paths that it draws",
            )
        ]  # fmt: skip

    asked_text.tab(
        lambda given, steps: shown(model, given, int(steps)),
        lambda: histories.example_csv(model),
        label="the history itself (csv)",
        placeholder=f"time,{names}",
        button="Forecast",
        hint=f"A column each of {names}; a time if you like.",
        files=True,
        further=ahead,
    )


def shown(model: asking.ExportedModel, text: str | None, horizon: int) -> str:
    """Returns the picture of the first target's forecast, and the table of all.

    Raises:
        UserError: a text that cannot be read, or what the model refuses.
    """
    if not 1 <= horizon <= MOST_AHEAD:
        raise errors.UserError(f"The steps ahead have to be a number from 1 to {MOST_AHEAD}.")
    targets = list(model.setting("target_names"))
    given = table_rows.read_text(text or "", targets, MOST_STEPS)
    found = model.ask(**histories.pasted(model, given, horizon))
    levels = [float(level) for level in found["quantile_levels"][0]]
    picture = forecast_plots.Shown(
        given.values[-3 * horizon :, 0], found["quantiles"][0, :, 0], None, targets[0]
    )
    middle = levels.index(0.5)
    rows = [
        [step + 1, *(f"{quantiles[at, end]:.5g}" for at in range(len(targets))
                     for end in (0, middle, -1))]
        for step, quantiles in enumerate(found["quantiles"][0])
    ]  # fmt: skip
    ends = (f"{levels[0]:g}", "median", f"{levels[-1]:g}")
    columns = ["step", *(f"{name} {end}" for name in targets for end in ends)]
    first, last = found["quantiles"][0, 0, 0, middle], found["quantiles"][0, -1, 0, middle]
    alternative = f"the median goes from {first:.4g} to {last:.4g} in {horizon} steps"
    return elements.heading(f"{first:.5g} next", f"{targets[0]}; {alternative}") + (
        elements.picture(
            f"Forecast of {targets[0]}", alternative,
            lambda axes, theme: forecast_plots.draw(axes, theme, picture, levels), 3.6,
        )
        + elements.table(columns, rows, "Quantiles by step")
    )  # fmt: skip
