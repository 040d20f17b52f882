"""Learns a value for a sequence, or for each step: `python -m apps.sequence_regression.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.sequence_regression import config as configs
from apps.suite.commands import command

TASK = "sequence_regression"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The weights with the least error on the validation part are saved in model.keras with the
    statistics of channels and targets. How far the intervals have to move, which the validation
    part shows too, is saved in intervals.json.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import keras
    import numpy as np

    from apps.sequence_regression import data, evaluate, model, scoring, targets, trained_model
    from apps.suite.distribution import distribution
    from apps.suite.export import trained_run
    from apps.suite.runs import files, run_folder
    from apps.suite.sequences import sequence_statistics
    from apps.suite.training import fit, optimizer

    corpus = data.load(config)
    for note in corpus.notes:
        print(note)
    scale = data.target_scale(corpus)
    fit.seed_everything(config.seed)
    settings, values = config.training, corpus.train.sequences.values
    description = {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "licence": corpus.licence,
        "source": corpus.source,
        "target_names": list(corpus.target_names),
        "channel_names": list(corpus.channel_names),
    }
    with run_folder.start(Path(run), TASK, config, description, overwrite) as folder:
        vocabulary = data.vocabulary(corpus, config)
        if vocabulary is not None and distribution.is_chief():
            vocabulary.save(folder.path)
        learned = sequence_statistics.of_channels(values)
        with distribution.scope():
            network = model.build(
                config,
                len(corpus.channel_names),
                scale,
                learned,
                indicators=bool((learned.counts < len(values)).any()),
                vocabulary=vocabulary,
            )
            network.compile(
                optimizer.optimizer(settings),
                model.loss(config, scale),
                jit_compile=settings.jit_compile,
            )
        print(
            f"{corpus.name}: {len(corpus.train.sequences):,} training sequences, {len(values):,} "
            f"rows; to learn: {', '.join(corpus.target_names)}; {network.count_params():,} "
            f"parameters; {settings.steps:,} steps"
        )
        score = scoring.Scorer(network, config, vocabulary)
        truths = targets.capped(corpus.validation.targets, config.target)
        objective = model.loss(config, scale)

        def validate(_: keras.Model) -> dict[str, float]:
            outputs = score(corpus.validation)
            column = 0 if config.model.answer == "mean" else 2
            found = scoring.errors_of(outputs[..., column].astype(float), truths)
            loss = float(objective(truths.astype(np.float32), outputs))
            return {"loss": loss, "rmse": found["rmse"], "mae": found["mae"]}

        def save_best(trained: keras.Model) -> None:
            with files.replacing(folder.model_file) as partial:
                trained.save(partial)

        record = fit.fit(
            network,
            lambda first_step: data.batches(corpus, config, vocabulary, first_step),
            steps=settings.steps,
            steps_per_checkpoint=settings.steps_per_checkpoint,
            folder=folder,
            save_best=save_best,
            validate=validate,
            patience_checkpoints=settings.patience_checkpoints,
        )
        best = trained_run.model(folder)
        outputs = scoring.Scorer(best, config, vocabulary)(corpus.validation)
        trained_model.write(
            folder,
            trained_model.TrainedModel(
                best,
                config,
                corpus.target_names,
                corpus.channel_names,
                scoring.offsets(config, outputs, corpus.validation),
                vocabulary,
            ),
        )
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
