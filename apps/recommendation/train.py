"""Learns which item comes next: `python -m apps.recommendation.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps import configuration
from apps.recommendation import config as configs

TASK = "recommendation"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or goes on with what is there, and evaluates.

    The weights with the highest NDCG@10 on a sample of the validation queries, all items ranked,
    end in model.keras, beside items.json with what the items are called.

    Raises:
        UserError: data that cannot be read, a run folder that is not this run's, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import keras

    from apps import distribution, optimization, run_folder, training, whole_files
    from apps.recommendation import (
        answered_queries,
        data,
        evaluate,
        item_file,
        measures,
        model,
        next_item_training,
        scoring,
    )

    dataset = data.load(config)
    training.seed_everything(config.seed)
    settings, item_count = config.training, len(dataset.item_names)
    description = {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "licence": dataset.licence,
        "source": dataset.source,
    }
    with run_folder.start(Path(run), TASK, config, description, overwrite) as folder:
        items = item_file.Items(dataset.item_names, dataset.titles, dataset.item_counts)
        item_file.write(folder.path, items)
        with distribution.scope():
            network = model.build(config, item_count, dataset.item_counts)
            learner = next_item_training.NextItemTraining(network, config, dataset.item_counts)
            learner.compile(optimization.optimizer(settings), jit_compile=settings.jit_compile)
        print(
            f"{dataset.name}: {len(dataset.train.items):,} training events of {item_count:,} "
            f"items; {network.count_params():,} parameters; {settings.steps:,} steps"
        )
        score = scoring.Scorer(network, config.model.history_items)

        def validate(_: keras.Model) -> dict[str, float]:
            found = answered_queries.on_validation(score, dataset, config)
            return {name: found[name] for name in (measures.PRIMARY, "recall_at_10")}

        def save_best(_: keras.Model) -> None:
            with whole_files.replacing(folder.model_file) as partial:
                network.save(partial)

        record = training.fit(
            learner,
            lambda first_step: data.batches(dataset, config, first_step),
            steps=settings.steps,
            steps_per_checkpoint=settings.steps_per_checkpoint,
            folder=folder,
            save_best=save_best,
            validate=validate,
            monitor=f"validation_{measures.PRIMARY}",
            higher_is_better=True,
            patience_checkpoints=settings.patience_checkpoints,
        )
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return configuration.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
