"""Measures a trained run on its test sentences: `python -m apps.tagging.evaluate`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation, tag_measures
from apps.suite.runs import run_folder as run_folders
from apps.tagging import config as configs

TASK = "tagging"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    The test sentences are tagged once, by the model and by the baselines alike, whole, and
    measured over all of them together. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    import numpy as np

    from apps.suite.data import text_examples
    from apps.tagging import baselines, data, report, scoring, trained_model

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus = run.trained, run.data
    test, scheme, names = corpus.test, corpus.scheme, trained.tag_names
    seen = {word.lower() for each in corpus.train for word in each.words}
    print(f"tagging {sum(len(each.words) for each in test):,} test words", flush=True)
    encoded = data.encode(test, corpus, trained.vocabulary)
    ask = scoring.asking(trained.model)
    ask(*data.padded(encoded, np.array([0]))[:2])  # the graph is built before the clock runs
    began = time.perf_counter()
    answers = scoring.answers(trained, encoded, ask)
    words_a_second = len(encoded.words) / (time.perf_counter() - began)
    evaluation.refuse_diverged(folder, *answers.probabilities, answers.labels)
    words, right = [each.words for each in test], [each.tags for each in test]
    text_examples.keep(folder.path, corpus, [" ".join(each) for each in words], 200)

    def scores(tags: tag_measures.Tags) -> dict[str, float]:
        return tag_measures.scores(words, right, tags, scheme, names, seen)

    result = scores(answers.tags)
    print("training the baselines", flush=True)
    given = {
        baselines.FREQUENT: baselines.most_frequent(corpus.train, test),
        baselines.CRFSUITE: baselines.crfsuite(corpus.train, test, run.config.seed),
    }
    of_baselines = {name: scores(tags) for name, tags in given.items()}
    if trained.label_names:
        chosen = [trained.label_names[at] for at in answers.labels.argmax(axis=1)]
        of_labels = baselines.labels(corpus.train, test)
        for name, labels in {"": chosen, **of_labels}.items():
            right_ones = sum(each.label == label for each, label in zip(test, labels, strict=True))
            scored = of_baselines.setdefault(name, {}) if name else result
            scored["label_accuracy"] = right_ones / len(test)
    metric = tag_measures.primary(scheme, names)
    metrics = comparison.metrics(
        corpus.parts, corpus.split, "sentences", metric, result, of_baselines
    )
    card = report.card(folder, corpus, metrics, answers, trained.model.count_params())
    note = f"It tags {words_a_second:,.0f} words a second here, in batches of {scoring.ROWS}."
    return evaluation.finish(folder, metrics, card, [" ".join(words[0][:12])], note=note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
