"""Learns labels of sequences or of their steps: `python -m apps.sequence_classification.train`."""

from __future__ import annotations

import functools
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.sequence_classification import config as configs
from apps.suite.commands import command

if typing.TYPE_CHECKING:
    import numpy as np

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
    from apps.sequence_classification import data, model, scoring, trained_model
    from apps.suite.evaluation import classification
    from apps.suite.runs import run_folder
    from apps.suite.sequence_answers import smoothing
    from apps.suite.sequences import members
    from apps.suite.training import fit as training

    corpus = data.load(config)
    names, held_out = corpus.label_names, corpus.learning.validation
    print("\n".join([corpus.understood(data.account_of_labels(corpus)), *corpus.notes]), flush=True)
    training.seed_everything(config.seed)
    noted = run_folder.noted(
        corpus, label_names=list(names), channel_names=list(corpus.channel_names)
    )

    def measured(answers: np.ndarray) -> dict[str, float]:
        labels, known = scoring.known_steps(held_out, answers)
        return {
            "loss": classification.cross_entropy(labels, known),
            "accuracy": float((known.argmax(axis=1) == labels).mean()),
        }

    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        learned = members.learn(
            corpus,
            config,
            folder,
            f"{len(corpus.learning.learned.labels):,} labels of {len(names)} kinds",
            build=functools.partial(model.build, classes=len(names)),
            loss=model.loss(config),
            batches=data.batches,
            scorer=scoring.scorer,
            measured=measured,
        )
        if config.target.smoothed:
            smooth, said = smoothing.chosen(held_out.sequences, held_out.labels, learned.answers())
            trained_model.write(folder, smooth)
            print(said)
        folder.finish_training(learned.record.train_seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
