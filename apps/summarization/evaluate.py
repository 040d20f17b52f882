"""Measures a trained run on its test texts: `python -m apps.summarization.evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders
from apps.summarization import config as configs

TASK = "summarization"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    The test texts are summed up once, as the export does it, with the search of the config. The
    baselines read the same texts, without their titles. The best sentence of each text, chosen by
    the true summary, is no rival: it stands in the report, and not among the baselines.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    from apps.suite.data import text_examples
    from apps.suite.texts import nearest_text
    from apps.summarization import baselines, data, measures, report, scoring, trained_model

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus, settings = run.trained, run.data, run.config.text
    test = corpus.test
    print(f"summing up {len(test):,} test texts", flush=True)
    encoded = data.encode(test, trained.vocabulary, settings)
    answers = scoring.answers(trained, encoded)
    evaluation.refuse_diverged(folder, answers.scores)
    true, texts = [pair.target for pair in test], [pair.source for pair in test]
    sources = [data.joined(pair, settings.title) for pair in test]
    text_examples.keep(folder.path, corpus, texts, 400)
    result = measures.scores(true, answers.summaries, sources)
    result["copied"] = report.share_copied(answers)
    print("summing up by the baselines", flush=True)
    validation = corpus.validation
    count = baselines.best_length(
        [pair.source for pair in validation], [pair.target for pair in validation]
    )
    known = [pair._replace(source=data.joined(pair, settings.title)) for pair in corpus.train]
    given = {
        f"{baselines.LEAD} ({count})": [baselines.first_words(text, count) for text in texts],
        baselines.SENTENCE: baselines.first_sentences(texts),
        baselines.RANK: [baselines.text_rank(text) for text in texts],
        baselines.NEAREST: nearest_text.nearest(known, sources, by_letters=False).texts,
    }
    of_baselines = {name: measures.scores(true, each, sources) for name, each in given.items()}
    ceiling = measures.scores(true, baselines.best_sentences(texts, true), sources)
    metrics = comparison.metrics(
        corpus.parts, corpus.split, "texts", measures.PRIMARY, result, of_baselines
    )
    cut, parameters = encoded.left_out / len(test), trained.model.count_params()
    card = report.card(folder, corpus, metrics, answers, ceiling, cut, parameters)
    note = f"It sums up {answers.texts_a_second:,.1f} texts a second here, {scoring.ROWS} at once."
    return evaluation.finish(folder, metrics, card, [sources[0][:200]], note=note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
