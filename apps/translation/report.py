"""Builds the task's part of the model card: by distance and length, attention, best and worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.suite.data import pair_sets
from apps.suite.evaluation import attention_plots, comparison, plots, report
from apps.suite.runs import run_folder
from apps.suite.texts import nearest_text
from apps.translation import baselines, measures, serving, trained_model
from apps.translation import config as configs

_NEAR = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 1.01))  # similarities to training sources
_LENGTHS = ((1, 4), (5, 8), (9, 15), (16, 30), (31, 10**9))  # of sources, in words
_SHOWN, _PICTURES, _LONGEST_PICTURE = 5, 3, 90  # examples; characters of a pictured text
_MEANING = {
    "bleu": "Agreement of runs of 1 to 4 words with the right translations, 0 to 100, over the "
    "whole part (Papineni et al. 2002), by sacreBLEU.",
    "bleu of unseen targets": "The same over test texts none of whose translations stands in the "
    "training part.",
    "chrf": "F-score of runs of 1 to 6 characters, 0 to 100 (Popović 2015).",
    "length ratio": "Characters of the answers to those of the right translations nearest in "
    "length; 1 is right.",
    "exact": "Share of the answers that are a right translation letter by letter.",
    "word error": "Share of the words with an error, 1 - exact.",
    "phoneme error": "Phonemes to insert, remove or exchange, to all phonemes.",
    baselines.MEMORY: "The translation of the training source with the nearest TF-IDF values: a "
    "translation memory.",
    baselines.DICTIONARY: "Each word by its likeliest translation (IBM model 1), in the order of "
    "the source.",
    baselines.COPY: "The source itself.",
}
_LIMITS = (
    "The numbers hold for texts like the test part's. Other words and longer sentences are "
    "translated worse, and a wrong translation reads as smoothly as a right one.",
    "BLEU compares with the translations of the data; another right translation counts as wrong.",
    "One run with one seed: a difference of half a point of BLEU may be chance.",
)


class Account(NamedTuple):
    """Answers of an evaluation: questions, the model's texts, the memory's, and the model.

    With sacreBLEU's cut into words.
    """

    corpus: pair_sets.Corpus
    questions: Sequence[pair_sets.Question]
    answers: Sequence[str]
    recalled: nearest_text.Recalled
    trained: trained_model.TrainedModel
    tokenizer: str

    def rows(self, groups: Mapping[str, Sequence[int]]) -> list[list[str]]:
        """Returns count, BLEU of the model and of the memory, exact share, for each group."""
        found = []
        for name, chosen in groups.items():
            if chosen:
                targets = [self.questions[at].targets for at in chosen]
                texts = [self.answers[at] for at in chosen]
                memory = [self.recalled.texts[at] for at in chosen]
                exact = np.mean([one in right for one, right in zip(texts, targets, strict=True)])
                values = (
                    measures.bleu(texts, targets, self.tokenizer),
                    measures.bleu(memory, targets, self.tokenizer),
                    float(exact),
                )
                found.append([name, f"{len(chosen):,}", *map(comparison.number, values)])
        return found


def card(
    folder: run_folder.RunFolder[configs.Config], account: Account, metrics: Mapping[str, Any]
) -> report.Card:
    """Draws the plots, and returns the model card."""
    corpus, config = account.corpus, folder.config.model
    name = comparison.words(metrics["primary"]["name"])
    near = {
        f"{low:.2f} to {min(high, 1.0):.2f}": [
            at for at, value in enumerate(account.recalled.similarity) if low <= value < high
        ]
        for low, high in _NEAR
    }
    words = [len(each.source.split()) for each in account.questions]
    long = {
        f"{low} to {high}" if high < 10**9 else f"{low} and more": [
            at for at, count in enumerate(words) if low <= count <= high
        ]
        for low, high in _LENGTHS
    }
    header = ["texts", "BLEU", "BLEU of the nearest source", "exact"]
    results: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, name),
        report.Paragraph(f"BLEU's signature: {metrics['data']['bleu_signature']}"),
        report.Table(
            "By similarity to the nearest training source (cosine of TF-IDF values).",
            ["similarity", *header],
            account.rows(near),
        ),
        report.Table("By length of the source.", ["words", *header], account.rows(long)),
        *(report.Paragraph(f"Of the data: {note}.") for note in corpus.notes),
    ]
    return report.Card(
        title="Translation",
        summary=f"An encoder (BiLSTM, {config.encoder_layers} x {config.encoder_units} units in "
        f"each direction) and a decoder (LSTM, {config.decoder_layers} x {config.units} "
        f"units) with {config.attention} attention, which writes a translation piece by piece. "
        f"It learned from {corpus.name}.",
        facts={
            "parameters": f"{account.trained.model.count_params():,}",
            "exact": comparison.number(metrics["test"]["exact"]),
            "length penalty": f"{account.trained.length_penalty:g}",
        },
        data={
            "Licence": corpus.licence,
            "Source": corpus.source,
            "Languages": " to ".join(each or "not named" for each in corpus.languages),
        },
        results=results,
        learning=report.learned(
            folder,
            "nats a piece",
            "The training loss is measured with dropout and smoothed targets. The weights "
            "with the best BLEU of validation texts, translated without a beam, were kept; "
            "history.csv has it for each checkpoint.",
        ),
        examples=[_attention(folder, account), _examples(account)],
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.asked_with_text(
            folder,
            account.questions[0].source,
            {
                "text": [account.questions[0].source],
                "beam_width": folder.config.search.beam_width,
                "length_penalty": account.trained.length_penalty,
            },
        ),
        presets=configs.PRESETS,
    )


def _attention(folder: run_folder.RunFolder[configs.Config], account: Account) -> report.Section:
    """Draws the attention of a few translations, the longer ones of about a line."""
    lengths = [len(each.source) for each in account.questions]
    order = sorted(
        (at for at, count in enumerate(lengths) if count <= _LONGEST_PICTURE),
        key=lambda at: -lengths[at],
    )
    chosen = order[:: max(1, len(order) // _PICTURES)][:_PICTURES]
    blocks: list[report.Block] = []
    served = serving.ServedTranslations(account.trained)
    for number, at in enumerate(chosen, 1):
        found = served.align(
            np.array([account.questions[at].source]), np.array([account.answers[at]])
        )
        names = ("source_pieces", "target_pieces", "attention")
        row = [found[each][0].numpy() for each in names]
        draw, height = attention_plots.drawing(*attention_plots.cut(*row))
        title = f"What the translation looks at, {number}"
        told = f"The pieces of {account.answers[at]!r} by the pieces of the source they look at."
        blocks.append(plots.save(folder.plots, f"attention_{number}", title, told, draw, height))
    return report.Section("Where the decoder looks", blocks)


def _examples(account: Account) -> report.Section:
    """Shows answers that are right though no source is near, and the worst ones."""
    near = account.recalled.similarity
    questions, answers = account.questions, account.answers
    right = [at for at, each in enumerate(questions) if answers[at] in each.targets]
    good = sorted(right, key=lambda at: float(near[at]))[:_SHOWN]
    wrong = sorted(set(range(len(questions))) - set(right))[:500]
    values = {at: measures.sentence_chrf(answers[at], questions[at].targets) for at in wrong}
    blocks: list[report.Block] = []
    for caption, chosen in (
        ("Right", good), ("Wrong", sorted(wrong, key=values.__getitem__)[:_SHOWN]),
    ):  # fmt: skip
        for at in chosen:
            said = f"{caption}; similarity of the nearest training source {near[at]:.2f}"
            text = f"{answers[at]}\n({questions[at].targets[0]})"
            if caption == "Right":
                text = f"{answers[at]}\n(nearest: {account.recalled.sources[at]})"
            blocks.append(report.Passage(said, text, lead=f"{questions[at].source}\n"))
    return report.Section("Best and worst (a right translation in parentheses)", blocks)
