"""Learns to tell spoken words apart: `python -m apps.speech_commands.train`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from apps.speech_commands import config as configs
from apps.suite.commands import command

TASK = "speech_commands"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The features of the training clips and of their altered copies are extracted first, or come
    from the cache. The weights with the lowest loss on the validation clips are saved in
    model.keras with the features' statistics; the labels' names are in config.json. The loss
    decides because many checkpoints have the same accuracy on a few hundred clips.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import keras

    from apps.speech_commands import account, data, evaluate, model, scoring
    from apps.suite.distribution import distribution
    from apps.suite.evaluation import classification
    from apps.suite.runs import run_folder
    from apps.suite.sounds import feature_cache
    from apps.suite.training import fit, learning, optimizer

    corpus = data.load(config)
    print(account.of(corpus), flush=True)
    audio = dataclasses.replace(config.audio, clip_seconds=corpus.clip_seconds)
    config = dataclasses.replace(config, audio=audio)
    copies = config.augmentation.copies
    fingerprint = corpus.fingerprint
    learned = feature_cache.extracted(
        corpus.train,
        corpus.label_names,
        config,
        fingerprint=fingerprint,
        title="training",
        copies=copies,
        noise=corpus.noise,
    )
    held_out = feature_cache.extracted(
        corpus.validation, corpus.label_names, config, fingerprint=fingerprint, title="validation"
    )
    fit.seed_everything(config.seed)
    settings, classes = config.training, len(corpus.label_names)
    noted = run_folder.noted(corpus, label_names=list(corpus.label_names))
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        mean, variance = feature_cache.statistics(learned)
        with distribution.scope():
            network = model.build(config, classes, len(mean), mean, variance)
            network.compile(
                optimizer.optimizer(settings),
                keras.losses.CategoricalCrossentropy(
                    from_logits=True, label_smoothing=settings.label_smoothing
                ),
                metrics=["accuracy"],
                jit_compile=settings.jit_compile,
            )
        clips = len(corpus.train.recordings)
        print(
            f"{corpus.name}: {clips:,} training clips, {copies} altered copies of each, "
            f"{classes} labels; {network.count_params():,} parameters; {settings.steps:,} steps"
        )

        score = scoring.Scorer(network)

        def validate() -> dict[str, float]:
            answers = score(held_out)
            return {
                "loss": classification.cross_entropy(held_out.labels, answers),
                "accuracy": classification.scores(held_out.labels, answers)["accuracy"],
            }

        record = learning.learn(
            network,
            lambda first_step: data.batches(learned, classes, config, mean, first_step),
            settings,
            folder,
            validate,
        )
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
