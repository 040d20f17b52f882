"""Builds the tab of the demo page that marks words in a text."""

from __future__ import annotations

from html import escape

from apps.suite.demo import asked_text, elements
from apps.suite.export import asking
from apps.suite.texts import word_spans
from apps.tagging import predict

TITLE = "Tags"
EXPLAINED = "Write a text; the model marks its words: names, slots, parts of speech or punctuation."
LONGEST = 5_000


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    asked_text.tab(
        lambda given: page(marked(model, given)),
        lambda: example(model),
        label="Text",
        placeholder="A sentence in words like those that the model has learned",
        button="Mark",
    )


def marked(model: asking.ExportedModel, text: str | None) -> predict.Answer:
    """Returns the model's answer to a text.

    Raises:
        UserError: no text, a text that is too long, or what the model refuses.
    """
    given = asked_text.checked(text, LONGEST)
    return next(predict.answers(model, [given]))


def example(model: asking.ExportedModel) -> str:
    """Returns a text that the export itself was checked with."""
    return asked_text.example(model, "to be or not to be")


def page(answer: predict.Answer) -> str:
    """Shows the text with its spans in bold, and a table of them."""
    spans = [(span.start, span.end, span.label) for span in answer.spans]
    written = word_spans.marked(
        answer.text, spans, '<b>{}</b><span class="faint">{}</span>'.format, escape
    )
    rows = [[span.text, span.label, f"{span.probability:.2f}"] for span in answer.spans]
    said = f"is the text's label, with probability {answer.label_probability:.2f}"
    return (
        (elements.heading(answer.label, said) if answer.label else "")
        + f'<div class="written" aria-live="polite">{written}</div>'
        + (
            elements.table(["words", "tag", "probability"], rows, "What is marked")
            if rows
            else elements.note("The model marks nothing in this text.")
        )
    )
