"""Writes the words, tables and pictures of the sequence classification report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.sequence_classification import config as configs
from apps.sequence_classification import data, scoring, trained_model
from apps.suite.evaluation import (
    class_blocks,
    class_plots,
    classification,
    matrix_plots,
    plots,
    report,
)
from apps.suite.runs import run_folder
from apps.suite.sequences import pictures, sequence_statistics, served

_FAILURES, _SUCCESSES = 4, 2
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
    counts = classification.confusion(labels, probabilities)
    blocks: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, "accuracy"),
        report.Paragraph(
            f"{len(corpus.test.sequences):,} test sequences were answered once. The 95 % "
            f"confidence interval of the accuracy goes from {100 * low:.1f} % to "
            f"{100 * high:.1f} % (Wilson, each sequence a trial). The model alone is right in "
            f"{only_model:,} examples, the baseline {best} alone in {only_baseline:,}."
        ),
        matrix_plots.confusion(folder.plots, counts, corpus.label_names),
        class_plots.reliability(folder.plots, labels, probabilities),
    ]
    unit = "words" if corpus.is_text else "steps"
    if len(measured.beginnings) > 1:
        title = "The answer to the beginning of a sequence"
        plot = class_plots.by_beginning(
            folder.plots, "beginnings", title, measured.beginnings, unit
        )
        blocks.append(plot)
    rows = [[name, f"{n:,}", f"{100 * share:.1f} %"] for name, n, share in measured.by_length]
    blocks.append(report.Table("Test sequences by length.", [unit, "sequences", "accuracy"], rows))
    if measured.groups:
        blocks.append(class_blocks.by_group(measured.groups, "examples"))
    return blocks


def _examples(
    folder: run_folder.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    corpus: data.Corpus,
    measured: Measured,
) -> list[report.Section]:
    test, probabilities = corpus.test, measured.probabilities
    first = 0
    sections = []
    if folder.config.per_step:
        sections.append(_strips(folder, corpus, measured))
    else:
        wrong, right = class_blocks.surest(test.labels, probabilities)
        first = int(probabilities.max(axis=1).argmax())
        sections += class_blocks.sections(
            wrong[:_FAILURES],
            right[:_SUCCESSES],
            lambda name, at: _example(folder, trained, corpus, probabilities[at], name, at),
        )
    inside = pictures.inside(folder.plots, trained.model, trained.vocabulary, test.sequences, first)
    return [*sections, inside]


def _example(
    folder: run_folder.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    corpus: data.Corpus,
    probabilities: np.ndarray,
    name: str,
    at: int,
) -> list[report.Block]:
    """Tells a test sequence and its answer, what decided, and the nearest training sequence."""
    sequences, label = corpus.test.sequences, int(corpus.test.labels[at])
    answer, names = int(probabilities.argmax()), corpus.label_names
    said = class_blocks.told(sequences.names[at], names, label, probabilities)
    blocks: list[report.Block] = [report.Paragraph(said)]
    if corpus.is_text:
        return [*blocks, report.Passage("The text", corpus.test.texts[at])]
    if name.endswith(("_1", "_2")):
        blocks.append(
            pictures.decided(
                folder.plots,
                f"decided_{name}",
                f"Steps and channels that spoke for “{names[answer]}”",
                trained.model,
                sequences.at(at),
                lambda logits: logits[:, answer],
                trained.channel_names,
                "of the logit",
            )
        )
    if answer != label:
        train = corpus.train.sequences
        near = sequence_statistics.nearest(train, sequences.taken([at]))
        kind = names[corpus.train.labels[near]]
        said = f"The nearest training sequence is {train.names[near]}, “{kind}”."
        blocks.append(report.Paragraph(said))
    return blocks


def _strips(
    folder: run_folder.RunFolder[configs.Config], corpus: data.Corpus, measured: Measured
) -> report.Section:
    """Draws truth and answer over the steps of the best and of the worst test sequence."""
    sequences, labels = corpus.test.sequences, corpus.test.labels
    answers = measured.probabilities.argmax(axis=1)
    right = [
        float(np.mean((answers == labels)[rows]))
        for rows in map(sequences.rows, range(len(sequences)))
    ]
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
    return report.ways_to_ask(
        folder,
        '"some words"' if corpus.is_text else "walk.csv",
        f"'{served.example_body(corpus.train.sequences.channel_names)}'",
    )
