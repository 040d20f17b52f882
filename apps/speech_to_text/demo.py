"""Builds the tab of the demo page that writes down what is said."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio

from apps.speech_to_text import predict
from apps.suite import errors
from apps.suite.demo import elements
from apps.suite.export import asking

TITLE = "Dictation"
EXPLAINED = "Say a sentence; the model writes it down, and tells how sure it is of each word."


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            sound = gradio.Audio(
                label="Your sentence",
                sources=["microphone", "upload"], type="filepath", editable=False,
                buttons=[],
            )  # fmt: skip
            ask = gradio.Button("Write it down", variant="primary", size="md")
            told = "No microphone? The folder of the run holds a recording, example.wav."
            elements.place(elements.note(told))
        with gradio.Column(scale=3, min_width=300):
            answer = elements.place()

    show = elements.answered(lambda file: page(written(model, file)))
    ask.click(show, sound, answer, **elements.ANSWER)
    for event in (sound.upload, sound.stop_recording):
        event(show, sound, answer, **elements.ANSWER)
    sound.clear(lambda: "", None, answer, **elements.ANSWER)


def written(model: asking.ExportedModel, file: str | None) -> predict.Recording:
    """Returns the model's answer to a recording, with its words.

    Raises:
        UserError: no file, a file that cannot be read or is too long, or a sound that the model
            refuses; names the file without its folder.
    """
    if not file:
        raise errors.UserError("There is no sound yet: record a sentence, or drop a file.")
    from apps.suite.sounds import sound_files

    path = Path(file)
    try:
        samples = sound_files.read(path, int(model.setting("sample_rate_hz")))
    except errors.UserError as error:
        raise errors.UserError(str(error).replace(str(path), path.name)) from error
    return predict.whole(model, path.name, samples, predict.Options((file,), words=True))


def page(answer: predict.Recording) -> str:
    """Shows the text, and a table of its words."""
    if not answer.text:
        return elements.note("The model hears no word in this recording.")
    rows = [
        [each.word, f"{each.start:.2f}", f"{each.end:.2f}", f"{each.confidence:.2f}"]
        for each in answer.words
    ]
    sure = f"is written with confidence {answer.confidence:.2f}"
    header = ["word", "from second", "to second", "confidence"]
    return (
        elements.heading(answer.text, sure)
        + f'<div class="written" aria-live="polite">{escape(answer.text)}</div>'
        + elements.table(header, rows, "Its words")
    )
