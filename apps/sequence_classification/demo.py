"""Builds the tab of the demo page that labels a sequence of measurements, or a text."""

from __future__ import annotations

from pathlib import Path

import gradio
import matplotlib.axes
import numpy as np

from apps.suite import errors
from apps.suite.demo import elements
from apps.suite.evaluation import plot_style, segments
from apps.suite.export import asking
from apps.suite.tables import reader
from apps.suite.tables import rows as table_rows

TITLE = "Sequences"
EXPLAINED = "Give a sequence of measurements, or a text, and see how the model labels it."
MOST_STEPS = 20_000  # that the page shows
LARGEST_FILE_BYTES = 5 * 1024 * 1024
_DRAWN_CHANNELS = 6


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    channels = model.setting("channel_names")
    is_text = not channels
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            file = None if is_text else gradio.File(label="A csv file", height=140)
            text = gradio.Textbox(
                label="A text" if is_text else "or the csv itself", lines=8, max_lines=12,
                placeholder="some words" if is_text else f"{','.join(channels[:6])}\n…",
            )  # fmt: skip
            with gradio.Row():
                ask = gradio.Button("Label it", variant="primary", size="md")
                example = gradio.Button("Fill in an example", size="md")
            elements.place(elements.note(_wanted(model)))
        with gradio.Column(scale=3, min_width=300):
            answer = elements.place()

    @elements.answered
    def show(given: str | None) -> str:
        return of_text(model, given) if is_text else of_csv(model, given)

    ask.click(show, text, answer, **elements.ANSWER)
    filled = [
        example.click(
            elements.filled(lambda: example_input(model)), None, [text, answer], **elements.ANSWER
        )
    ]
    if file is not None:
        file.clear(lambda: ("", ""), None, [text, answer], **elements.ANSWER)
        filled.append(file.upload(elements.filled(read), file, [text, answer], **elements.ANSWER))
    for each in filled:
        each.then(elements.if_filled(show), [text, answer], answer, **elements.ANSWER)


def read(path: str | None) -> str:
    """Reads the text of a file; UserError where it is too large or not text."""
    if not path:
        return ""
    file = Path(path)
    if file.stat().st_size > LARGEST_FILE_BYTES:
        raise errors.UserError(
            f"{file.name} is larger than {LARGEST_FILE_BYTES // 1024**2} MB; give one sequence."
        )
    return reader.as_text(file)


def example_input(model: asking.ExportedModel) -> str:
    """Returns an example of the export as a csv, or as a text."""
    found = model.example()
    if "text" in found:
        return str(max((text.decode() for text in found["text"]), key=len))
    values = found["values"][0]
    rows = [",".join("" if np.isnan(each) else f"{each:.5g}" for each in row) for row in values]
    return "\n".join([",".join(model.setting("channel_names")), *rows]) + "\n"


def of_text(model: asking.ExportedModel, text: str | None) -> str:
    """Returns the answer to a text; UserError where there is none."""
    if not (text or "").strip():
        raise errors.UserError("There is no text yet: type some words.")
    likely = model.ask(text=[text])["probabilities"][0]
    return _labels(model, likely, f"{len(str(text).split()):,} words")


def of_csv(model: asking.ExportedModel, text: str | None) -> str:
    """Returns the answer to the one sequence in a csv text; UserError as `table_rows.read_text`."""
    values = table_rows.read_text(text or "", model.setting("channel_names"), MOST_STEPS).values
    likely = model.ask(values=values[None])["probabilities"][0]
    names, steps = model.setting("label_names"), f"{len(values):,} steps"
    if likely.ndim == 2:
        found = segments.of_labels(likely.argmax(axis=1))
        rows = [
            (each.start + 1, each.end, names[each.label],
             f"{likely[each.start : each.end, each.label].mean():.2f}")
            for each in found
        ]  # fmt: skip
        said = elements.heading(f"{len(found):,} segments", steps)
        table = elements.table(("from", "to", "label", "probability"), rows, "Labels by step")
        return said + _picture(model, values, likely) + table
    return _labels(model, likely, steps) + _picture(model, values, None)


def _labels(model: asking.ExportedModel, likely: np.ndarray, below: str) -> str:
    names = model.setting("label_names")
    return elements.heading(names[int(likely.argmax())], below) + elements.bars(
        names, likely.tolist(), "Probability of each label"
    )


def _picture(model: asking.ExportedModel, values: np.ndarray, likely: np.ndarray | None) -> str:
    channels = model.setting("channel_names")[:_DRAWN_CHANNELS]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        for at, name in enumerate(channels):
            axes.plot(values[:, at], linewidth=1, label=name)
        for each in segments.of_labels(likely.argmax(axis=1)) if likely is not None else ():
            axes.axvline(each.start, color=theme.other, linestyle="dotted", linewidth=1)
        axes.margins(x=0)
        axes.set_xlabel("step")
        plot_style.legend(axes, theme)

    told = f"{', '.join(channels)} over {len(values):,} steps."
    return elements.picture("The sequence", told, draw, height_inches=3.2)


def _wanted(model: asking.ExportedModel) -> str:
    channels = model.setting("channel_names")
    labels = ", ".join(model.setting("label_names"))
    if not channels:
        return f"The labels: {labels}."
    return f"One row a step; columns: {', '.join(channels)}. Empty cells are missing. {labels}."
