"""Writes the words, tables and pictures of the sequence classification report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.axes
import numpy as np
import tensorflow as tf

from apps.sequence_classification import config as configs
from apps.sequence_classification import data, scoring, trained_model
from apps.suite.evaluation import classification, matrix_plots, plot_style, plots, report
from apps.suite.runs import run_folder
from apps.suite.sequences import pictures, ragged

_SHOWN_GROUPS, _FAILURES, _SUCCESSES = 10, 4, 2
_MEANING = {
    "accuracy": "Share of the test examples (sequences, texts, or steps) whose most probable label "
    "is the right one.",
    "macro f1": "For each label the harmonic mean of precision and recall, then the mean over the "
    "labels: a rare label counts as much as a frequent one.",
    "balanced accuracy": "For each label the share of its examples that is found, then the mean.",
    "cross entropy": "Minus the natural logarithm of the probability of the right label (the log "
    "loss), the mean over the test examples: it also says how honest the probabilities are.",
    "calibration error": "Mean distance between how sure the model is and how often it is right, "
    "in ten bins.",
    "f1 at …": "Segments found, when a predicted one must overlap a true one of its label by this "
    "share in percent: an answer that flickers loses here.",
    "edit score": "Likeness of the order of the segments, whatever their lengths.",
    "most frequent": "The shares of the labels in the training part, whatever is asked.",
    "logistic regression": "A linear model: on statistics of each channel, or on TF-IDF of words "
    "and letters.",
    "random convolutions": "Ridge regression on the outputs of 1,000 random kernels.",
    "gradient boosting": "Trees on statistics of each channel, or of windows around a step.",
}


class Measured(NamedTuple):
    """Results of `evaluate` apart from its metrics."""

    probabilities: np.ndarray
    groups: Sequence[classification.GroupScore]
    by_length: Sequence[tuple[str, int, float]]
    beginnings: Mapping[int, float]  # accuracy by the number of first steps seen
    baselines: Mapping[str, np.ndarray]


def card(
    folder: run_folder.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    corpus: data.Corpus,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    what = "each step of a sequence" if folder.config.per_step else "a sequence"
    what = "a text" if corpus.is_text else what
    low, high = _interval(corpus, metrics["test"]["accuracy"], folder.config.per_step)
    return report.Card(
        title="Sequence classification",
        summary=f"Gives {what} one of {len(corpus.label_names)} labels. It learned from "
        f"{corpus.name}.",
        facts={
            "parameters": f"{trained.model.count_params():,}",
            "95 % interval": f"{100 * low:.1f} % to {100 * high:.1f} %",
        },
        data={
            "Licence": corpus.licence,
            "Source": corpus.source,
            "Labels": ", ".join(corpus.label_names),
            "Channels": ", ".join(trained.channel_names) or "words and letters",
        },
        results=_results(folder, corpus, metrics, measured),
        learning=[
            plots.learning_curve(folder.plots, folder.history_file, "nats an example"),
            report.Paragraph(
                "The training loss is measured with dropout, on altered sequences where the config "
                "says so; the validation loss with the weights that a stop here would keep."
            ),
        ],
        examples=_examples(folder, trained, corpus, measured),
        meaning=_MEANING,
        limits=_limits(corpus, folder.config.per_step),
        serving=_serving(folder, corpus),
        presets=configs.PRESETS,
    )


def _interval(corpus: data.Corpus, accuracy: float, by_step: bool) -> tuple[float, float]:
    # Steps of one sequence are alike: what counts as a trial is the sequence
    count = len(corpus.test.sequences) if by_step else len(corpus.test.labels)
    return classification.interval(accuracy, count)


def _results(
    folder: run_folder.RunFolder[configs.Config],
    corpus: data.Corpus,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> list[report.Block]:
    labels, probabilities = scoring.known_steps(corpus.test, measured.probabilities)
    low, high = _interval(corpus, metrics["test"]["accuracy"], folder.config.per_step)
    best = metrics["primary"]["baseline"]["name"]
    of_best = scoring.known_steps(corpus.test, measured.baselines[best])[1]
    only_model, only_baseline = classification.disagreements(labels, probabilities, of_best)
    blocks: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, "accuracy"),
        report.Paragraph(
            f"{len(corpus.test.sequences):,} test sequences were answered once. The 95 % "
            f"confidence interval of the accuracy goes from {100 * low:.1f} % to "
            f"{100 * high:.1f} % (Wilson, each sequence a trial). The model alone is right in "
            f"{only_model:,} examples, the baseline {best} alone in {only_baseline:,}."
        ),
        matrix_plots.confusion(
            folder.plots, classification.confusion(labels, probabilities), corpus.label_names
        ),
        _reliability(folder, labels, probabilities),
    ]
    if len(measured.beginnings) > 1:
        blocks.append(_beginnings(folder, measured.beginnings, corpus.is_text))
    rows = [[name, f"{n:,}", f"{100 * share:.1f} %"] for name, n, share in measured.by_length]
    unit = "words" if corpus.is_text else "steps"
    blocks.append(report.Table("Test sequences by length.", [unit, "sequences", "accuracy"], rows))
    if measured.groups:
        shown = measured.groups[:_SHOWN_GROUPS]
        rows = [[s.group, f"{s.examples:,}", f"{100 * s.accuracy:.1f} %"] for s in shown]
        blocks.append(
            report.Table("By group, the worst first.", ["group", "examples", "accuracy"], rows)
        )
    return blocks


def _reliability(
    folder: run_folder.RunFolder[configs.Config], labels: np.ndarray, probabilities: np.ndarray
) -> plots.Plot:
    bins = classification.reliability(labels, probabilities)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.plot([0, 1], [0, 1], color=theme.other, linestyle="dashed", label="honest")
        sure, right, share = (list(column) for column in zip(*bins, strict=True))
        axes.plot(sure, right, color=theme.model, marker="o", label="this model")
        axes.bar(sure, share, 0.04, color=theme.faint, label="share of the answers")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.05)
        axes.set_xlabel("probability of the answer")
        axes.set_ylabel("share that is right")
        plot_style.legend(axes, theme)

    told = ", ".join(f"{sure:.2f} sure: {right:.2f} right" for sure, right, _ in bins)
    return plots.save(folder.plots, "calibration", "How sure and how right", f"{told}.", draw)


def _beginnings(
    folder: run_folder.RunFolder[configs.Config], beginnings: Mapping[int, float], is_text: bool
) -> plots.Plot:
    unit = "words" if is_text else "steps"

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.plot(list(beginnings), list(beginnings.values()), color=theme.model, marker="o")
        axes.set_xlabel(f"first {unit} that were seen")
        axes.set_ylabel("accuracy")
        axes.set_ylim(0, 1.03)

    told = ", ".join(f"{count}: {share:.3f}" for count, share in beginnings.items())
    title = "The answer to the beginning of a sequence"
    return plots.save(folder.plots, "beginnings", title, f"Accuracy after {told}.", draw)


def _examples(
    folder: run_folder.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    corpus: data.Corpus,
    measured: Measured,
) -> list[report.Section]:
    if folder.config.per_step:
        return [_strips(folder, corpus, measured), _inside(folder, trained, corpus, 0)]
    labels, probabilities = corpus.test.labels, measured.probabilities
    answers = probabilities.argmax(axis=1)
    sure = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = [at for at in sure if answers[at] != labels[at]][:_FAILURES]
    right = [at for at in sure if answers[at] == labels[at]][:_SUCCESSES]
    sections = []
    for title, chosen, kind in (
        ("The surest of the wrong answers", wrong, "wrong"),
        ("The surest answers", right, "right"),
    ):
        blocks: list[report.Block] = []
        for number, at in enumerate(chosen, 1):
            told = _told(corpus, probabilities, int(at))
            blocks.append(report.Paragraph(told))
            if corpus.is_text:
                blocks.append(report.Passage("The text", corpus.test.texts[at]))
            elif number <= 2:
                blocks.append(_decided(folder, trained, corpus, int(at), f"{kind}_{number}"))
            if answers[at] != labels[at] and not corpus.is_text:
                blocks.append(_nearest(corpus, int(at)))
        sections.append(report.Section(title, blocks or [report.Paragraph("There is none.")]))
    return [*sections, _inside(folder, trained, corpus, int(sure[0]))]


def _told(corpus: data.Corpus, probabilities: np.ndarray, at: int) -> str:
    names, label = corpus.label_names, int(corpus.test.labels[at])
    answer = int(probabilities[at].argmax())
    sure = f"{100 * probabilities[at, answer]:.0f} %"
    name = corpus.test.sequences.names[at]
    if answer == label:
        return f"{name}: “{names[label]}”, {sure} sure."
    return (
        f"{name}: “{names[label]}”, taken for “{names[answer]}”, {sure} sure; the right label had "
        f"{100 * probabilities[at, label]:.1f} %."
    )


def _decided(
    folder: run_folder.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    corpus: data.Corpus,
    at: int,
    name: str,
) -> plots.Plot:
    """Draws which steps and channels spoke for the answer."""
    values = corpus.test.sequences.at(at)
    logits = trained.model(values[None], training=False).numpy()
    answer = int(logits[0].argmax())
    mean = trained.model.get_layer("sequence_inputs").mean or [0.0] * values.shape[1]
    found = pictures.contributions(trained.model, values, answer, np.array(mean, np.float32))
    title = f"Steps and channels that spoke for “{corpus.label_names[answer]}”"
    return pictures.heat(
        folder.plots, f"decided_{name}", title, found, trained.channel_names, unit="of the logit"
    )


def _nearest(corpus: data.Corpus, at: int) -> report.Paragraph:
    """Names the training sequence that is nearest, in statistics of its channels."""
    from apps.suite.sequences import sequence_statistics

    train = corpus.train.sequences
    numbers = sequence_statistics.of_sequences(train.taken(np.arange(min(2_000, len(train)))))
    deviation = np.where(numbers.std(axis=0) > 0, numbers.std(axis=0), 1)
    own = sequence_statistics.of_sequences(corpus.test.sequences.taken([at]))
    near = int((((numbers - own) / deviation) ** 2).sum(axis=1).argmin())
    label = corpus.label_names[corpus.train.labels[near]]
    return report.Paragraph(f"The nearest training sequence is {train.names[near]}, “{label}”.")


def _inside(
    folder: run_folder.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    corpus: data.Corpus,
    at: int,
) -> report.Section:
    """Draws the outputs of the last recurrent layer."""
    inputs: Any = corpus.test.sequences.at(at)[None, :2_000]
    if trained.vocabulary is not None:
        inputs = data.text_inputs(trained.vocabulary, tf.constant([corpus.test.texts[at]]))
    found = pictures.activations(trained.model, inputs)
    name = corpus.test.sequences.names[at]
    plot = pictures.heat(
        folder.plots, "activations", f"Recurrent units over time, {name}", found, None,
        y_label="unit", unit="output",
    )  # fmt: skip
    return report.Section("Inside the network", [plot])


def _strips(
    folder: run_folder.RunFolder[configs.Config], corpus: data.Corpus, measured: Measured
) -> report.Section:
    """Draws truth and answer over the steps of the best and of the worst test sequence."""
    sequences, labels = corpus.test.sequences, corpus.test.labels
    answers = measured.probabilities.argmax(axis=1)
    right = [float(np.mean((answers == labels)[rows])) for rows in _rows(sequences)]
    best_baseline = min(
        measured.baselines,
        key=lambda name: float(np.mean(measured.baselines[name].argmax(axis=1) != labels)),
    )
    of_baseline = measured.baselines[best_baseline].argmax(axis=1)
    blocks: list[report.Block] = []
    for kind, at in (("worst", int(np.argmin(right))), ("best", int(np.argmax(right)))):
        rows = sequences.rows(at)
        shown = {
            "truth": labels[rows], "this model": answers[rows], best_baseline: of_baseline[rows]
        }  # fmt: skip
        title = f"The {kind} test sequence, {sequences.names[at]}: {100 * right[at]:.1f} % right"
        blocks.append(
            pictures.strips(folder.plots, f"{kind}_steps", title, shown, corpus.label_names)
        )
    return report.Section("Labels over time", blocks)


def _rows(sequences: ragged.Sequences) -> list[slice]:
    return [sequences.rows(index) for index in range(len(sequences))]


def _limits(corpus: data.Corpus, by_step: bool) -> list[str]:
    found = [
        "The numbers hold for sequences like the ones that were learned: these labels, this way of "
        "recording, and groups as those of the split above.",
        "One run with one seed: a difference within the interval above may be chance.",
        "An input of another kind gets one of the labels too, sometimes with a high probability.",
    ]
    if corpus.train.sequences.groups is None and not corpus.is_text:
        found.append(
            "The data name no groups: sequences of one person or machine may be on both sides of "
            "the split, which makes the numbers better than they will be on new ones."
        )
    if by_step and corpus.name.startswith("watch_exercises"):
        found.append("The recordings are real, the transitions between them were made by joining.")
    return found


def _serving(
    folder: run_folder.RunFolder[configs.Config], corpus: data.Corpus
) -> list[report.Block]:
    run, task = shlex.quote(str(folder.path)), folder.task
    asked = '"some words"' if corpus.is_text else "walk.csv"
    step = ", ".join(["0.0"] * len(corpus.train.sequences.channel_names))
    body = '{"inputs": {"text": ["some words"]}}'
    if not corpus.is_text:
        body = f'{{"inputs": {{"values": [[[{step}], [{step}]]]}}}}'
    return [
        report.Commands(
            "At the command line:", f"python -m apps.{task}.predict --run {run} {asked}"
        ),
        report.Commands(
            "As a service, with stock TensorFlow Serving:",
            f"python -m apps.{task}.export --run {run} --to exports\n"
            f"docker run --rm -p 8501:8501 -e MODEL_NAME={task} \\\n"
            f'    -v "$PWD/exports/{task}:/models/{task}" tensorflow/serving\n'
            f"curl -X POST localhost:8501/v1/models/{task}:predict \\\n    -d '{body}'",
        ),
        report.Paragraph(f"All inputs and signatures are described in apps/{task}/README.md."),
    ]
