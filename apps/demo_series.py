"""The demo page's tab for a model that watches measurements, as `anomaly_detection` exports it."""

from __future__ import annotations

from pathlib import Path

import gradio
import numpy as np

from apps import demo_html, demo_series_plot, demo_watched, errors
from apps.demo_models import ExportedModel
from apps.demo_watched import Watched

EXPLAINED = "Give measurements over time; the model marks the stretches that it finds unusual."
LARGEST_FILE_BYTES = 20 * 1024 * 1024
_DAY_SECONDS = 86_400
_COLUMNS = ("event", "from", "to", "steps", "highest score")


def tab(model: ExportedModel) -> None:
    """Puts the tab's fields into the page that is being built."""
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            file = gradio.File(label="A csv file", file_count="single", height=140)
            text = gradio.Textbox(
                label="or the csv itself", lines=8, max_lines=12,
                placeholder=f"time,{','.join(demo_watched.channels_of(model))}\n…",
            )  # fmt: skip
            with gradio.Row():
                ask = gradio.Button("Look for anomalies", variant="primary", size="md")
                example = gradio.Button("Fill in an example", size="md")
            demo_html.place(demo_html.note(_wanted(model)))
        with gradio.Column(scale=3, min_width=300):
            answer = demo_html.place()

    @demo_html.answered
    def show(given: str | None) -> str:
        watched = demo_watched.watch(model, given)
        return (
            demo_html.heading(summary(watched), spacing(model, watched))
            + demo_series_plot.picture(watched)
            + table(watched)
        )

    ask.click(show, text, answer, **demo_html.ANSWER)
    file.clear(lambda: ("", ""), None, [text, answer], **demo_html.ANSWER)
    given = [
        file.upload(demo_html.filled(read), file, [text, answer], **demo_html.ANSWER),
        example.click(
            demo_html.filled(lambda: demo_watched.example_csv(model)),
            None, [text, answer], **demo_html.ANSWER,
        ),
    ]  # fmt: skip
    for filled in given:
        filled.then(demo_html.if_filled(show), [text, answer], answer, **demo_html.ANSWER)


def read(path: str | None) -> str:
    """The text of a file; UserError where it is too large or no text."""
    if not path:
        return ""
    file = Path(path)
    if file.stat().st_size > LARGEST_FILE_BYTES:
        raise errors.UserError(
            f"{file.name} is larger than {LARGEST_FILE_BYTES // 1024**2} MB; give a part of it."
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.UserError(f"{file.name} is no csv file in UTF-8.") from error
    if "\0" in text:
        raise errors.UserError(f"{file.name} is no csv file: it holds bytes that are no text.")
    if not text.strip():
        raise errors.UserError(f"{file.name} is empty.")
    return text


def _wanted(model: ExportedModel) -> str:
    """What a csv has to hold."""
    seconds = model.settings.get("step_seconds")
    step = f", one row each {_duration(seconds)}" if seconds else ""
    named = ", ".join(demo_watched.channels_of(model))
    return f"Columns: {named}{step}; a column of times if there is one. Empty cells are missing."


def summary(watched: Watched) -> str:
    """How much there is to see, in a line."""
    count, steps = len(watched.events), len(watched.scores)
    what = "1 event" if count == 1 else f"{count:,} events" if count else "nothing unusual"
    return f"{what} in {steps:,} {'step' if steps == 1 else 'steps'}"


def spacing(model: ExportedModel, watched: Watched) -> str:
    """A warning where the rows are further apart, or closer, than those of the training."""
    learned, times = model.settings.get("step_seconds"), watched.given.times
    if not learned or times is None or len(times) < 2:
        return ""
    apart = float(np.median(np.diff(times) / np.timedelta64(1, "s")))
    if abs(apart - learned) <= 0.01 * learned:
        return ""
    return (
        f"The rows are {_duration(apart)} apart; the model has learned from steps of "
        f"{_duration(learned)}, so that its scores mean little here."
    )


def _duration(seconds: float) -> str:
    for unit, length in (("d", _DAY_SECONDS), ("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def table(watched: Watched) -> str:
    """The events with their times, or with the numbers of their steps, from 1."""
    if not watched.events:
        return ""

    times = watched.given.times
    whole_minutes = times is not None and not (times.astype("datetime64[s]").view(int) % 60).any()

    def when(step: int) -> str:
        if times is None:
            return f"step {step + 1:,}"
        return str(times[step].astype(f"datetime64[{'m' if whole_minutes else 's'}]"))

    several = len(watched.channels) > 1
    rows = [
        (
            at,
            when(event.start).replace("T", " "),
            when(event.end - 1).replace("T", " "),
            event.end - event.start,
            f"{event.highest:.2f}",
            *([f"{event.channel} ({event.share:.0%})"] if several else []),
        )
        for at, event in enumerate(watched.events, 1)
    ]
    columns = (*_COLUMNS, "mostly by") if several else _COLUMNS
    return demo_html.table(columns, rows, f"Events; the threshold is {watched.threshold:.2f}")
