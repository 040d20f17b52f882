"""Writes the words and the pictures of the sequence regression report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from apps.sequence_regression import config as configs
from apps.sequence_regression import data, pictures, scoring, trained_model
from apps.suite.evaluation import plots, report
from apps.suite.runs import run_folder
from apps.suite.sequences import pictures as reading
from apps.suite.sequences import served

_IMPORTANCE_SEED = 73
_IMPORTANCE_CASES = 2_000
_MEANING = {
    "rmse": "Square root of the mean squared error, in the unit of the target.",
    "mae": "Mean absolute error, in the unit of the target.",
    "r2": "Share of the variance of the test targets that is explained; 0 is the mean of the test.",
    "coverage": "Share of the test truths between lower and upper.",
    "interval width": "Mean distance from lower to upper, in the unit of the target.",
    "nasa score": "Sum over the test cases of exp(-e / 13) - 1 for an error e below 0 (too early) "
    "and of exp(e / 10) - 1 above (too late): a late answer costs more, and one very late answer "
    "may cost more than all others together.",
    "… of true life": "Against the true remaining life, which goes beyond the cap.",
    "rmse interval": "Both ends of the 95 % interval over draws of test units with replacement.",
    "mean": "The mean of the training targets, whatever the input.",
    "ridge": "Linear regression on statistics of the channels over the sequence, over a window "
    "around the step, or over the last steps of a life that remains.",
    "gradient boosting": "Boosted trees on the same numbers.",
    "TF-IDF with ridge": "Linear regression on weighted words, pairs of words and letters.",
}
_LIMITS = (
    "The numbers hold for units like those that were learned: other machines, people or sensors "
    "change them, and nothing here says so by itself.",
    "The intervals cover what they promise on average over such units, and not for each kind of "
    "case apart.",
    "One run with one seed: a difference within the interval of the RMSE may be chance.",
)


class Measured(NamedTuple):
    """Results of `evaluate` apart from its metrics."""

    trained: trained_model.TrainedModel
    found: scoring.Answers
    others: Mapping[str, np.ndarray]  # answers of the baselines, [cases, targets]


def card(
    folder: run_folder.RunFolder[configs.Config],
    corpus: data.Corpus,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    config, test = folder.config, metrics["test"]
    names = ", ".join(corpus.target_names)
    for_each = "each step of a sequence" if config.target.per == "step" else "a sequence"
    wanted = 100 * config.intervals.coverage
    return report.Card(
        title="Sequence regression",
        summary=f"Says {names} of {for_each}, with an interval. It learned from {corpus.name}.",
        facts={
            "parameters": f"{measured.trained.model.count_params():,}",
            f"covered by {wanted:g} % intervals": f"{100 * test['coverage']:.1f} %",
        },
        data={
            "Licence": corpus.licence,
            "Source": corpus.source,
            "Inputs": ", ".join(corpus.channel_names) or "text",
        },
        results=_results(folder, corpus, metrics, measured),
        learning=[
            plots.learning_curve(folder.plots, folder.history_file, "deviations of the target"),
            report.Paragraph(
                "The loss is the squared error and the pinball loss of the quantiles, in "
                "deviations of the target; the validation loss is that of the weights which a stop "
                "at this step would keep."
            ),
        ],
        examples=_examples(folder, corpus, measured),
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.ways_to_ask(
            folder,
            "fleet.csv --plot course.png" if corpus.channel_names else '"some words"',
            f"'{served.example_body(corpus.channel_names)}'",
        ),
        presets=configs.PRESETS,
    )


def _results(
    folder: run_folder.RunFolder[configs.Config],
    corpus: data.Corpus,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> list[report.Block]:
    config, test, found = folder.config, metrics["test"], measured.found
    truths = scoring.judged(config, corpus.test.targets)
    blocks: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, metrics["primary"]["name"].upper()),
        report.Paragraph(
            f"The 95 % interval of the RMSE goes from {test['rmse_interval_low']:.3g} to "
            f"{test['rmse_interval_high']:.3g}, over draws of the {test['units']} test units. "
            f"Intervals that shall cover {100 * config.intervals.coverage:g} % cover "
            f"{100 * test['coverage']:.1f} % of the test truths."
        ),
        pictures.truth_and_answer(folder.plots, corpus.target_names, found, truths),
    ]
    if config.target.remaining:
        rows = [
            [stage, f"{each['cases']:.0f}", f"{each['rmse']:.2f}", f"{each['mean_error']:+.2f}"]
            for stage, each in scoring.by_stage(found, truths).items()
        ]
        header = ["remaining", "cases", "RMSE", "mean error"]
        blocks.append(report.Table("Test cases by stage of life.", header, rows))
    elif len(corpus.target_names) > 1:
        rows = []
        for at, name in enumerate(corpus.target_names):
            one = scoring.errors_of(found.value[:, at : at + 1], truths[:, at : at + 1])
            rows.append([name, *(f"{one[each]:.4g}" for each in ("rmse", "mae", "r2"))])
        blocks.append(report.Table("By target.", ["", "RMSE", "MAE", "R²"], rows))
    if corpus.channel_names:
        rows = importance(corpus, config, measured.trained)
        blocks.append(
            report.Table(
                "RMSE on the test part when a channel is taken from another sequence, the most "
                "important channel first.",
                ["channel", "RMSE", "worse by"],
                rows,
            )
        )
    return blocks


def importance(
    corpus: data.Corpus, config: configs.Config, trained: trained_model.TrainedModel
) -> list[list[str]]:
    """Returns a row for each channel: its name, the RMSE without its word, and the difference.

    The channel's values of each test sequence are those of another one, repeated or cut to its
    length: what they tell is lost, and they stay usual values.
    """
    part = corpus.test
    draw = np.random.default_rng([config.seed, _IMPORTANCE_SEED])
    chosen = np.arange(len(part.sequences))
    if config.target.per != "step" and len(chosen) > _IMPORTANCE_CASES:
        chosen = np.sort(draw.choice(chosen, _IMPORTANCE_CASES, replace=False))
        sequences = part.sequences.taken(chosen)
        part = part._replace(sequences=sequences, targets=part.targets[chosen])
    sequences = part.sequences
    truths = scoring.judged(config, part.targets)
    scorer = scoring.Scorer(trained.model, config)

    def rmse(values: np.ndarray) -> float:
        changed = part._replace(sequences=dataclasses.replace(sequences, values=values))
        outputs = scorer(changed)
        answered = scoring.answers(trained, outputs)[0].numpy().astype(float)
        return scoring.errors_of(answered, truths)["rmse"]

    whole = np.asarray(sequences.values)
    usual = rmse(whole)
    others = np.roll(draw.permutation(len(sequences)), 1)
    found = []
    for at, name in enumerate(sequences.channel_names):
        values = whole.copy()
        for index, other in enumerate(others):
            steps = int(sequences.lengths[index])
            values[sequences.rows(index), at] = np.resize(sequences.at(other)[:, at], steps)
        found.append((rmse(values), name))
    return [
        [name, f"{value:.4g}", f"{value - usual:+.3g}"]
        for value, name in sorted(found, reverse=True)
    ]


def _examples(
    folder: run_folder.RunFolder[configs.Config], corpus: data.Corpus, measured: Measured
) -> list[report.Section]:
    """Builds the courses of the best, the median and the worst test unit, or rows of a table."""
    config, test = folder.config, corpus.test
    truths = scoring.judged(config, test.targets)
    apart = np.sqrt(np.nanmean((measured.found.value - truths) ** 2, axis=1))
    owners = np.arange(len(test.sequences))
    if config.target.per == "step":
        owners = np.repeat(owners, test.sequences.lengths)
    error = np.array([np.nanmean(apart[owners == index]) for index in range(owners[-1] + 1)])
    order = np.argsort(error, kind="stable")
    inside = _inside(folder, corpus, measured.trained, int(order[len(order) // 2]))
    ranks = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    if config.per_step:
        blocks: list[report.Block] = [
            pictures.course(folder.plots, rank, corpus, measured.trained, test, int(index))
            for rank, index in ranks.items()
        ]
        title = "Courses of the best, the median and the worst test unit"
        return [report.Section(title, blocks), *inside]
    found, names, rows = measured.found, corpus.target_names, []
    for index in (*order[:3], *order[len(order) // 2 : len(order) // 2 + 3], *order[-3:]):
        name = test.sequences.names[index]
        rows.append(
            [
                str(test.sequences.texts[index])[:160] if corpus.is_text else name,
                *(f"{value:.4g}" for value in truths[index]),
                *(f"{value:.4g}" for value in found.value[index]),
                f"{found.lower[index, 0]:.4g} to {found.upper[index, 0]:.4g}",
            ]
        )
    said = [f"{name}, {what}" for what in ("truth", "answer") for name in names]
    table = report.Table("Three of each.", ["", *said, "interval"], rows)
    return [report.Section("The best, the median and the worst answers", [table]), *inside]


def _inside(
    folder: run_folder.RunFolder[configs.Config],
    corpus: data.Corpus,
    trained: trained_model.TrainedModel,
    at: int,
) -> list[report.Section]:
    """Draws the states of the network for a test unit, and what its one value was read from."""
    sequences, name = corpus.test.sequences, corpus.target_names[0]
    sections = [reading.inside(folder.plots, trained.model, trained.vocabulary, sequences, at)]
    if folder.config.target.per == "step" or corpus.is_text:
        return sections
    column = 0 if folder.config.model.answer == "mean" else 2
    last = (slice(None), -1) if folder.config.per_step else (slice(None),)
    plot = reading.decided(
        folder.plots,
        "decided",
        f"Steps and channels that moved the answer to {sequences.names[at]}",
        trained.model,
        sequences.at(at),
        lambda outputs: outputs[(*last, 0, column)],
        trained.channel_names,
        f"of {name}",
    )
    return [report.Section("What the answer was read from", [plot]), *sections]
