"""Learns to continue a text: `python -m apps.text_generation.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command, progress
from apps.text_generation import config as configs

TASK = "text_generation"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or goes on with what is there, and evaluates.

    Rows of windows walk through the text side by side, and the recurrent state goes with them from
    window to window. The weights with the lowest validation loss end in model.keras, as a
    streaming model (`model.build_streaming`), beside the folder `tokenizer`.

    Raises:
        UserError: data that cannot be read, a run folder that is not this run's, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import keras

    from apps.suite import process
    from apps.suite.distribution import distribution
    from apps.suite.runs import files, run_folder
    from apps.suite.texts import tokenizer as vocabulary
    from apps.suite.training import fit, optimizer
    from apps.text_generation import account, data, evaluate, model, scoring

    process.divide_cores(config.training.batch_parts)
    text = data.load(config)
    print(account.of(text, config), flush=True)
    with progress.working("learning the vocabulary and encoding the text"):
        tokenizer = vocabulary.learn(config.text.tokenizer, config.text.vocabulary_size, text.train)
        tokens = data.encode(text, tokenizer, config)
    fit.seed_everything(config.seed)
    settings = config.training

    noted = run_folder.noted(text)
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        tokenizer.save(folder.path / "tokenizer")
        streaming = model.build_streaming(config, tokenizer.vocabulary_size)
        with distribution.scope():
            network = model.build(config, tokenizer.vocabulary_size, settings.batch_parts)
            network.compile(optimizer.optimizer(settings), jit_compile=settings.jit_compile)
        print(
            f"{text.name}: {len(tokens.train):,} training tokens of {tokenizer.vocabulary_size} "
            f"kinds; {streaming.count_params():,} parameters; {settings.steps:,} steps"
        )

        def validate(trained: keras.Model) -> dict[str, float]:
            model.copy_weights(trained, streaming)
            return {"loss": scoring.nats_per_token(streaming, tokens.validation)}

        def save_best(trained: keras.Model) -> None:
            model.copy_weights(trained, streaming)
            with files.replacing(folder.model_file) as partial:
                streaming.save(partial)

        record = fit.fit(
            network,
            lambda first_step: data.batches(
                tokens.train, settings.batch_size, settings.window_tokens, first_step, config.seed
            ),
            steps=settings.steps,
            steps_per_checkpoint=settings.steps_per_checkpoint,
            folder=folder,
            save_best=save_best,
            validate=validate,
            patience_checkpoints=settings.patience_checkpoints,
            callbacks=[model.FreshStarts(settings.reset_windows, settings.steps_per_checkpoint)],
        )
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
