"""Builds the tab of the demo page that marks words in a text."""

from __future__ import annotations

from html import escape

import gradio

from apps.suite import errors
from apps.suite.demo import elements
from apps.suite.export import asking
from apps.tagging import predict

TITLE = "Tags"
EXPLAINED = "Write a text; the model marks its words: names, slots, parts of speech or punctuation."
LONGEST = 5_000


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            text = gradio.Textbox(
                label="Text", lines=4, max_lines=12, max_length=LONGEST, autofocus=True,
                placeholder="A sentence in words like those that the model has learned",
            )  # fmt: skip
            with gradio.Row():
                mark = gradio.Button("Mark", variant="primary", min_width=70, size="md")
                suggest = gradio.Button("Suggest a text", min_width=150, size="md")
        with gradio.Column(scale=3, min_width=300):
            shown = elements.place()

    show = elements.answered(lambda given: page(marked(model, given)))
    for event in (mark.click, text.submit):
        event(show, text, shown, **elements.ANSWER)
    suggest.click(elements.filled(lambda: example(model)), None, [text, shown], **elements.ANSWER)


def marked(model: asking.ExportedModel, text: str | None) -> predict.Answer:
    """Returns the model's answer to a text.

    Raises:
        UserError: no text, a text that is too long, or what the model refuses.
    """
    given = (text or "").strip()
    if not given:
        raise errors.UserError("There is no text yet: write one, or let one be suggested.")
    if len(given) > LONGEST:
        raise errors.UserError(f"The text has {len(given):,} characters; give {LONGEST:,} at most.")
    return next(predict.answers(model, [given]))


def example(model: asking.ExportedModel) -> str:
    """Returns a text that the export itself was checked with."""
    asked = model.example()
    texts = [each.decode() for each in asked.get("text", [])]
    return next((each for each in texts if each.strip()), "to be or not to be")


def page(answer: predict.Answer) -> str:
    """Shows the text with its spans in bold, and a table of them."""
    pieces, end = [], 0
    for span in answer.spans:
        pieces.append(escape(answer.text[end : span.start]))
        said = escape(span.label)
        pieces.append(f'<b>{escape(span.text)}</b><span class="faint">{said}</span>')
        end = span.end
    written = "".join([*pieces, escape(answer.text[end:])])
    rows = [[span.text, span.label, f"{span.probability:.2f}"] for span in answer.spans]
    sure = f"is the text's label, with probability {answer.label_probability:.2f}"
    return (
        (elements.heading(answer.label, sure) if answer.label else "")
        + f'<div class="written" aria-live="polite">{written}</div>'
        + elements.table(["words", "tag", "probability"], rows, "What is marked")
    )
