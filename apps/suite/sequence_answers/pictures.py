"""Draws what a network reads in sequences: channels and steps that decided, states over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import matplotlib.axes
import numpy as np
import tensorflow as tf

from apps.suite.evaluation import plot_style, plots, report
from apps.suite.sequences import members, ragged, sequence_statistics
from apps.suite.texts import words

_PATH_STEPS = 24  # of the integral
_SHOWN_STEPS = 2_000


def contributions(
    model: keras.Model,
    values: np.ndarray,
    output: Callable[[tf.Tensor], tf.Tensor],
    base: np.ndarray,
) -> np.ndarray:
    """Returns the part of each value in a logit or value, by integrated gradients.

        g_tc = (x_tc - x'_c) ∫ ∂f(x' + a (x - x')) / ∂x_tc da,  a from 0 to 1

    They add up to f(x) - f(x'). Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep
    networks", 2017.

    Args:
        model: of values (batch, steps, channels), NaN where missing.
        values: float32 [steps, channels].
        output: picks f, (batch,), from what the model returns.
        base: x', such as the mean of each channel, [channels].

    Returns:
        float32 [steps, channels], 0 where a value is missing.
    """
    base = np.where(np.isnan(values), np.nan, base).astype(np.float32)
    shares = (np.arange(_PATH_STEPS, dtype=np.float32) + 0.5) / _PATH_STEPS
    path = tf.constant(base + shares[:, None, None] * (values - base))
    with tf.GradientTape() as tape:
        tape.watch(path)
        outputs = tf.reduce_sum(output(model(path, training=False)))
    gradients = tape.gradient(outputs, path).numpy().mean(axis=0)
    return np.nan_to_num((values - base) * gradients)


def decided(
    folder: Path,
    name: str,
    title: str,
    model: keras.Model,
    values: np.ndarray,
    output: Callable[[tf.Tensor], tf.Tensor],
    channel_names: Sequence[str],
    unit: str,
) -> plots.Plot:
    """Draws which steps and channels spoke for an answer, beside the mean of the train part.

    Args:
        folder, name, title: of the picture.
        model, values, output: see `contributions`; the model begins with `sequence_inputs`.
        channel_names: of the rows.
        unit: of the output, such as "of the logit".
    """
    mean = members.of(model)[0].get_layer("sequence_inputs").mean or [0.0] * values.shape[1]
    found = contributions(model, values, output, np.array(mean, np.float32))
    return heat(folder, name, title, found, channel_names, unit=unit)


def inside(
    folder: Path,
    model: keras.Model,
    vocabulary: words.Vocabulary | None,
    sequences: ragged.Sequences,
    at: int,
) -> report.Section:
    """Draws the outputs of the last recurrent layer while it reads a sequence or text.

    Args:
        folder: for the picture `activations`.
        model, vocabulary: of numbers, or of texts.
        sequences: one of which is read, at most its first 2,000 steps.
        at: its number.
    """
    inputs: Any = sequences.at(at)[None, :_SHOWN_STEPS]
    if vocabulary is not None:
        inputs = vocabulary.inputs(tf.constant(sequences.texts[[at]]))
    title = f"Recurrent units over time, {sequences.names[at]}"
    found = activations(model, inputs)
    plot = heat(folder, "activations", title, found, None, y_label="unit", unit="output")
    return report.Section("Inside the network", [plot])


def importance(
    sequences: ragged.Sequences,
    score: Callable[[ragged.Sequences], float],
    draw: np.random.Generator,
    *,
    caption: str,
    header: Sequence[str],
    told: Callable[[float, float], Sequence[str]],
    higher_is_better: bool,
) -> report.Table:
    """Returns a table of scores without what a channel tells, the most important channel first.

    The channel's values of each sequence are those of another one, repeated or cut to its length:
    what they tell is lost, and they stay usual values.

    Args:
        sequences: of numbers, at least two.
        score: of the model's answers to them.
        draw: of the others.
        caption, header: of the table.
        told: writes the usual score and the one without the channel as the cells of a row.
        higher_is_better: the score.
    """
    whole = np.asarray(sequences.values)
    usual = score(sequences)
    others = np.roll(draw.permutation(len(sequences)), 1)
    found = {}
    for at, name in enumerate(sequences.channel_names):
        values = whole.copy()
        for index, other in enumerate(others):
            steps = int(sequences.lengths[index])
            values[sequences.rows(index), at] = np.resize(sequences.at(other)[:, at], steps)
        found[name] = score(dataclasses.replace(sequences, values=values))
    sign = 1 if higher_is_better else -1
    order = sorted(found.items(), key=lambda each: sign * each[1])
    return report.Table(caption, header, [[name, *told(usual, value)] for name, value in order])


def by_length(
    sequences: ragged.Sequences,
    scores: np.ndarray,
    *,
    caption: str,
    score_name: str,
    told: Callable[[float], str],
) -> report.Table:
    """Returns a table of the mean score of sequences, or texts, by their length.

    Args:
        sequences, scores: see `sequence_statistics.by_size`.
        caption: of the table.
        score_name: heads the column of the scores, which `told` writes.
    """
    rows = [
        [size, f"{count:,}", told(score)]
        for size, count, score in sequence_statistics.by_size(sequences, scores)
    ]
    unit = "words" if len(sequences.texts) else "steps"
    return report.Table(caption, [unit, "sequences", score_name], rows)


def activations(model: keras.Model, values: np.ndarray) -> np.ndarray:
    """Returns the outputs of the last recurrent layer, float32 [steps, units].

    Args:
        model: of which a layer is named `recurrent_…`; of several members the first is drawn.
        values: its inputs for one sequence, with a batch of 1.
    """
    model = members.of(model)[0]
    layer = [each for each in model.layers if each.name.startswith("recurrent_")][-1]
    output = layer.output[0] if isinstance(layer.output, list | tuple) else layer.output
    found = keras.Model(model.input, output)(values, training=False).numpy()[0]
    return found if found.ndim == 2 else found[None]


def heat(
    folder: Path,
    name: str,
    title: str,
    values: np.ndarray,
    rows: Sequence[str] | None,
    *,
    x_label: str = "step",
    y_label: str = "",
    unit: str = "",
) -> plots.Plot:
    """Draws numbers over time as colours, 0 in the middle.

    Args:
        folder, name, title: of the picture.
        values: [steps, rows].
        rows: their names, from the top; None numbers them.
        x_label, y_label, unit: of the axes and the colours.
    """
    most = float(np.abs(values).max()) or 1.0

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        image = axes.imshow(
            values.T, aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest"
        )
        axes.grid(visible=False)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if rows is not None and len(rows) <= 24:
            axes.set_yticks(range(len(rows)), rows)
        bar = axes.figure.colorbar(image, ax=axes, pad=0.01)
        bar.set_label(unit, color=theme.ink)
        bar.outline.set_edgecolor(theme.faint)

    step, row = divmod(int(np.abs(values).argmax()), values.shape[1])
    where = rows[row] if rows is not None else f"row {row + 1}"
    told = (
        f"{values.shape[0]} steps of {values.shape[1]} rows; the strongest is {where} at step "
        f"{step + 1} with {values[step, row]:.3g} {unit}."
    )
    return plots.save(folder, name, title, told, draw, 1.6 + 0.16 * min(24, values.shape[1]))


def strips(
    folder: Path,
    name: str,
    title: str,
    labels: Mapping[str, np.ndarray],
    label_names: Sequence[str],
) -> plots.Plot:
    """Draws labels over time as strips of colour, one strip for each entry of `labels`.

    Args:
        folder, name, title: of the picture.
        labels: int [steps] by what they are, such as truth and answer; -1 stays empty.
        label_names: of the labels.
    """
    import matplotlib
    from matplotlib.patches import Patch

    colours = matplotlib.colormaps["tab20" if len(label_names) > 10 else "tab10"]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        for row, each in enumerate(labels.values()):
            shown = np.ma.masked_less(each[None].astype(float), 0)
            axes.imshow(
                shown, aspect="auto", cmap=colours, vmin=0, vmax=colours.N - 1,
                interpolation="nearest", extent=(0, len(each), row + 0.42, row - 0.42),
            )  # fmt: skip
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), list(labels))
        axes.set_xlabel("step")
        axes.grid(visible=False)
        used = sorted({int(at) for each in labels.values() for at in np.unique(each) if at >= 0})
        handles = [Patch(color=colours(at % colours.N), label=label_names[at]) for at in used[:12]]
        assert axes.figure is not None
        axes.figure.legend(  # of the figure: the layout leaves room for all its rows
            handles=handles, loc="outside lower center", ncols=4, frameon=False,
            labelcolor=theme.ink,
        )  # fmt: skip

    first, *others = labels.values()
    same = [f"{100 * float(np.mean(first == each)):.1f} %" for each in others]
    told = f"{len(first):,} steps; " + ", ".join(
        f"{name} agrees in {share}" for name, share in zip(list(labels)[1:], same, strict=True)
    )
    return plots.save(folder, name, title, f"{told}.", draw, 2.3 + 0.4 * len(labels))
