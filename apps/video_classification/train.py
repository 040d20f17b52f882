"""Learns to tell actions apart: `python -m apps.video_classification.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command
from apps.video_classification import config as configs

TASK = "video_classification"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The frames are sampled first, or come from the cache. The weights with the lowest loss on the
    validation videos, each the mean of its clips, are saved in model.keras, in float32; the labels'
    names are in config.json. With a frozen application and `cache_features` its features are
    computed once, and the layers after it learn from them; so with motion_statistics.

    With `training.learn_from_validation` the model also learns from the validation part. That part
    then chooses nothing, and the weights of the last step are kept.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import keras

    from apps.suite.distribution import distribution
    from apps.suite.evaluation import classification
    from apps.suite.runs import files, run_folder
    from apps.suite.training import fit, optimizer
    from apps.suite.videos import applications
    from apps.video_classification import (
        account,
        batches,
        clips,
        data,
        evaluate,
        model,
        scoring,
    )

    corpus = data.load(config)
    print(account.of(corpus, config), flush=True)
    fit.seed_everything(config.seed)
    last = config.training.learn_from_validation  # then every checkpoint is better than all before
    settings, sizes, classes = config.training, config.model, len(corpus.label_names)
    noted = run_folder.noted(corpus, label_names=list(corpus.label_names))
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        with distribution.scope():
            network = model.build(config, classes, trains=True)
            learned = model.per_frame(network) if sizes.per_frame else network
        kept = model.build(config, classes)
        scored, stream = network, data.batches
        learned_from, held_out = corpus.train, corpus.validation
        flip = config.evaluation.flip
        if sizes.backbone == "keras_applications":
            told = applications.describe(sizes.application_weights, sizes.fine_tune)
            print(f"{sizes.application}: {told}")
        if settings.learn_from_validation:
            learned_from = clips.joined(corpus.train, corpus.validation)
        described = learned_from
        if config.caches_features or sizes.backbone == "motion_statistics":
            described = batches.encoded(network, learned_from)
        if sizes.backbone == "motion_statistics":
            network.get_layer(model.SCALE).fit(described.store, described.lengths)
        if config.caches_features:
            with distribution.scope():
                learned = model.head(config, network, every_frame=sizes.per_frame)
            scored, stream, flip = model.head(config, network), batches.endless_features, False
            held_out = batches.encoded(network, corpus.validation)
            learned_from = described
        with distribution.scope():
            learned.compile(
                optimizer.optimizer(settings),
                keras.losses.CategoricalCrossentropy(
                    from_logits=True, label_smoothing=settings.label_smoothing
                ),
                weighted_metrics=["accuracy"],
                jit_compile=settings.jit_compile,
            )
        print(
            f"{corpus.name}: {len(learned_from.names):,} training videos, {len(learned_from):,} "
            f"clips of them, {classes} labels; {network.count_params():,} parameters; "
            f"{settings.steps:,} steps"
        )
        score = scoring.Scorer(scored)

        def validate(_: keras.Model) -> dict[str, float]:
            answers = scoring.of_videos(score(held_out, flip), held_out)
            labels = held_out.video_labels
            return {
                "loss": classification.cross_entropy(labels, answers),
                "accuracy": classification.scores(labels, answers)["accuracy"],
            }

        def save_best(_: keras.Model) -> None:
            kept.set_weights(network.get_weights())
            with files.replacing(folder.model_file) as partial:
                kept.save(partial)

        record = fit.fit(
            learned,
            lambda first_step: stream(learned_from, classes, config, first_step),
            steps=settings.steps,
            steps_per_checkpoint=settings.steps_per_checkpoint,
            folder=folder,
            save_best=save_best,
            **({"monitor": "step", "higher_is_better": True} if last else {"validate": validate}),
            patience_checkpoints=settings.patience_checkpoints,
        )
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
