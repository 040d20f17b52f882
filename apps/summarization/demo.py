"""Builds the tab of the demo page that sums up a text and shows what is copied."""

from __future__ import annotations

import gradio

from apps.suite.demo import asked_text, elements
from apps.suite.export import asking
from apps.summarization import predict

TITLE = "Summaries"
EXPLAINED = "Give a text; the model sums it up, and shows which words it took from there."
LONGEST = 20_000


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""

    def words() -> list[gradio.Slider]:
        most = model.setting("max_words")
        return [gradio.Slider(1, 100, value=most, step=1, label="Words at most")]

    asked_text.tab(
        lambda given, most: page(summed_up(model, given, most)),
        lambda: asked_text.example(model, "Returns the sum of all numbers."),
        label="Text",
        placeholder="A text like those that the model has learned from",
        button="Sum up",
        longest=LONGEST,
        further=words,
    )


def summed_up(model: asking.ExportedModel, text: str | None, words: float) -> predict.Answer:
    """Returns the model's answer to a text.

    Raises:
        UserError: no text, a text that is too long, or what the model refuses.
    """
    given = asked_text.checked(text, LONGEST)
    return next(predict.answers(model, [given], max_words=int(words), explained=True))


def page(answer: predict.Answer) -> str:
    """Shows the summary, the text with its copied words marked, and a table of the pieces."""
    rows = [[piece.text, f"{piece.copied:.2f}"] for piece in answer.pieces]
    return (
        elements.heading(answer.summary or "(nothing)", f"score {answer.score:.2f}")
        + f'<div class="written" aria-live="polite">{predict.marked(answer)}</div>'
        + elements.table(["piece", "copied"], rows, "Where the pieces come from")
    )
