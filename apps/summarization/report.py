"""Builds the task's part of the model card: ROUGE beside extracts, and what was copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.suite.data import pair_sets
from apps.suite.evaluation import comparison, plots, report
from apps.suite.runs import run_folder
from apps.summarization import baselines, data, measures, scoring
from apps.summarization import config as configs

_SHOWN = 5  # examples, of the best and of the worst
_SHOWN_CHARACTERS = 500  # of a text
_MEANING = {
    "rouge1": "F1 of the words that summary and true summary share, in percent (rouge-score, small "
    "letters, no stemming).",
    "rouge2": "The same of pairs of neighbouring words.",
    "rougeL": "The same of the longest common subsequence of words, over the whole summary.",
    "rouge1 stemmed": "ROUGE-1 after Porter's stemmer, as many papers report it; so are the other "
    "two.",
    "words": "Mean number of words of a summary.",
    "words of the text": "Share of a summary's words that stand in its text.",
    "repeated trigrams": "Share of the summaries in which a run of three words stands twice.",
    "foreign numerals": "Share of the summaries with a number that the text does not hold.",
    "copied": "Share of the pieces that come rather from the text than from the vocabulary.",
    baselines.SENTENCE: "The first sentence of the text.",
    baselines.RANK: "The sentence that shares most words with the others (Mihalcea, Tarau 2004).",
    baselines.NEAREST: "The summary of the training text that is most like this one (TF-IDF).",
}
_LIMITS = (
    "ROUGE counts words. A summary with a high score may say what the text does not: numbers, "
    "names and negations have to be checked.",
    "The numbers hold for texts like those of the test part, and for the search that the config "
    "names; other lengths and other rules change ROUGE by points.",
    "One run with one seed: a difference below one point may be chance.",
)


def share_copied(answers: scoring.Answers) -> float:
    """Returns the share of all pieces of which at least half is copied."""
    shares = [share for parts in answers.parts for _, share in parts]
    return float(np.mean(np.array(shares) >= 0.5)) if shares else 0.0


def card(
    folder: run_folder.RunFolder[configs.Config],
    corpus: pair_sets.Corpus,
    metrics: Mapping[str, Any],
    answers: scoring.Answers,
    ceiling: Mapping[str, float],
    cut: float,
    parameters: int,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    config = folder.config
    each = {"this model": metrics["test"], **metrics["baselines"]}
    search, example = config.search, data.joined(corpus.test[0], config.text.title)[:200]
    results: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, "ROUGE-1"),
        plots.grouped_bars(
            folder.plots,
            "rouge",
            "ROUGE-1, -2 and -L",
            {
                name: {comparison.words(kind): values[kind] for kind in measures.KINDS}
                for name, values in each.items()
            },
            x_label="measure",
            y_label="F1 in percent",
        ),
        report.Table(
            "The best sentence of each text, chosen by the true summary: what choosing a sentence "
            "can reach at most.",
            [comparison.words(kind) for kind in measures.KINDS],
            [[comparison.number(ceiling[kind]) for kind in measures.KINDS]],
        ),
        report.Paragraph(
            f"The search kept {search.beam_width} sequences, from {search.min_words} to "
            f"{search.max_words} words, with the length penalty {search.length_penalty:g}; no run "
            f"of {search.no_repeat} pieces was written twice. {100 * cut:.1f} % of the test texts "
            f"have more than {config.text.most_text_pieces} pieces, and were read up to there."
        ),
    ]
    kind = "with copying" if config.model.copying else "without copying"
    return report.Card(
        title="Summarization",
        summary=f"An encoder in both directions and a decoder with attention, {kind}, that writes "
        f"pieces of words. It learned from {corpus.name}.",
        facts={
            "parameters": f"{parameters:,}",
            "ROUGE-1/2/L": " / ".join(f"{metrics['test'][kind]:.1f}" for kind in measures.KINDS),
        },
        data={
            "Licence": corpus.licence,
            "Source": corpus.source,
            "Notes": "; ".join(corpus.notes) or "none",
        },
        results=results,
        learning=report.learned(
            folder,
            "nats a piece",
            "The training loss is measured with dropout. The weights with the lowest loss on "
            "the validation part were kept.",
        ),
        examples=_examples(corpus, answers, config),
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.asked_with_text(
            folder,
            example,
            {
                "text": [example],
                "max_words": search.max_words,
                "min_words": search.min_words,
                "beam_width": search.beam_width,
            },
        ),
        presets=configs.PRESETS,
    )


def _examples(
    corpus: pair_sets.Corpus, answers: scoring.Answers, config: configs.Config
) -> list[report.Section]:
    """Shows summaries of high and of low ROUGE-1 with their texts, copied pieces shaded."""
    true = [pair.target for pair in corpus.test]
    scores = measures.rouge(true, answers.summaries)[measures.PRIMARY]
    order = np.argsort(-scores, kind="stable")
    middle = order[: len(order) // 2 + 1 : max(1, len(order) // (2 * _SHOWN))][:_SHOWN]
    sections = []
    for title, chosen in (
        ("Successes: from the best half", middle),
        ("Failures: the worst ones", order[::-1][:_SHOWN]),
    ):
        blocks: list[report.Block] = []
        for at in chosen:
            pair = corpus.test[at]
            text = data.joined(pair, config.text.title)
            shown = text[:_SHOWN_CHARACTERS] + (" …" if len(text) > _SHOWN_CHARACTERS else "")
            blocks.append(report.Passage(f"text, {pair.place}", shown))
            blocks.append(
                report.Heated(
                    f"summary, ROUGE-1 {scores[at]:.0f}; the more a piece is copied, the darker. "
                    f"True summary: {pair.target}",
                    answers.parts[at] or [("(nothing)", 0.0)],
                    1.0,
                    "copied",
                    scale=at == chosen[-1],
                )
            )
        sections.append(report.Section(title, blocks))
    return sections
