"""Learns to label words: `python -m apps.tagging.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command
from apps.tagging import config as configs

TASK = "tagging"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The weights with the best accuracy of tags on the validation part end in model.keras, beside
    the folder `vocabulary`; the names of tags and labels are in config.json.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    from apps.suite.distribution import distribution
    from apps.suite.runs import files, run_folder
    from apps.suite.texts import words
    from apps.suite.training import fit, learning, optimizer
    from apps.tagging import data, evaluate, model, scoring, trained_model

    corpus = data.load(config)
    print(corpus.understood, flush=True)
    if corpus.unlearned:
        print(f"not in the train part, and so never answered: {', '.join(corpus.unlearned[:10])}")
    vocabulary = words.learn_words(
        (each.words for each in corpus.train),
        size=config.text.vocabulary_size,
        least_count=config.text.least_count,
        lowercase=config.text.lowercase,
        most_words=config.text.most_words,
    )
    learned, held_out = (
        data.encode(part, corpus, vocabulary) for part in (corpus.train, corpus.validation)
    )
    fit.seed_everything(config.seed)
    settings, label_names = config.training, corpus.label_names
    noted = run_folder.noted(
        corpus, scheme=corpus.scheme, tag_names=corpus.tag_names, label_names=label_names
    )
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        (folder.path / trained_model.VOCABULARY).mkdir(exist_ok=True)
        vocabulary.save(folder.path / trained_model.VOCABULARY)
        with distribution.scope():
            network = model.build(
                config, vocabulary, corpus.tag_names, corpus.scheme, len(label_names)
            )
            learner = model.compiled(
                network,
                optimizer.optimizer(settings),
                config,
                mean_words=len(learned.words) / len(corpus.train),
            )
        print(
            f"{corpus.name}: {len(learned.words):,} training words in {len(corpus.train):,} "
            f"sentences; tags of the scheme {corpus.scheme}, {len(corpus.tag_names)} in the model; "
            f"{network.count_params():,} parameters; {settings.steps:,} steps"
        )

        with_spans = corpus.tag_names if corpus.scheme != "plain" else ()
        record = learning.learn(
            learner,
            lambda first_step: data.batches(
                learned, config, bool(label_names), first_step, with_spans
            ),
            settings,
            folder,
            scoring.Validation(network, held_out),
            saved=network,
            monitor="validation_accuracy",
            higher_is_better=True,
        )
        if model.decision_of(network):
            trained = trained_model.read(folder)
            right = [each.tags for each in corpus.validation]
            outside = scoring.decide(trained, held_out, right)
            print(f"taken off the scores of O, for the best F1: {outside:.1f} nats")
            with files.replacing(folder.model_file) as partial:
                trained.model.save(partial)
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
