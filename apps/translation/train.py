"""Learns to translate: `python -m apps.translation.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command, progress
from apps.translation import config as configs

TASK = "translation"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The weights with the best BLEU of validation pairs end in model.keras, beside the folders
    `source_pieces` and `target_pieces`; languages and the ratio of lengths are in config.json.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    from apps.suite import errors
    from apps.suite.data import pair_sets
    from apps.suite.distribution import distribution
    from apps.suite.runs import files, run_folder
    from apps.suite.sequences import pair_answers, pair_batches
    from apps.suite.texts import subwords
    from apps.suite.training import fit, learning, optimizer
    from apps.translation import data, evaluate, measures, model, scoring, trained_model

    corpus, settings, text = data.load(config), config.training, config.text
    for told in corpus.notes:
        print(f"note: {told}", flush=True)
    with progress.working("learning the pieces and encoding the texts"):
        source = subwords.learn(
            (pair.source for pair in corpus.train), text.source_vocabulary, text.source_pieces
        )
        target = subwords.learn(
            (pair.target for pair in corpus.train), text.target_vocabulary, text.target_pieces
        )
        learned, held_out = (
            pair_batches.encode(part, source, target, text.most_pieces)
            for part in (corpus.train, corpus.validation)
        )
    for part, encoded in (("training", learned), ("validation", held_out)):
        if len(encoded.source_starts) == 1:
            raise errors.UserError(
                f"{corpus.source}: all {part} pairs have a text of more than {text.most_pieces} "
                "pieces; give a higher --text.most_pieces"
            )
        if encoded.left_out:
            print(
                f"note: {encoded.left_out:,} {part} pairs have a text of more than "
                f"{text.most_pieces} pieces (--text.most_pieces), and are left out"
            )
    ratio = pair_batches.length_ratio(learned)
    fit.seed_everything(config.seed)
    description = run_folder.noted(corpus, languages=list(corpus.languages), length_ratio=ratio)
    with run_folder.start(Path(run), TASK, config, description, overwrite) as folder:
        source.save(folder.path / trained_model.SOURCE)
        target.save(folder.path / trained_model.TARGET)
        network = model.build(config, source.size, target.size)
        with distribution.scope():
            training = model.build_training(
                config, source.size, target.size, optimizer.optimizer(settings)
            )
        print(
            f"{corpus.name}: {len(learned.source_starts) - 1:,} training pairs, "
            f"{len(learned.sources):,} source pieces of {source.size:,} kinds and "
            f"{len(learned.targets):,} target pieces of {target.size:,} kinds; "
            f"{network.count_params():,} parameters; {settings.steps:,} steps"
        )
        questions = pair_sets.by_source(corpus.validation)
        writer = pair_answers.Writer(network, source, target, ratio)
        record = learning.learn(
            training,
            lambda first_step: data.batches(learned, config, first_step),
            settings,
            folder,
            pair_answers.Validation(network, writer, questions, held_out, measures.of_validation),
            saved=network,
            copied=lambda: training.copy_to(network),
            monitor="validation_bleu",
            higher_is_better=True,
        )
        if config.search.length_penalty is None:
            network.load_weights(folder.model_file)
            penalty, tried = scoring.chosen_penalty(
                writer,
                questions,
                config.search.beam_width,
                measures.tokenizer_of(corpus.languages[1], [each.target for each in corpus.test]),
                by_words=measures.by_words(text.source_pieces, [each.source for each in questions]),
            )
            told = ", ".join(f"{each:g}: {value:.4g}" for each, value in sorted(tried.items()))
            print(f"length penalty {penalty:g}, chosen on validation ({told or 'greedy'})")
            files.write_json(folder.path / trained_model.SEARCH, {"length_penalty": penalty})
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
