"""Builds the tab of the demo page that translates a text."""

from __future__ import annotations

from html import escape

from apps.suite.demo import asked_text, elements
from apps.suite.evaluation import attention_plots
from apps.suite.export import asking
from apps.translation import predict

TITLE = "Translation"
EXPLAINED = "Write a text; the model translates it, and shows what it looked at for each piece."
LONGEST, ALTERNATIVES = 400, 3


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    asked_text.tab(
        lambda given: page(model, translated(model, given)),
        lambda: asked_text.example(model, "hello"),
        label="Text",
        placeholder="A sentence like those that the model has learned",
        button="Translate",
        lines=3,
        longest=LONGEST,
    )


def translated(model: asking.ExportedModel, text: str | None) -> predict.Answer:
    """Returns the model's answer to a text.

    Raises:
        UserError: no text, a text that is too long, or what the model refuses.
    """
    given = asked_text.checked(text, LONGEST)
    return next(predict.answers(model, [given], nbest=ALTERNATIVES))


def page(model: asking.ExportedModel, answer: predict.Answer) -> str:
    """Shows the best translation, the others, and the attention of the best."""
    if not answer.translation:
        return elements.note("The model writes nothing for this text.")
    rows = [[each.text, f"{each.score:.2f}"] for each in answer.alternatives]
    drawing, height = attention_plots.drawing(*predict.aligned(model, answer))
    told = f"What the pieces of {answer.translation} looked at."
    return (
        f'<div class="written" aria-live="polite">{escape(answer.translation)}</div>'
        + elements.table(["translation", "score"], rows, "The best translations")
        + elements.picture("Attention", told, drawing, height)
    )
