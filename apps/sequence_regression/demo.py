"""Builds the tab of the demo page that says the value of a sequence or text."""

from __future__ import annotations

import numpy as np

from apps.sequence_regression import predict
from apps.suite.demo import asked_sequence, elements
from apps.suite.evaluation import regression
from apps.suite.export import asking
from apps.suite.report_blocks import value_plots
from apps.suite.sequence_answers import questions

TITLE = "Sequence regression"
EXPLAINED = "Paste the steps of a sequence, or a text: the model says its value and how sure it is."


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    asked_sequence.tab(model, lambda asked: page(model, asked), button="Say the value")


def page(model: asking.ExportedModel, asked: asked_sequence.Asked) -> str:
    """Shows the value of what was asked, and its course where there is one."""
    names, answers = model.setting("target_names"), asked.answers
    by_step, shown = model.setting("per") == "step", ""
    if not by_step:
        found = [np.reshape(answers[name], (-1, len(names)))[-1] for name in predict.ENDS]
        shown = _heading(model, names, found)
        if not model.setting("remaining"):
            return shown
        answers = questions.stream(model, asked.values, predict.ENDS)
    course = [np.reshape(answers[name], (-1, len(names))) for name in predict.ENDS]
    nothing = np.full(course[0].shape, np.nan)
    drawn = regression.Course("Course", regression.Answers(*course), nothing)
    told = f"Answers with intervals after each of {asked.size}."
    return shown + elements.picture("Course", told, value_plots.drawn(drawn, names), 3.4)


def _heading(model: asking.ExportedModel, names: list[str], found: list[np.ndarray]) -> str:
    share = f"{100 * model.setting('coverage'):g} % of the truths lie in the interval"
    return "".join(
        elements.heading(f"{value:.4g}", f"{name}: {lower:.4g} to {upper:.4g}; {share}")
        for name, value, lower, upper in zip(names, *found, strict=True)
    )
