"""Learns which item comes next: `python -m apps.recommendation.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.recommendation import config as configs
from apps.suite.commands import command

TASK = "recommendation"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The weights with the highest NDCG@10 on a sample of the validation queries, all items ranked,
    are saved in model.keras; the names of the items are saved in items.json.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.

    from apps.recommendation import (
        answered_queries,
        data,
        evaluate,
        joining,
        model,
        ranking,
        trained_model,
        training_model,
    )
    from apps.suite.distribution import distribution
    from apps.suite.runs import run_folder
    from apps.suite.training import fit, learning, optimizer

    dataset = data.load(config)
    for line in dataset.understood:
        print(line, flush=True)
    fit.seed_everything(config.seed)
    settings, item_count = config.training, len(dataset.item_names)
    noted = run_folder.noted(dataset)
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        items = trained_model.Items(dataset.item_names, dataset.titles, dataset.item_counts)
        trained_model.write_items(folder.path, items)
        with distribution.scope():
            network = model.build(config, item_count, dataset.item_counts)
            learner = training_model.NextItemTraining(network, config, dataset.item_counts)
            learner.compile(optimizer.optimizer(settings), jit_compile=settings.jit_compile)
        print(
            f"{dataset.name}: {len(dataset.train.items):,} training events of {item_count:,} "
            f"items; {network.count_params():,} parameters; {settings.steps:,} steps"
        )
        score = trained_model.Scorer(network, config.model.history_items)

        def validate() -> dict[str, float]:
            found = answered_queries.on_validation(score, dataset, config)
            return {name: found[name] for name in (ranking.PRIMARY, "recall_at_10")}

        record = learning.learn(
            learner,
            lambda first_step: data.batches(dataset, config, first_step),
            settings,
            folder,
            validate,
            monitor=f"validation_{ranking.PRIMARY}",
            higher_is_better=True,
            saved=network,
        )
        if config.model.transitions and distribution.is_chief():
            print(joining.join(folder, dataset), flush=True)
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
