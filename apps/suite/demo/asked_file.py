"""Builds a tab of the demo page that answers a recording or a video."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio
import numpy as np

from apps.suite import errors
from apps.suite.demo import elements


class Example(NamedTuple):
    """A button that fills in a file: the path that `make` returns for the values of `inputs`."""

    button: gradio.Button
    make: Callable[..., str]
    inputs: Sequence[gradio.components.Component] | None = None


def tab(
    field: Callable[[], Any],
    show: Callable[..., str],
    *,
    button: str,
    hint: str,
    further: Callable[[], Sequence[gradio.components.Component]] = tuple,
    examples: Callable[[], Sequence[Example]] = tuple,
) -> None:
    """Adds the fields of a tab to the page that is being built.

    Args:
        field: adds the field of the file, see `sound` and `video`, and returns it.
        show: returns the answer to the path of a file, or None, and to the values of the further
            fields, as HTML; its UserError is shown as a note.
        button: the word on the button that asks.
        hint: a line below all fields.
        further: adds more fields above the button, and returns them.
        examples: adds more fields below the button, and returns the ways to fill in a file.
    """
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            file = field()
            asked = [file, *further()]
            ask = gradio.Button(button, variant="primary", size="md")
            ways = examples()
            elements.place(elements.note(hint))
        with gradio.Column(scale=3, min_width=300):
            answer = elements.place()

    answered = elements.answered(show)
    for event in (ask.click, file.upload, file.stop_recording):
        event(answered, asked, answer, **elements.ANSWER)
    file.clear(lambda: "", None, answer, **elements.ANSWER)
    for way in ways:
        made = way.button.click(
            elements.filled(way.make), way.inputs, [file, answer], **elements.ANSWER
        )
        made.then(
            elements.if_filled(answered), [file, answer, *asked[1:]], answer, **elements.ANSWER
        )


def sound(label: str) -> Callable[[], gradio.Audio]:
    """Returns a field of a recording, for `tab`."""
    return functools.partial(
        gradio.Audio,
        label=label, sources=["microphone", "upload"], type="filepath", editable=False, buttons=[],
    )  # fmt: skip


def video() -> gradio.Video:
    """Adds a field of a video, for `tab`."""
    return gradio.Video(
        label="A clip", sources=["upload", "webcam"], include_audio=True, height=300, buttons=[]
    )


def samples(file: str, sample_rate_hz: int) -> np.ndarray:
    """Reads a recording as float32 [samples]: one channel, at a rate.

    Raises UserError as `sound_files.read` does; it names the file without its folder.
    """
    from apps.suite.sounds import sound_files

    path = Path(file)
    try:
        return sound_files.read(path, sample_rate_hz)
    except errors.UserError as error:
        raise errors.UserError(str(error).replace(str(path), path.name)) from error
