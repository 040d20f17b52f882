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
    import numpy as np

    from apps.sequence_regression import data, evaluate, model, scoring, targets, trained_model
    from apps.suite.distribution import distribution
    from apps.suite.evaluation import regression
    from apps.suite.export import trained_run
    from apps.suite.runs import run_folder
    from apps.suite.sequences import sequence_statistics
    from apps.suite.training import fit, learning

    corpus = data.load(config)
    print("\n".join([corpus.understood(", ".join(corpus.target_names)), *corpus.notes]), flush=True)
    scale = data.target_scale(corpus)
    fit.seed_everything(config.seed)
    settings, values = config.training, corpus.train.sequences.values
    names, channels = corpus.target_names, corpus.channel_names
    noted = run_folder.noted(corpus, target_names=list(names), channel_names=list(channels))
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        vocabulary = corpus.vocabulary(config.text)
        if vocabulary is not None and distribution.is_chief():
            vocabulary.save(folder.path)
        learned = sequence_statistics.of_channels(values)
        objective = model.loss(config, scale)
        with distribution.scope():
            network = model.build(
                config,
                len(channels),
                scale,
                learned,
                indicators=bool((learned.counts < len(values)).any()),
                vocabulary=vocabulary,
            )
            learning.compiled(network, settings, objective)
        print(
            f"{corpus.name}: {len(corpus.train.sequences):,} training sequences, {len(values):,} "
            f"rows; to learn: {', '.join(names)}; {network.count_params():,} parameters; "
            f"{settings.steps:,} steps"
        )
        score = scoring.Scorer(network, config, vocabulary)
        truths = targets.capped(corpus.validation.targets, config.target)

        def validate() -> dict[str, float]:
            outputs = score(corpus.validation)
            column = 0 if config.model.answer == "mean" else 2
            found = regression.errors_of(outputs[..., column].astype(float), truths)
            loss = float(objective(truths.astype(np.float32), outputs))
            return {"loss": loss, "rmse": found["rmse"], "mae": found["mae"]}

        record = learning.learn(
            network,
            lambda first_step: data.batches(corpus, config, vocabulary, first_step),
            settings,
            folder,
            validate,
        )
        best = trained_run.model(folder)
        outputs = scoring.Scorer(best, config, vocabulary)(corpus.validation)
        offsets = scoring.offsets(config, outputs, corpus.validation)
        trained_model.write(
            folder,
            trained_model.TrainedModel(best, config, names, channels, offsets, vocabulary),
        )
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
