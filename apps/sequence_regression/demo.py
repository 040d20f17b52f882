"""Builds the tab of the demo page that says the value of a sequence or text."""

from __future__ import annotations

import numpy as np

from apps.sequence_regression import predict
from apps.suite import errors
from apps.suite.demo import asked_sequence, asked_text, elements
from apps.suite.evaluation import regression
from apps.suite.export import asking
from apps.suite.report_blocks import value_plots
from apps.suite.sequence_answers import questions
from apps.suite.sequence_files import example_files
from apps.suite.tables import rows as table_rows

TITLE = "Sequence regression"
EXPLAINED = "Paste the steps of a sequence, or a text: the model says its value and how sure it is."
MOST_STEPS = 50_000
_EXAMPLE_STEPS = 100


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    asked_sequence.tab(
        model,
        lambda text: page(model, text),
        lambda: example(model),
        button="Say the value",
    )


def example(model: asking.ExportedModel) -> str:
    """Returns a made-up sequence around what the export's own request holds, or its text."""
    channels = model.setting("channel_names")
    if not channels:
        return asked_text.example(model, "some words")
    values = np.reshape(model.example()["values"], (-1, len(channels)))
    mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    draw = np.random.default_rng(0)
    phase = np.arange(_EXAMPLE_STEPS)[:, None] / 40 + draw.uniform(size=len(channels))
    wave = mean + deviation * (np.sin(2 * np.pi * phase) + draw.normal(0, 0.1, phase.shape))
    return example_files.of_values(wave, channels)


def page(model: asking.ExportedModel, text: str) -> str:
    """Returns the answer to a text or to a csv as HTML.

    Raises:
        UserError: nothing given, columns that are missing, or what the model refuses.
    """
    names, channels = model.setting("target_names"), model.setting("channel_names")
    if not text.strip():
        raise errors.UserError("Give a sequence as csv." if channels else "Give a text.")
    if not channels:
        asked = model.ask(text=[text])
        return "".join(_heading(model, names, [np.ravel(asked[name]) for name in predict.ENDS]))
    values = table_rows.read_text(text, channels, MOST_STEPS).values
    by_step = model.setting("per") == "step"
    asked = model.ask(values=values[None])
    found = [np.reshape(asked[name][0], (-1, len(names))) for name in predict.ENDS]
    shown = "" if by_step else _heading(model, names, [each[-1] for each in found])
    if not by_step and not model.setting("remaining"):
        return shown
    if not by_step:
        after_steps = questions.stream(model, values, predict.ENDS)
        found = [np.reshape(each, (-1, len(names))) for each in after_steps.values()]
    answers = regression.Answers(*found)
    course = regression.Course("Course", answers, np.full(answers.value.shape, np.nan))
    told = f"Answers with intervals after each of {len(values)} steps."
    return shown + elements.picture("Course", told, value_plots.drawn(course, names), 3.4)


def _heading(model: asking.ExportedModel, names: list[str], found: list[np.ndarray]) -> str:
    share = f"{100 * model.setting('coverage'):g} % of the truths lie in the interval"
    return "".join(
        elements.heading(f"{value:.4g}", f"{name}: {lower:.4g} to {upper:.4g}; {share}")
        for name, value, lower, upper in zip(names, *found, strict=True)
    )
