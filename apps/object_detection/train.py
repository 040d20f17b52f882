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

    from apps.object_detection import data, evaluate, model, scoring
    from apps.suite.distribution import distribution
    from apps.suite.runs import run_folder
    from apps.suite.training import fit, learning, optimizer

    corpus = data.load(config)
    for note in corpus.notes:
        print(f"note: {note}")
    fit.seed_everything(config.seed)
    settings, classes = config.training, len(corpus.label_names)
    description = {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "licence": corpus.licence,
        "source": corpus.source,
        "label_names": list(corpus.label_names),
    }
    with run_folder.start(Path(run), TASK, config, description, overwrite) as folder:
        with distribution.scope():
            network = model.build(config, classes)
            network.compile(
                optimizer.optimizer(settings),
                model.loss(settings.size_weight, settings.offset_weight),
                jit_compile=settings.jit_compile,
            )
        print(
            f"{corpus.name}: {sum(len(each.frames) for each in corpus.train):,} training frames in "
            f"{len(corpus.train):,} videos, {classes} labels; {network.count_params():,} "
            f"parameters; {settings.steps:,} steps",
            flush=True,
        )
        find = scoring.Finder(network, config.model.boxes_per_frame)

        def validate() -> dict[str, float]:
            scores = scoring.scores(corpus.validation, find(corpus.validation), classes)
            return {name: scores[name] for name in ("ap50", "ap")}

        record = learning.learn(
            network,
            lambda first_step: data.batches(corpus.train, classes, config, first_step),
            settings,
            folder,
            validate,
            monitor="validation_ap50",
            higher_is_better=True,
        )
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
