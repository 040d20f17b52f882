"""Measures a trained run on its test pairs: `python -m apps.translation.evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders
from apps.translation import config as configs

TASK = "translation"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Each test source is translated once, by the model and by the baselines alike, and compared with
    all its translations. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    from apps.suite.data import pair_sets, text_examples
    from apps.suite.sequences import pair_answers
    from apps.suite.texts import nearest_text
    from apps.translation import baselines, data, measures, report, trained_model

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus, search = run.trained, run.data, run.config.search
    questions = pair_sets.by_source(corpus.test)
    sources = [each.source for each in questions]
    by_letters = measures.by_words(run.config.text.source_pieces, sources)
    print(f"translating {len(sources):,} test texts", flush=True)
    answers = trained.writer(sources, search.beam_width, trained.length_penalty)
    evaluation.refuse_diverged(folder, answers.log_probabilities)
    text_examples.keep(folder.path, corpus, sources, 200)
    tokenizer = measures.tokenizer_of(corpus.languages[1], [each.target for each in corpus.test])
    print("translating by the baselines", flush=True)
    recalled = nearest_text.nearest(corpus.train, sources, by_letters=by_letters)
    given = {
        baselines.MEMORY: recalled.texts,
        baselines.DICTIONARY: baselines.word_for_word(corpus.train, sources, by_letters=by_letters),
        baselines.COPY: sources,
    }

    def scores(texts: Sequence[str], chosen: Sequence[int]) -> dict[str, float]:
        return measures.scores(
            [texts[at] for at in chosen],
            [questions[at] for at in chosen],
            tokenizer,
            by_words=by_letters,
        )

    everything = range(len(questions))
    result = scores(answers.texts, everything)
    of_baselines = {name: scores(texts, everything) for name, texts in given.items()}
    known = {pair.target for pair in corpus.train}
    unseen = [at for at in everything if not known & set(questions[at].targets)]
    if 0 < len(unseen) < len(questions):
        result["bleu_of_unseen_targets"] = scores(answers.texts, unseen)["bleu"]
        for name, texts in given.items():
            of_baselines[name]["bleu_of_unseen_targets"] = scores(texts, unseen)["bleu"]
    name, higher = measures.primary(by_words=by_letters)
    signature = measures.signature(answers.texts, [each.targets for each in questions], tokenizer)
    metrics = comparison.metrics(
        corpus.parts,
        corpus.split,
        "pairs",
        name,
        result,
        of_baselines,
        higher_is_better=higher,
        test_sources=len(questions),
        bleu_signature=signature,
    )
    account = report.Account(corpus, questions, answers.texts, recalled, trained, tokenizer)
    card = report.card(folder, account, metrics)
    note = (
        f"BLEU by sacreBLEU, {signature}\n"
        f"It translates {answers.texts_a_second:,.0f} texts a second here, in batches of "
        f"{pair_answers.ROWS} with a beam of {search.beam_width} "
        f"and a length penalty of {trained.length_penalty:g}."
    )
    return evaluation.finish(folder, metrics, card, [sources[0]], note=note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
