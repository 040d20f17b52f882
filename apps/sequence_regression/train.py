"""Learns a value for a sequence, or for each step: `python -m apps.sequence_regression.train`."""

from __future__ import annotations

import functools
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.sequence_regression import config as configs
from apps.suite.commands import command

if typing.TYPE_CHECKING:
    import numpy as np

TASK = "sequence_regression"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    fit(config, run, overwrite=overwrite)
    from apps.sequence_regression import evaluate

    evaluate.evaluate(run)


def fit(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run` as `train` does, and does not evaluate.

    The weights with the least loss on the validation part (the least absolute error where the
    median answers) are saved in model.keras with the statistics of channels and targets. How far
    the intervals have to move, which the validation part shows too, is saved in intervals.json.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    from apps.sequence_regression import data, model, scoring, targets, trained_model
    from apps.suite.evaluation import regression
    from apps.suite.runs import run_folder
    from apps.suite.sequences import members
    from apps.suite.training import fit as training

    corpus = data.load(config)
    names, held_out = corpus.target_names, corpus.learning.validation
    print("\n".join([corpus.understood(", ".join(names)), *corpus.notes]), flush=True)
    scale = data.target_scale(corpus, config.target)
    training.seed_everything(config.seed)
    noted = run_folder.noted(
        corpus, target_names=list(names), channel_names=list(corpus.channel_names)
    )
    objective = model.loss(config, scale)
    truths = targets.capped(held_out.targets, config.target)

    def measured(outputs: np.ndarray) -> dict[str, float]:
        value = outputs[..., config.model.answer_column].astype(float)
        found = regression.errors_of(value, truths)
        loss = float(objective(truths.astype("float32"), outputs))
        return {"loss": loss, "rmse": found["rmse"], "mae": found["mae"]}

    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        learned = members.learn(
            corpus,
            config,
            folder,
            ", ".join(names),
            build=functools.partial(model.build, scale=scale),
            loss=objective,
            batches=data.batches,
            scorer=functools.partial(scoring.scorer, config=config),
            measured=measured,
            monitor="validation_mae" if config.model.answer == "median" else "validation_loss",
        )
        offsets = scoring.offsets(config, learned.answers(), held_out)
        trained_model.write(folder, offsets)
        folder.finish_training(learned.record.train_seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
