"""Learns a value for a sequence, or for each step: `python -m apps.sequence_regression.train`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from apps.sequence_regression import config as configs
from apps.suite.commands import command

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
    import numpy as np

    from apps.sequence_regression import data, model, scoring, targets, trained_model
    from apps.suite.evaluation import regression
    from apps.suite.export import trained_run
    from apps.suite.runs import run_folder
    from apps.suite.sequences import members
    from apps.suite.training import fit as training
    from apps.suite.training import learning

    corpus = data.load(config)
    print("\n".join([corpus.understood(", ".join(corpus.target_names)), *corpus.notes]), flush=True)
    scale = data.target_scale(corpus, config.target)
    training.seed_everything(config.seed)
    settings, parts = config.training, corpus.learning
    values = parts.learned.sequences.values
    names, channels = corpus.target_names, corpus.channel_names
    noted = run_folder.noted(corpus, target_names=list(names), channel_names=list(channels))
    objective = model.loss(config, scale)
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        build = functools.partial(model.build, scale=scale)
        network, answering, vocabulary = members.learner(corpus, config, folder, build, objective)
        print(
            f"{corpus.name}: {len(parts.learned.sequences):,} training sequences, {len(values):,} "
            f"rows; to learn: {', '.join(names)}; {network.count_params():,} parameters; "
            f"{settings.steps:,} steps"
        )

        scorer = functools.partial(scoring.scorer, config=config, vocabulary=vocabulary)
        score = members.held_out(network, parts, scorer)
        truths = targets.capped(parts.validation.targets, config.target)

        def validate() -> dict[str, float]:
            outputs = score()
            value = outputs[..., config.model.answer_column].astype(float)
            found = regression.errors_of(value, truths)
            loss = float(objective(truths.astype(np.float32), outputs))
            return {"loss": loss, "rmse": found["rmse"], "mae": found["mae"]}

        record = learning.learn(
            network,
            lambda first_step: data.batches(corpus, config, vocabulary, first_step),
            settings,
            folder,
            validate,
            saved=answering,
            monitor="validation_mae" if config.model.answer == "median" else "validation_loss",
        )
        best = trained_run.model(folder)
        outputs = members.held_out(best, parts, scorer)()
        offsets = scoring.offsets(config, outputs, parts.validation)
        trained_model.write(
            folder,
            trained_model.TrainedModel(best, config, names, channels, offsets, vocabulary),
        )
        folder.finish_training(record.train_seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
