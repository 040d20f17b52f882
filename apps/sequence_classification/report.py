"""Writes the words, tables and pictures of the sequence classification report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.sequence_classification import config as configs
from apps.sequence_classification import data, scoring, trained_model
from apps.suite.evaluation import classification, evaluation, plots, report
from apps.suite.report_blocks import class_blocks, class_plots, matrix_plots
from apps.suite.sequence_answers import pictures, served
from apps.suite.sequences import ragged, sequence_statistics

Run = evaluation.Run[configs.Config, trained_model.TrainedModel, data.Corpus]

_FAILURES, _SUCCESSES = 4, 2
_IMPORTANCE_SEED = 73
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
    beginnings: Mapping[int, float]  # accuracy by the number of first steps seen
    baselines: Mapping[str, np.ndarray]


def card(run: Run, metrics: Mapping[str, Any], measured: Measured) -> report.Card:
    """Draws the plots, and returns the model card."""
    folder, corpus = run.folder, run.data
    what = "each step of a sequence" if run.config.per_step else "a sequence"
    what = "a text" if corpus.is_text else what
    low, high = _interval(run, metrics)
    return report.Card(
        title="Sequence classification",
        summary=f"Gives {what} one of {len(corpus.label_names)} labels. It learned from "
        f"{corpus.name}.",
        facts={
            "parameters": f"{run.trained.model.count_params():,}",
            "95 % interval": f"{100 * low:.1f} % to {100 * high:.1f} %",
        },
        data={
            "Licence": corpus.licence,
            "Source": corpus.source,
            "Labels": ", ".join(corpus.label_names),
            "Channels": ", ".join(corpus.channel_names) or "words and letters",
        },
        results=_results(run, metrics, measured),
        learning=report.learned(
            folder,
            "nats an example",
            "The training loss is measured with dropout, on altered sequences where the config "
            "says so; the validation loss with the weights that a stop here would keep.",
        ),
        examples=_examples(run, measured),
        meaning=_MEANING,
        limits=_limits(corpus, run.config.per_step),
        serving=report.ways_to_ask(
            folder,
            '"some words"' if corpus.is_text else "walk.csv",
            f"'{served.example_body(corpus.channel_names)}'",
        ),
        presets=configs.PRESETS,
    )


def _interval(run: Run, metrics: Mapping[str, Any]) -> tuple[float, float]:
    # Steps of one sequence are alike: a trial is a sequence
    count = len(run.data.test.sequences)
    return classification.interval(metrics["test"]["accuracy"], count)


def _results(run: Run, metrics: Mapping[str, Any], measured: Measured) -> list[report.Block]:
    folder, test = run.folder.plots, run.data.test
    labels, probabilities = scoring.known_steps(test, measured.probabilities)
    low, high = _interval(run, metrics)
    best = metrics["primary"]["baseline"]["name"]
    of_best = scoring.known_steps(test, measured.baselines[best])[1]
    only_model, only_baseline = classification.disagreements(labels, probabilities, of_best)
    counts = classification.confusion(labels, probabilities)
    blocks: list[report.Block] = [
        plots.model_and_baselines(folder, metrics, "accuracy"),
        report.Paragraph(
            f"{len(test.sequences):,} test sequences were answered once. The 95 % confidence "
            f"interval of the accuracy goes from {100 * low:.1f} % to {100 * high:.1f} % (Wilson, "
            f"each sequence a trial). The model alone is right in {only_model:,} examples, the "
            f"baseline {best} alone in {only_baseline:,}."
        ),
        matrix_plots.confusion(folder, counts, run.data.label_names),
        class_plots.reliability(folder, labels, probabilities),
    ]
    if len(measured.beginnings) > 1:
        title = "The answer to the beginning of a sequence"
        unit = "words" if run.data.is_text else "steps"
        blocks.append(
            class_plots.by_beginning(folder, "beginnings", title, measured.beginnings, unit)
        )
    blocks.append(
        pictures.by_length(
            test.sequences,
            _right(run, measured),
            caption="Test sequences by length.",
            score_name="accuracy",
            told=lambda share: f"{100 * share:.1f} %",
        )
    )
    if not run.data.is_text and len(test.sequences) > 1:
        blocks.append(_importance(run))
    if measured.groups:
        blocks.append(class_blocks.by_group(measured.groups, "examples"))
    return blocks


def _right(run: Run, measured: Measured) -> np.ndarray:
    """Returns 1 or 0 for each test sequence, or the share of its steps that are right."""
    test = run.data.test
    right = (measured.probabilities.argmax(axis=1) == test.labels).astype(float)
    if not run.config.per_step:
        return right
    return np.array([np.mean(each) for each in test.sequences.pieces(right)])


def _importance(run: Run) -> report.Table:
    test, score = run.data.test, scoring.of_trained(run.trained)

    def accuracy(sequences: ragged.Sequences) -> float:
        answers = score(sequences).argmax(axis=1)
        return float(np.mean((answers == test.labels)[test.labels >= 0]))

    return pictures.importance(
        test.sequences,
        accuracy,
        np.random.default_rng([run.config.seed, _IMPORTANCE_SEED]),
        caption="Accuracy when a channel is taken from another sequence, the most important first.",
        header=["channel", "accuracy", "points worse by"],
        told=lambda usual, share: [f"{100 * share:.1f} %", f"{100 * (usual - share):+.1f}"],
        higher_is_better=True,
    )


def _examples(run: Run, measured: Measured) -> list[report.Section]:
    test, probabilities, trained = run.data.test, measured.probabilities, run.trained
    first, sections = 0, []
    if run.config.per_step:
        sections.append(_strips(run, measured))
    else:
        wrong, right = class_blocks.surest(test.labels, probabilities)
        first = int(probabilities.max(axis=1).argmax())
        sections += class_blocks.sections(
            wrong[:_FAILURES],
            right[:_SUCCESSES],
            lambda name, at: _example(run, probabilities[at], name, at),
        )
    inside = pictures.inside(
        run.folder.plots, trained.model, trained.vocabulary, test.sequences, first
    )
    return [*sections, inside]


def _example(run: Run, probabilities: np.ndarray, name: str, at: int) -> list[report.Block]:
    """Tells a test sequence and its answer, what decided, and the nearest training sequence."""
    corpus, sequences = run.data, run.data.test.sequences
    answer, label, names = (
        int(probabilities.argmax()),
        int(corpus.test.labels[at]),
        corpus.label_names,
    )
    said = class_blocks.told(sequences.names[at], names, label, probabilities)
    blocks: list[report.Block] = [report.Paragraph(said)]
    if corpus.is_text:
        return [*blocks, report.Passage("The text", sequences.texts[at])]
    if name.endswith(("_1", "_2")):
        blocks.append(
            pictures.decided(
                run.folder.plots,
                f"decided_{name}",
                f"Steps and channels that spoke for “{names[answer]}”",
                run.trained.model,
                sequences.at(at),
                lambda logits: logits[:, answer],
                corpus.channel_names,
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


def _strips(run: Run, measured: Measured) -> report.Section:
    """Draws truth and answer over the steps of the best and of the worst test sequence."""
    sequences, labels = run.data.test.sequences, run.data.test.labels
    answers = {name: each.argmax(axis=1) for name, each in measured.baselines.items()}
    best = min(answers, key=lambda name: float(np.mean(answers[name] != labels)))
    shown = {
        "truth": labels, "this model": measured.probabilities.argmax(axis=1), best: answers[best]
    }  # fmt: skip
    right = _right(run, measured)
    blocks: list[report.Block] = []
    for kind, at in (("worst", int(np.argmin(right))), ("best", int(np.argmax(right)))):
        title = f"The {kind} test sequence, {sequences.names[at]}: {100 * right[at]:.1f} % right"
        rows = {name: each[sequences.rows(at)] for name, each in shown.items()}
        blocks.append(
            pictures.strips(run.folder.plots, f"{kind}_steps", title, rows, run.data.label_names)
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
