"""Builds the tab of the demo page that labels a sequence of measurements, or a text."""

from __future__ import annotations

import matplotlib.axes
import numpy as np

from apps.sequence_classification import predict
from apps.suite import errors
from apps.suite.demo import asked_sequence, elements
from apps.suite.evaluation import plot_style, segments
from apps.suite.export import asking
from apps.suite.sequence_files import example_files
from apps.suite.tables import rows as table_rows

TITLE = "Sequences"
EXPLAINED = "Give a sequence of measurements, or a text, and see how the model labels it."
MOST_STEPS = 20_000  # that the page shows
_DRAWN_CHANNELS = 6


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    channels = model.setting("channel_names")
    asked_sequence.tab(
        model,
        lambda given: of_csv(model, given) if channels else of_text(model, given),
        lambda: example_input(model),
        button="Label it",
        hint=f"The labels: {', '.join(model.setting('label_names'))}.",
    )


def example_input(model: asking.ExportedModel) -> str:
    """Returns an example of the export as a csv, or as a text."""
    found = model.example()
    if "text" in found:
        return str(max((text.decode() for text in found["text"]), key=len))
    return example_files.of_values(found["values"][0], model.setting("channel_names"))


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
        found = predict.segments_of("", likely, names).segments
        rows = [(*each[:3], f"{each.probability:.2f}") for each in found]
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
