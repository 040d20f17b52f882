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
    name = config.data or DEFAULT
    path = Path(name).expanduser()
    licence, order, rate = "your own data", tuple[str, ...](), 0.0
    if path.exists():
        column = config.target.column
        constant = () if config.per_step else (column,)
        sequences = own_files.read(
            path, config.data_format, {column: "word"}, constant=constant, own=config.own
        )
        source, known = str(path.resolve()), path.resolve().name
    elif path.suffix or name.startswith((".", "/", "~")):
        raise errors.UserError(f"{name}: no such file or folder")
    else:
        found = named.read(name, config.target.column)
        sequences, source, known = found.sequences, found.source, name
        licence, order, rate = found.licence, found.label_names, found.steps_per_second
    labelled = sequences.words.get(config.target.column)
    if labelled is None:
        raise errors.UserError(f"{source}: has no labels {config.target.column}")
    if config.per_step and not sequences.channel_names:
        raise errors.UserError(
            f"{source}: holds texts, which get one label each; leave --target.per sequence"
        )
    order = order or label_numbers.order({word for word in labelled.words if word})
    labels = label_numbers.numbered(sequences, labelled, order, source, by_step=config.per_step)
    sequence_statistics.refuse_empty(sequences, source)
    of_sequences = [""] * len(sequences) if config.per_step else [order[at] for at in labels]
    parts, split = parts_of_data.divided(
        sequences, of_sequences, config.data_format, config.own, config.seed
    )
    taken = parts_of_data.taken(sequences, parts, source)

    def rows(chosen: np.ndarray) -> np.ndarray:
        return ragged.rows_of(sequences.starts, chosen) if config.per_step else chosen

    of_parts = {part: labels[rows(chosen)] for part, (chosen, _) in taken.items()}
    order, numbers = label_numbers.known(order, {**of_parts, "all": labels}, source)
    folds = None
    if config.training.members > 1:
        every = parts_of_data.folds(
            sequences, of_sequences, parts, config.training.members, config.seed
        )
        folds = parts_of_data.folded(
            every,
            config.training.members,
            lambda chosen: Part(sequences.taken(chosen), numbers["all"][rows(chosen)]),
        )
    return Corpus(
        name=known,
        licence=licence,
        source=source,
        fingerprint=ragged.fingerprint(sequences),
        split=split,
        label_names=order,
        steps_per_second=rate,
        notes=sequences.notes,
        folds=folds,
        **{part: Part(each, numbers[part]) for part, (_, each) in taken.items()},
    )


def preprocess(
    given: tf.Tensor, known: words.Vocabulary | None = None
) -> tf.Tensor | dict[str, tf.Tensor]:
    """Returns the inputs of the network for values or texts, see `encoded_inputs.preprocessed`."""
    return encoded_inputs.preprocessed(given, known)


def batches(
    parts: parts_of_data.Folds[Part],
    classes: int,
    config: configs.Config,
    deviation: np.ndarray,
    known: words.Vocabulary | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns an endless stream of (inputs of the model, labels) in training.

    Args:
        parts: what is learned from is drawn from.
        classes: number of labels.
        config: sizes, alterations, seed.
        deviation: of each channel over them.
        known: the vocabulary, for texts.
        first_step: of a training that goes on.

    Returns:
        Inputs, and labels float32 (batch, classes) or (batch, time, classes): 1, or the label's
        weight, at the right label, and 0 everywhere at a step that does not count. With several
        members (batch, members, …), 0 everywhere where one does not learn.
    """
    settings, part = config.training, parts.learned
    rows = label_numbers.one_hot(part.labels, classes, settings.balanced)
    numbers = np.where(part.labels < 0, classes, part.labels).astype(np.int32)
    stream = training_examples.endless(
        training_examples.Examples(
            part.sequences,
            numbers,
            config.per_step,
            classes,
            members=settings.members,
            fold_of=parts.fold_of,
        ),
        config.alteration,
        deviation,
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
