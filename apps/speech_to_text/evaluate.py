"""Measures a trained run on its test recordings: `python -m apps.speech_to_text.evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.speech_to_text import config as configs
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

TASK = "speech_to_text"
_STREAMED = 32  # test recordings that are heard as streams as well


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Words are counted over all test recordings together. The texts are normalised as those that
    were learned, and compared as they are. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    import numpy as np

    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    from apps.speech_to_text import baselines, data, measures, report, scoring, trained_model
    from apps.suite.sounds import sound_files

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus, config = run.trained, run.data, run.config
    learned = data.featured(corpus, "train", config, config.augmentation.copies)
    asked = data.featured(corpus, "test", config)
    truth = corpus.test.texts
    print(f"writing down {len(truth):,} test recordings", flush=True)
    recogniser = scoring.Recogniser(trained)
    answers = scoring.answers(recogniser, asked)
    evaluation.refuse_diverged(
        run.folder, np.array([1.0 if answers.is_finite else np.nan]), answers.language
    )
    heard = answers.chosen(trained.language_weight, trained.word_bonus)
    result = measures.scores(truth, heard)
    for name, texts in (("greedy", answers.greedy), ("beam", answers.beam)):
        result[f"{name}_word_error_rate"] = measures.scores(truth, texts)["word_error_rate"]
    result["language_nats_a_letter"] = scoring.language_nats(trained, truth)
    if config.streams:
        result |= scoring.streamed(trained, corpus.test, _STREAMED)
    print("measuring the baselines", flush=True)
    most, texts = config.evaluation.nearest_recordings, corpus.train.texts
    of_baselines = {
        "most_frequent_text": baselines.most_frequent(texts, len(truth)),
        "nearest_recording": baselines.nearest(learned, texts, asked, most, config.seed),
    }
    if config.evaluation.convolutional_twin:
        of_baselines["convolutional_twin"] = baselines.twin(
            learned, data.featured(corpus, "validation", config), asked, config, corpus.alphabet
        )
    scores = {name: measures.scores(truth, said) for name, said in of_baselines.items()}
    counts = {name: len(part.recordings) for name, part in corpus.parts.items()}
    metrics = comparison.metrics(
        counts, corpus.split, "recordings", "word_error_rate", result, scores,
        higher_is_better=False,
    )  # fmt: skip
    decoded = {"greedy": answers.greedy, "beam": answers.beam, "with the language model": heard}
    card = report.card(run.folder, corpus, metrics, decoded, trained)
    note = "Decoding of the model: " + ", ".join(
        f"{name} {measures.scores(truth, said)['word_error_rate']:.2%}"
        for name, said in decoded.items()
    )
    rate = config.audio.sample_rate_hz
    example = sound_files.write_example(run.folder.path, corpus.test.waveform(0), rate)
    return evaluation.finish(run.folder, metrics, card, [example], note=note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
