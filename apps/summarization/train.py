"""Learns to sum up texts: `python -m apps.summarization.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command
from apps.summarization import config as configs

TASK = "summarization"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The weights with the lowest nats on the validation part end in model.keras, beside the folder
    `pieces` with the vocabulary.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import tensorflow as tf

    from apps.suite.distribution import distribution
    from apps.suite.runs import run_folder
    from apps.suite.sequences import pair_answers
    from apps.suite.texts import normal_form, subwords
    from apps.suite.training import fit, learning, optimizer
    from apps.summarization import data, evaluate, model, trained_model

    corpus = data.load(config)
    for note in corpus.notes:
        print(f"note: {note}")
    settings, texts = config.training, config.text
    given = [(data.joined(pair, texts.title), pair.target) for pair in corpus.train]
    flat = tf.constant([each for both in given for each in both])
    normalised = normal_form.NormalForm()(flat).numpy()
    vocabulary = subwords.learn((each.decode() for each in normalised), texts.vocabulary_size)
    learned, held_out = (
        data.encode(part, vocabulary, texts) for part in (corpus.train, corpus.validation)
    )
    fit.seed_everything(config.seed)
    noted = run_folder.noted(corpus)
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        (folder.path / trained_model.VOCABULARY).mkdir(exist_ok=True)
        vocabulary.save(folder.path / trained_model.VOCABULARY)
        with distribution.scope():
            network = model.build(config, vocabulary.size)
            training = model.compiled(network, optimizer.optimizer(settings), config)
        cut = 100 * learned.left_out / len(corpus.train)
        passes = settings.steps * settings.batch_size / len(corpus.train)
        print(
            f"{corpus.name}: {len(corpus.train):,} training pairs, {vocabulary.size:,} pieces of "
            f"words, {cut:.1f} % of the texts are cut; {network.count_params():,} "
            f"parameters; {settings.steps:,} steps, {passes:.1f} passes"
        )
        record = learning.learn(
            training,
            lambda first_step: data.batches(learned, config, first_step),
            settings,
            folder,
            pair_answers.MeanNats(network, held_out),
            saved=network,
            copied=lambda: training.copy_to(network),
            monitor="validation_loss",
            higher_is_better=False,
        )
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
