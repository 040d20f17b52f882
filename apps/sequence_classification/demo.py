"""Builds the tab of the demo page that labels a sequence of measurements, or a text."""

from __future__ import annotations

import matplotlib.axes
import numpy as np

from apps.sequence_classification import predict
from apps.suite.demo import asked_sequence, elements
from apps.suite.evaluation import plot_style, segments
from apps.suite.export import asking

TITLE = "Sequences"
EXPLAINED = "Give a sequence of measurements, or a text, and see how the model labels it."
_DRAWN_CHANNELS = 6


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    asked_sequence.tab(
        model,
        lambda asked: page(model, asked),
        button="Label it",
        hint=f"The labels: {', '.join(model.setting('label_names'))}.",
    )


def page(model: asking.ExportedModel, asked: asked_sequence.Asked) -> str:
    """Shows the label, or the segments of the steps, of what was asked."""
    likely, names = asked.answers["probabilities"], model.setting("label_names")
    if likely.ndim == 1:
        said = elements.heading(names[int(likely.argmax())], asked.size)
        said += elements.bars(names, likely.tolist(), "Probability of each label")
        return said + _picture(model, asked.values, []) if len(asked.values) else said
    found = predict.segments_of("", likely, names).segments
    rows = [(*each[:3], f"{each.probability:.2f}") for each in found]
    return (
        elements.heading(f"{len(found):,} segments", asked.size)
        + _picture(model, asked.values, segments.of_labels(likely.argmax(axis=1)))
        + elements.table(("from", "to", "label", "probability"), rows, "Labels by step")
    )


def _picture(model: asking.ExportedModel, values: np.ndarray, parts: list[segments.Segment]) -> str:
    channels = model.setting("channel_names")[:_DRAWN_CHANNELS]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        for at, name in enumerate(channels):
            axes.plot(values[:, at], linewidth=1, label=name)
        for each in parts:
            axes.axvline(each.start, color=theme.other, linestyle="dotted", linewidth=1)
        axes.margins(x=0)
        axes.set_xlabel("step")
        plot_style.legend(axes, theme)

    told = f"{', '.join(channels)} over {len(values):,} steps."
    return elements.picture("The sequence", told, draw, height_inches=3.2)
