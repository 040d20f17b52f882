"""Learns to find objects in videos: `python -m apps.object_detection.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.object_detection import config as configs
from apps.suite.commands import command

TASK = "object_detection"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The weights with the best AP50 on the validation part end in model.keras; the names of the
    labels are in config.json.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.

    from apps.object_detection import data, evaluate, model, scoring, trained_model
    from apps.suite.distribution import distribution
    from apps.suite.runs import run_folder
    from apps.suite.training import fit, learning
    from apps.suite.videos import applications

    corpus = data.load(config)
    for note in corpus.notes:
        print(f"note: {note}")
    if config.model.backbone == "keras_applications":
        told = applications.describe(config.model.application_weights, config.model.fine_tune)
        print(f"{config.model.application}: {told}")
    fit.seed_everything(config.seed)
    settings, classes = config.training, len(corpus.label_names)
    noted = run_folder.noted(corpus, label_names=list(corpus.label_names))
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        with distribution.scope():
            learner = model.build_training(config, classes)
        kept = model.build(config, classes)
        print(
            f"{corpus.name}: {sum(len(each.frames) for each in corpus.train):,} training frames in "
            f"{len(corpus.train):,} videos, {classes} labels; {kept.count_params():,} parameters; "
            f"{settings.steps:,} steps",
            flush=True,
        )
        if config.evaluation.twin:
            run_folder.takes_longer("the evaluation trains the twin without memory, about as long")
        find = scoring.Finder(kept, config.model.boxes_per_frame)

        def validate() -> dict[str, float]:
            return scoring.of_validation(corpus.validation, find(corpus.validation), classes)

        record = learning.learn(
            learner,
            lambda first_step: data.batches(corpus.train, classes, config, first_step),
            settings,
            folder,
            validate,
            saved=kept,
            copied=lambda: model.copy_weights(learner, kept),
            monitor="validation_ap50",
            higher_is_better=True,
        )
        trained_model.write_threshold(folder, record)
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
