"""Loads sequences or texts with labels in three parts, and batches them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps.sequence_classification import config as configs
from apps.suite import errors
from apps.suite.data import account
from apps.suite.sequence_files import named, own_files
from apps.suite.sequences import encoded_inputs, ragged, sequence_statistics, training_examples
from apps.suite.sequences import labels as label_numbers
from apps.suite.sequences import parts as parts_of_data
from apps.suite.texts import words

DEFAULT = "japanese_vowels"


class Part(NamedTuple):
    """Sequences with their labels.

    Attributes:
        sequences: texts have no channels; their text is `words["text"]`.
        labels: int32 [sequences], or [steps] with labels by step; -1 at a step without a label.
    """

    sequences: ragged.Sequences
    labels: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Corpus(parts_of_data.Corpus[Part]):
    """All that is learned from and measured on; `steps_per_second` is 0 where it is not known."""

    label_names: tuple[str, ...]
    steps_per_second: float = 0.0


def load(config: configs.Config) -> Corpus:
    """Finds the sequences of `config.data`, and divides them into parts.

    `config.data` is a file or folder of the user's own (the README lists the formats), or the name
    of a set; files come first. The parts are the data's own; a missing part is taken from train,
    groups as a whole, labels spread alike (`division.by_group`).

    Raises:
        UserError: nothing of that name, or data that cannot be learned; the message names the
            file, line, sequence or label.
    """
    column, by_step = config.target.column, config.per_step

    def own(path: Path) -> ragged.Sequences:
        constant = () if by_step else (column,)
        return own_files.read(
            path, config.data_format, {column: "word"}, constant=constant, own=config.own
        )

    found = named.found(config.data or DEFAULT, column, own)
    sequences, source = found.sequences, found.source
    labelled = sequences.words.get(column)
    if labelled is None:
        raise errors.UserError(f"{source}: has no labels {column}")
    if by_step and not sequences.channel_names:
        raise errors.UserError(
            f"{source}: holds texts, which get one label each; leave --target.per sequence"
        )
    order = found.names or label_numbers.order({word for word in labelled.words if word})
    labels = label_numbers.numbered(sequences, labelled, order, source, by_step=by_step)
    sequence_statistics.refuse_empty(sequences, source)
    of_sequences = [""] * len(sequences) if by_step else [order[at] for at in labels]
    parts, split = parts_of_data.divided(
        sequences, of_sequences, config.data_format, config.own, config.seed
    )

    def rows(chosen: np.ndarray) -> np.ndarray:
        return ragged.rows_of(sequences.starts, chosen) if by_step else chosen

    chosen = parts_of_data.numbers(parts, source)
    of_parts = {part: labels[rows(each)] for part, each in chosen.items()}
    order, known = label_numbers.known(order, {**of_parts, "all": labels}, source)

    def part(_: str, chosen: np.ndarray) -> Part:
        return Part(sequences.taken(chosen), known["all"][rows(chosen)])

    return Corpus(
        name=found.name,
        licence=found.licence,
        source=source,
        fingerprint=ragged.fingerprint(sequences),
        split=split,
        label_names=order,
        steps_per_second=found.steps_per_second,
        notes=sequences.notes,
        folds=parts_of_data.folded(
            sequences,
            of_sequences,
            parts,
            part,
            config.model.networks(config.training.members),
            config.seed,
        ),
        **{name: part(name, each) for name, each in chosen.items()},
    )


def preprocess(
    given: tf.Tensor, known: words.Vocabulary | None = None
) -> tf.Tensor | dict[str, tf.Tensor]:
    """Returns the inputs of the network for values or texts, see `encoded_inputs.preprocessed`."""
    return encoded_inputs.preprocessed(given, known)


def batches(
    corpus: Corpus,
    config: configs.Config,
    known: words.Vocabulary | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns an endless stream of (inputs of the model, labels) in training.

    Args:
        corpus: what is learned from is drawn from.
        config: sizes, alterations, seed.
        known: the vocabulary, for texts.
        first_step: of a training that goes on.

    Returns:
        Inputs, and labels float32 (batch, classes) or (batch, time, classes): 1, or the label's
        weight, at the right label, and 0 everywhere at a step that does not count. With several
        members (batch, members, …), 0 everywhere where one does not learn.
    """
    settings, part, classes = config.training, corpus.learning.learned, len(corpus.label_names)
    rows = label_numbers.one_hot(part.labels, classes, settings.balanced)
    stream = training_examples.endless(
        training_examples.Examples(
            part.sequences,
            np.where(part.labels < 0, classes, part.labels).astype(np.int32),
            config.per_step,
            classes,
            members=config.model.networks(settings.members),
            fold_of=corpus.learning.fold_of,
        ),
        config.alteration,
        known,
        batch_size=settings.batch_size,
        seed=(config.seed, 1),
        first_step=first_step,
        longest_steps=settings.longest_steps,
        sort=settings.sort_by_length,
    )
    return stream.map(lambda inputs, labels: (inputs, tf.gather(rows, labels)))


def account_of_labels(corpus: Corpus) -> str:
    """Returns the labels with the number of their sequences, or of their steps."""
    given = np.concatenate([part.labels for part in corpus.parts.values()])
    names = corpus.label_names
    return account.labels(names, (names[at] for at in given[given >= 0]))
