"""Builds the task's part of the model card: by type, by errors, sentences right and wrong."""

from __future__ import annotations

import collections
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.suite.evaluation import comparison, plots, report, tag_measures
from apps.suite.report_blocks import matrix_plots
from apps.suite.runs import run_folder
from apps.suite.texts import tag_schemes, word_spans
from apps.tagging import config as configs
from apps.tagging import data, scoring

_SHOWN = 12  # rows of a table
_KINDS = 16  # types in the picture of confusions
_MEANING = {
    **tag_measures.MEANING,
    "most frequent tag": "Gives each word the tag that it has most often in the training part.",
    "crfsuite": "A conditional random field over the words, their ends, shapes and neighbours, "
    "trained by python-crfsuite with the averaged perceptron.",
}
_LIMITS = (
    "The numbers hold for text like the test part's, cut into words as it is. Other text, other "
    "spelling or other punctuation may be tagged much worse.",
    "One run with one seed: a difference in the third digit may be chance.",
)


def card(
    folder: run_folder.RunFolder[configs.Config],
    corpus: data.Corpus,
    metrics: Mapping[str, Any],
    answers: scoring.Answers,
    parameters: int,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    right, scheme = [each.tags for each in corpus.test], corpus.scheme
    name = comparison.words(metrics["primary"]["name"])
    text = " ".join(corpus.test[0].words[:12])
    by_type = tag_measures.by_type(right, answers.tags, scheme)
    order = sorted(by_type, key=lambda kind: -by_type[kind].there)
    results: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, name),
        plots.grouped_bars(
            folder.plots,
            "f1_by_type",
            "F1 of the most frequent types",
            {"this model": {_named(kind): by_type[kind].f1 for kind in order[:_SHOWN]}},
            x_label="type",
            y_label="F1",
        ),
        report.Table(
            "By type, the most frequent first.",
            ["type", "precision", "recall", "F1", "in the test part"],
            [_row(kind, by_type[kind]) for kind in order],
        ),
        *_confused(folder, tag_measures.confusions(right, answers.tags, scheme)),
    ]
    if scheme != "plain":
        borders = tag_measures.border_errors(right, answers.tags, scheme)
        caption = "What became of the spans of the test part, and what was found where none is."
        rows = [[kind, f"{count:,}"] for kind, count in borders.items()]
        results.append(report.Table(caption, ["", "spans"], rows))
    config = folder.config.model
    decoder = "a conditional random field" if config.output == "crf" else "a softmax for each word"
    return report.Card(
        title="Tagging",
        summary=f"A tagger of words with {config.layer_count} recurrent layer"
        f"{'' if config.layer_count == 1 else 's'} ({config.layer}) over word and letter vectors, "
        f"and {decoder}. It learned from {corpus.name}.",
        facts={
            "parameters": f"{parameters:,}",
            "accuracy": comparison.number(metrics["test"]["accuracy"]),
        },
        data={"Licence": corpus.licence, "Source": corpus.source, "Scheme": corpus.scheme},
        results=results,
        learning=report.learned(
            folder,
            "nats a word",
            "The training loss is measured with dropout, per word of a sentence of mean "
            "length. The weights with the best accuracy of validation words were kept.",
        ),
        examples=[_sentences(corpus, answers)],
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.asked_with_text(folder, text, {"text": [text]}),
        presets=configs.PRESETS,
    )


def _named(kind: str) -> str:
    """Returns a type as a plot and a text say it: a mark by its name, such as comma, question."""
    if len(kind) != 1 or not unicodedata.category(kind).startswith("P"):
        return kind
    return unicodedata.name(kind).lower().removesuffix(" mark")


def _row(kind: str, score: tag_measures.Score) -> list[str]:
    numbers = [comparison.number(each) for each in (score.precision, score.recall, score.f1)]
    return [kind, *numbers, f"{score.there:,}"]


def _confused(
    folder: run_folder.RunFolder[configs.Config], counts: Mapping[tuple[str, str], int]
) -> list[report.Block]:
    """Shows the most frequent types against what they were taken for, and the worst pairs."""
    support: collections.Counter[str] = collections.Counter()
    for (right, _), count in counts.items():
        support[right] += count
    kinds = [kind for kind, _ in support.most_common(_KINDS)]
    matrix = np.array([[counts.get((one, other), 0) for other in kinds] for one in kinds])
    wrong = [(pair, count) for pair, count in counts.items() if pair[0] != pair[1]]
    first = sorted(wrong, key=lambda each: (-each[1], each[0]))[:_SHOWN]
    return [
        matrix_plots.confusion(
            folder.plots, matrix, [_named(kind) for kind in kinds], unit="words"
        ),
        report.Table(
            "The most frequent confusions, counted by words.",
            ["right", "given", "words"],
            [[right, given, f"{count:,}"] for (right, given), count in first],
        ),
    ]


def _sentences(corpus: data.Corpus, answers: scoring.Answers) -> report.Section:
    """Shows test sentences that are right and of which the model was sure, and the reverse."""
    found = []
    for sentence, tags, sure in zip(corpus.test, answers.tags, answers.probabilities, strict=True):
        pairs = zip(sentence.tags, tags, strict=True)
        wrong = sum(true != tag for true, tag in pairs if true)
        if any(tag not in ("O", "") for tag in sentence.tags) and len(tags) <= 40:
            found.append((wrong, float(sure.min()), sentence, tags))
    good = [each for each in found if not each[0]]
    bad = sorted((each for each in found if each[0]), key=lambda each: -each[1])
    blocks: list[report.Block] = []
    for caption, chosen in (("Right: ", good[:3]), ("Wrong, and sure of it: ", bad[:4])):
        for _, least, sentence, tags in chosen:
            said = caption + f"least probability of a word's tag {least:.2f}"
            # A tag that the data leave open is not part of the answer
            known = [
                tag if right else right for tag, right in zip(tags, sentence.tags, strict=True)
            ]
            shown = marked(sentence.words, known, corpus.scheme)
            true = marked(sentence.words, sentence.tags, corpus.scheme)
            blocks.append(report.Passage(said, shown if shown == true else f"{shown}\n({true})"))
    return report.Section("Successes and failures (what is right, in parentheses)", blocks)


def marked(words: Sequence[str], tags: Sequence[str], scheme: str) -> str:
    """Writes a sentence with its spans: "to [New York](city)"; marks stand after their words."""
    spans = tag_schemes.read(tags, scheme, strict=False)
    text, places = word_spans.in_characters(words, spans)

    def told(inner: str, kind: str) -> str:
        return inner + kind if kind in data.MARKS else f"[{inner}]({kind})"

    return word_spans.marked(text, places, told)
