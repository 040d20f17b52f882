"""Writes the words and the pictures of the sequence regression report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from apps.sequence_regression import config as configs
from apps.sequence_regression import data, scoring, targets, trained_model
from apps.suite.evaluation import evaluation, plots, regression, report
from apps.suite.report_blocks import value_plots
from apps.suite.sequence_answers import pictures, served
from apps.suite.sequences import ragged

Run = evaluation.Run[configs.Config, trained_model.TrainedModel, data.Corpus]

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
    """Answers to the test part, and the truths that they are judged by, [cases, targets]."""

    found: regression.Answers
    truths: np.ndarray


def card(run: Run, metrics: Mapping[str, Any], measured: Measured) -> report.Card:
    """Draws the plots, and returns the model card."""
    folder, config, corpus = run.folder, run.config, run.data
    names, wanted = ", ".join(corpus.target_names), 100 * config.intervals.coverage
    for_each = "each step of a sequence" if config.target.per == "step" else "a sequence"
    return report.Card(
        title="Sequence regression",
        summary=f"Says {names} of {for_each}, with an interval. It learned from {corpus.name}.",
        facts={
            "parameters": f"{run.trained.model.count_params():,}",
            f"covered by {wanted:g} % intervals": f"{100 * metrics['test']['coverage']:.1f} %",
        },
        data={
            "Licence": corpus.licence,
            "Source": corpus.source,
            "Inputs": ", ".join(corpus.channel_names) or "text",
        },
        results=_results(run, metrics, measured),
        learning=report.learned(
            folder,
            "deviations of the target",
            "The loss is the squared error and the pinball loss of the quantiles, in "
            "deviations of the target; the validation loss is that of the weights which a stop "
            "at this step would keep.",
        ),
        examples=_examples(run, measured),
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.ways_to_ask(
            folder,
            "fleet.csv --plot course.png" if corpus.channel_names else '"some words"',
            f"'{served.example_body(corpus.channel_names)}'",
        ),
        presets=configs.PRESETS,
    )


def _results(run: Run, metrics: Mapping[str, Any], measured: Measured) -> list[report.Block]:
    corpus, test, plot_folder = run.data, metrics["test"], run.folder.plots
    blocks: list[report.Block] = [
        plots.model_and_baselines(plot_folder, metrics, metrics["primary"]["name"].upper()),
        report.Paragraph(
            f"The 95 % interval of the RMSE goes from {test['rmse_interval_low']:.3g} to "
            f"{test['rmse_interval_high']:.3g}, over draws of the {test['units']} test units. "
            f"Intervals that shall cover {100 * run.config.intervals.coverage:g} % cover "
            f"{100 * test['coverage']:.1f} % of the test truths."
        ),
        value_plots.truth_and_answer(plot_folder, corpus.target_names, *measured),
    ]
    if run.config.target.remaining:
        rows = [
            [stage, f"{each['cases']:.0f}", f"{each['rmse']:.2f}", f"{each['mean_error']:+.2f}"]
            for stage, each in scoring.by_stage(*measured).items()
        ]
        header = ["remaining", "cases", "RMSE", "mean error"]
        blocks.append(report.Table("Test cases by stage of life.", header, rows))
    elif len(corpus.target_names) > 1:
        blocks.append(_by_target(corpus.target_names, measured))
    blocks.append(
        pictures.by_length(
            corpus.test.sequences,
            _errors(run, measured),
            caption="Mean distance from the truth, of test sequences by length.",
            score_name="error",
            told="{:.4g}".format,
        )
    )
    return blocks if corpus.is_text else [*blocks, importance(run)]


def _by_target(names: tuple[str, ...], measured: Measured) -> report.Table:
    rows = []
    for at, name in enumerate(names):
        of_one = (each[:, at : at + 1] for each in (measured.found.value, measured.truths))
        found = regression.errors_of(*of_one)
        rows.append([name, *(f"{found[each]:.4g}" for each in ("rmse", "mae", "r2"))])
    return report.Table("By target.", ["", "RMSE", "MAE", "R²"], rows)


def importance(run: Run) -> report.Table:
    """Returns the RMSE without what a channel tells, and the difference, for each channel."""
    config, part = run.config, run.data.test
    draw = np.random.default_rng([config.seed, _IMPORTANCE_SEED])
    sequences, truths = part.sequences, part.targets
    if config.target.per != "step" and len(sequences) > _IMPORTANCE_CASES:
        chosen = np.sort(draw.choice(len(sequences), _IMPORTANCE_CASES, replace=False))
        sequences, truths = sequences.taken(chosen), truths[chosen]
    truths = targets.capped(truths, config.target)
    score = scoring.scorer(run.trained.model, config)

    def rmse(changed: ragged.Sequences) -> float:
        answered = scoring.answers(run.trained, score(changed))[0].numpy().astype(float)
        return regression.errors_of(answered, truths)["rmse"]

    return pictures.importance(
        sequences,
        rmse,
        draw,
        caption="RMSE on the test part when a channel is taken from another sequence, the most "
        "important channel first.",
        header=["channel", "RMSE", "worse by"],
        told=lambda usual, value: [f"{value:.4g}", f"{value - usual:+.3g}"],
        higher_is_better=False,
    )


def _errors(run: Run, measured: Measured) -> np.ndarray:
    """Returns the mean distance from the truth, over targets and steps of each test sequence."""
    apart = np.sqrt(np.nanmean((measured.found.value - measured.truths) ** 2, axis=1))
    if run.config.target.per != "step":
        return apart
    return np.array([np.nanmean(each) for each in run.data.test.sequences.pieces(apart)])


def _examples(run: Run, measured: Measured) -> list[report.Section]:
    """Builds the courses of the best, the median and the worst test unit, or rows of a table."""
    found, truths = measured
    sequences, names = run.data.test.sequences, run.data.target_names
    order = np.argsort(_errors(run, measured), kind="stable")
    middle = len(order) // 2
    inside = _inside(run, int(order[middle]))
    if run.config.per_step:
        ranks = {"best": order[0], "median": order[middle], "worst": order[-1]}
        title = "Courses of the best, the median and the worst test unit"
        courses = [_course(run, rank, int(at)) for rank, at in ranks.items()]
        return [report.Section(title, courses), *inside]
    rows = [
        [
            str(sequences.texts[at])[:160] if run.data.is_text else sequences.names[at],
            *(f"{value:.4g}" for value in (*truths[at], *found.value[at])),
            f"{found.lower[at, 0]:.4g} to {found.upper[at, 0]:.4g}",
        ]
        for at in (*order[:3], *order[middle : middle + 3], *order[-3:])
    ]
    said = [f"{name}, {what}" for what in ("truth", "answer") for name in names]
    table = report.Table("Three of each.", ["", *said, "interval"], rows)
    return [report.Section("The best, the median and the worst answers", [table]), *inside]


def _course(run: Run, rank: str, index: int) -> plots.Plot:
    """Plots the course of a test sequence: truth, answer, interval."""
    found = scoring.along(run.trained, run.data.test, index)
    error = regression.errors_of(found.answers.value.astype(float), found.truth)["rmse"]
    return plots.save(
        run.folder.plots,
        f"course_{rank}",
        f"{found.name}, the {rank}",
        f"Course of {found.name}: answers with intervals beside the truth, RMSE {error:.3g}.",
        value_plots.drawn(found, run.data.target_names),
    )


def _inside(run: Run, at: int) -> list[report.Section]:
    """Draws the states of the network for a test unit, and what its one value was read from."""
    sequences, network, folder = run.data.test.sequences, run.trained.model, run.folder.plots
    inside = pictures.inside(folder, network, run.trained.vocabulary, sequences, at)
    if run.config.target.per == "step" or run.data.is_text:
        return [inside]
    column, has_steps = run.config.model.answer_column, run.config.per_step
    plot = pictures.decided(
        folder,
        "decided",
        f"Steps and channels that moved the answer to {sequences.names[at]}",
        network,
        sequences.at(at),
        lambda outputs: (outputs[:, -1] if has_steps else outputs)[:, 0, column],
        run.data.channel_names,
        f"of {run.data.target_names[0]}",
    )
    return [report.Section("What the answer was read from", [plot]), inside]
