"""Learns labels of sequences or of their steps: `python -m apps.sequence_classification.train`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from apps.sequence_classification import config as configs
from apps.suite.commands import command

TASK = "sequence_classification"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    fit(config, run, overwrite=overwrite)
    from apps.sequence_classification import evaluate

    evaluate.evaluate(run)


def fit(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run` as `train` does, and does not evaluate.

    The weights with the lowest loss on the validation part are saved in model.keras; labels and
    channels are in config.json, the words of texts in words.txt and letters.txt.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import numpy as np

    from apps.sequence_classification import data, model, scoring, trained_model
    from apps.suite.evaluation import classification
    from apps.suite.export import trained_run
    from apps.suite.runs import run_folder
    from apps.suite.sequence_answers import smoothing
    from apps.suite.sequences import members
    from apps.suite.training import fit as training
    from apps.suite.training import learning

    corpus = data.load(config)
    print("\n".join([corpus.understood(data.account_of_labels(corpus)), *corpus.notes]), flush=True)
    training.seed_everything(config.seed)
    settings, classes, parts = config.training, len(corpus.label_names), corpus.learning
    channels = corpus.channel_names
    noted = run_folder.noted(
        corpus, label_names=list(corpus.label_names), channel_names=list(channels)
    )
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        network, answering, vocabulary = members.learner(
            corpus,
            config,
            folder,
            functools.partial(model.build, classes=classes),
            model.loss(config),
        )
        print(
            f"{corpus.name}: {len(parts.learned.sequences):,} training sequences, "
            f"{len(parts.learned.labels):,} labels of {classes} kinds; "
            f"{network.count_params():,} parameters; {settings.steps:,} steps"
        )

        scorer = functools.partial(scoring.scorer, vocabulary=vocabulary)
        score = members.held_out(network, parts, scorer)

        def validate() -> dict[str, float]:
            labels, answers = scoring.known_steps(parts.validation, score())
            return {
                "loss": classification.cross_entropy(labels, answers),
                "accuracy": float(np.mean(answers.argmax(axis=1) == labels)),
            }

        record = learning.learn(
            network,
            lambda first_step: data.batches(corpus, config, vocabulary, first_step),
            settings,
            folder,
            validate,
            saved=answering,
        )
        if config.target.smoothed:
            held_out = parts.validation
            answers = members.held_out(trained_run.model(folder), parts, scorer)()
            smooth, said = smoothing.chosen(held_out.sequences, held_out.labels, answers)
            trained_model.write(folder, smooth)
            print(said)
        folder.finish_training(record.train_seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
