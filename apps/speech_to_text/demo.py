"""Builds the tab of the demo page that writes down what is said."""

from __future__ import annotations

from html import escape
from pathlib import Path

from apps.speech_to_text import predict
from apps.suite import errors
from apps.suite.demo import asked_file, elements
from apps.suite.export import asking

TITLE = "Dictation"
EXPLAINED = "Say a sentence; the model writes it down, and tells how sure it is of each word."


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    asked_file.tab(
        asked_file.sound("Your sentence"),
        lambda file: page(written(model, file)),
        button="Write it down",
        hint="No microphone? The folder of the run holds a recording, example.wav.",
    )


def written(model: asking.ExportedModel, file: str | None) -> predict.Recording:
    """Returns the model's answer to a recording, with its words.

    Raises:
        UserError: no file, a file that cannot be read or is too long, or a sound that the model
            refuses; names the file without its folder.
    """
    if not file:
        raise errors.UserError("There is no sound yet: record a sentence, or drop a file.")
    sound = asked_file.samples(file, int(model.setting("sample_rate_hz")))
    return predict.whole(model, Path(file).name, sound, predict.Options((file,), words=True))


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
