"""Learns to write down speech: `python -m apps.speech_to_text.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.speech_to_text import config as configs
from apps.suite.commands import command

TASK = "speech_to_text"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The weights with the lowest loss on the validation part end in model.keras; then the language
    model learns, and the weights of both in an answer are chosen on the validation part. The loss
    begins with a stretch in which nothing but blanks is heard: it looks like a failure and is none.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import numpy as np

    from apps.speech_to_text import data, evaluate, language_model, model, scoring, trained_model
    from apps.suite.distribution import distribution
    from apps.suite.export import trained_run
    from apps.suite.runs import files, run_folder
    from apps.suite.sounds import feature_cache
    from apps.suite.training import fit, learning, optimizer

    corpus = data.load(config)
    print(data.told(corpus))
    texts = language_model.corpus_of(config, corpus.train.texts, corpus.alphabet)

    learned = data.featured(corpus, "train", config, config.augmentation.copies)
    held_out = data.featured(corpus, "validation", config)
    short = len(learned.features.labels) - len(learned.kept)
    if short:
        print(f"{short:,} altered copies are too short for their texts, and are left out")
    fit.seed_everything(config.seed)
    settings, letters = config.training, len(corpus.alphabet)
    noted = run_folder.noted(corpus, alphabet=list(corpus.alphabet))
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        mean, variance = feature_cache.statistics(learned.features)
        mean_letters = len(learned.labels) / max(1, len(learned.features.labels))
        with distribution.scope():
            network = model.compiled(
                model.build(config, letters, len(mean), mean, variance),
                optimizer.optimizer(settings),
                config,
                mean_letters,
            )
        print(
            f"{corpus.name}: {len(corpus.train.recordings):,} training recordings, "
            f"{config.augmentation.copies} altered copies of each; {network.count_params():,} "
            f"parameters; {settings.steps:,} steps. At first only blanks are heard: that is usual"
        )
        run_folder.takes_longer(
            f"the language model learns after that, {config.language.steps:,} steps of its own"
        )
        if config.evaluation.convolutional_twin:
            run_folder.takes_longer("the evaluation trains the twin without memory, about as long")
        record = learning.learn(
            network,
            lambda first_step: data.batches(learned, config, np.asarray(mean), first_step),
            settings,
            folder,
            scoring.Validation(network, held_out, corpus.alphabet),
        )
        language = language_model.train(config, texts, corpus.alphabet)
        with files.replacing(folder.path / trained_model.LANGUAGE_MODEL) as partial:
            language.save(partial)
        best = trained_run.model(folder)
        both = trained_model.TrainedModel(best, language, corpus.alphabet, config)
        found = scoring.answers(scoring.Recogniser(both), held_out)
        weight, bonus = scoring.chosen_weights(found, corpus.validation.texts)
        print(f"language model: weight {weight:g}, bonus of a word {bonus:g}, chosen on validation")
        content = {"language_weight": weight, "word_bonus": bonus}
        files.write_json(folder.path / trained_model.DECODING, content)
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
