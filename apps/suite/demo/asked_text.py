"""Builds a tab of the demo page that answers a text: a csv, also of a file, or a person's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import gradio

from apps.suite import errors
from apps.suite.data import text_examples
from apps.suite.demo import elements
from apps.suite.export import asking
from apps.suite.tables import reader

LARGEST_FILE_BYTES = 20 * 1024 * 1024


def tab(
    show: Callable[..., str],
    example: Callable[[], str],
    *,
    label: str,
    placeholder: str,
    button: str,
    hint: str = "",
    files: bool = False,
    lines: int = 8,
    longest: int | None = None,
    further: Callable[[], Sequence[gradio.components.Component]] = tuple,
) -> None:
    """Adds the fields of a tab to the page that is being built.

    Args:
        show: returns the answer to a text, and to the values of the further fields, as HTML; its
            UserError is shown as a note.
        example: returns a text to begin with.
        label, placeholder: of the field of text.
        button: the word on the button that asks.
        hint: a line below the buttons.
        files: adds a field for a csv file, whose content is filled in and answered.
        lines: that the field of text shows.
        longest: characters of a text at most.
        further: adds more fields below that of text, and returns them.
    """
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            file = gradio.File(label="A csv file", height=140) if files else None
            text = gradio.Textbox(
                label=f"or {label}" if files else label,
                placeholder=placeholder,
                lines=lines,
                max_lines=14,
                max_length=longest,
            )
            asked = [text, *further()]
            with gradio.Row():
                ask = gradio.Button(button, variant="primary", size="md")
                fill = gradio.Button("Fill in an example", size="md")
            if hint:
                elements.place(elements.note(hint))
        with gradio.Column(scale=3, min_width=300):
            answer = elements.place()

    answered = elements.answered(lambda given, *more: show(given or "", *more))
    for event in (ask.click, text.submit):
        event(answered, asked, answer, **elements.ANSWER)
    filled = [fill.click(elements.filled(example), None, [text, answer], **elements.ANSWER)]
    if file is not None:
        file.clear(lambda: ("", ""), None, [text, answer], **elements.ANSWER)
        filled.append(file.upload(elements.filled(read), file, [text, answer], **elements.ANSWER))
    for each in filled:
        each.then(
            elements.if_filled(answered), [text, answer, *asked[1:]], answer, **elements.ANSWER
        )


def read(path: str | None) -> str:
    """Reads the text of a file; UserError where it is too large or not text."""
    if not path:
        return ""
    file = Path(path)
    if file.stat().st_size > LARGEST_FILE_BYTES:
        raise errors.UserError(
            f"{file.name} is larger than {LARGEST_FILE_BYTES // 1024**2} MB; give a part of it."
        )
    return reader.as_text(file)


def checked(text: str | None, longest: int) -> str:
    """Returns a text without space around it; UserError for none, and for a longer one."""
    given = (text or "").strip()
    if not given:
        raise errors.UserError("There is no text yet: write one, or let one be suggested.")
    if len(given) > longest:
        raise errors.UserError(f"The text has {len(given):,} characters; give {longest:,} at most.")
    return given


def example(model: asking.ExportedModel, otherwise: str) -> str:
    """Returns the test text of the export, one it was checked with, or `otherwise`."""
    if kept := model.settings.get(text_examples.SETTING, ""):
        return str(kept)
    texts = [each.decode() for each in model.example().get("text", [])]
    return next((each for each in texts if each.strip()), otherwise)
