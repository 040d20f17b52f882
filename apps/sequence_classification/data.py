"""Loads sequences or texts with labels in three parts, and batches them."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.sequence_classification import config as configs
from apps.suite import errors
from apps.suite.sequence_files import named, own_files
from apps.suite.sequences import encoded_inputs, ragged, sequence_statistics, training_examples
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

    @property
    def texts(self) -> list[str]:
        """Returns the texts, [] of sequences of numbers."""
        return list(self.sequences.texts)


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
    order = order or label_order({word for word in labelled.words if word})
    labels = _labels(sequences, labelled, order, config, source)
    _check_values(sequences, source)
    fingerprint = ragged.fingerprint(sequences)
    of_sequences = [""] * len(sequences) if config.per_step else [order[at] for at in labels]
    parts, split = parts_of_data.divided(
        sequences, of_sequences, config.data_format, config.own, config.seed
    )
    made = {}
    for part, (chosen, taken) in parts_of_data.taken(sequences, parts, source).items():
        rows = ragged.rows_of(sequences.starts, chosen) if config.per_step else chosen
        made[part] = Part(taken, labels[rows])
    order, made = _known_labels(order, made, source)
    return Corpus(
        name=known, licence=licence, source=source, fingerprint=fingerprint, split=split,
        label_names=order, **made, steps_per_second=rate, notes=sequences.notes,
    )  # fmt: skip


def label_order(labels: set[str]) -> tuple[str, ...]:
    """Returns labels in the order in which a person lists them: 2 before 10."""

    def key(label: str) -> list[tuple[int, str]]:
        return [
            (int(piece), "") if piece.isdecimal() else (-1, piece)
            for piece in re.split(r"(\d+)", label)
            if piece
        ]

    return tuple(sorted(labels, key=key))


def _labels(
    sequences: ragged.Sequences,
    column: ragged.Words,
    order: tuple[str, ...],
    config: configs.Config,
    source: str,
) -> np.ndarray:
    place = {label: at for at, label in enumerate(order)}
    numbers = np.array([*(place.get(word, -1) for word in column.words), -1], np.int32)
    of_rows = numbers[column.numbers]
    if config.per_step:
        return of_rows
    labels = of_rows[sequences.starts[:-1]]
    if (labels < 0).any():
        name = sequences.names[int((labels < 0).argmax())]
        raise errors.UserError(f"{source}: {name} has no label; give it one, or remove it")
    changes = np.flatnonzero(of_rows != np.repeat(labels, sequences.lengths))
    if len(changes):
        at = int(np.searchsorted(sequences.starts, changes[0], side="right")) - 1
        raise errors.UserError(
            f"{source}: the label changes inside {sequences.names[at]}; learn labels by step with "
            "--target.per step"
        )
    return labels


def _check_values(sequences: ragged.Sequences, source: str) -> None:
    """Raises UserError for an empty sequence, and for a channel without any value."""
    lengths = sequences.lengths
    if (lengths == 0).any():
        name = sequences.names[int((lengths == 0).argmax())]
        raise errors.UserError(f"{source}: {name} has no step; remove it")
    if sequences.channel_names:
        counts = sequence_statistics.of_channels(sequences.values).counts
        if not counts.all():
            channel = sequences.channel_names[int((counts == 0).argmax())]
            raise errors.UserError(
                f"{source}: column {channel} has no value; leave it out with "
                f"--data_format.ignored_columns {channel}"
            )


def _known_labels(
    order: tuple[str, ...], parts: dict[str, Part], source: str
) -> tuple[tuple[str, ...], dict[str, Part]]:
    """Leaves out labels that no part has; UserError for labels that train lacks or of one kind."""
    there = {part: set(np.unique(held.labels)) - {-1} for part, held in parts.items()}
    if len(there["train"]) < 2:
        only = ", ".join(order[at] for at in there["train"]) or "none"
        raise errors.UserError(f"{source}: two labels are needed, the train part has {only}")
    for part in ("validation", "test"):
        strange = sorted(there[part] - there["train"])
        if strange:
            raise errors.UserError(
                f"{source}: label {order[strange[0]]!r} is in {part} and not in train; give more "
                "sequences of it, or remove it"
            )
    kept = sorted(there["train"])
    number = np.full(len(order) + 1, -1, np.int32)
    number[kept] = np.arange(len(kept))
    return (
        tuple(order[at] for at in kept),
        {part: held._replace(labels=number[held.labels]) for part, held in parts.items()},
    )


def preprocess(
    given: tf.Tensor, known: words.Vocabulary | None = None
) -> tf.Tensor | dict[str, tf.Tensor]:
    """Returns the inputs of the network for values or texts, see `encoded_inputs.preprocessed`."""
    return encoded_inputs.preprocessed(given, known)


def batches(
    part: Part,
    classes: int,
    config: configs.Config,
    deviation: np.ndarray,
    known: words.Vocabulary | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns an endless stream of (inputs of the model, labels) in training.

    Args:
        part: to draw from.
        classes: number of labels.
        config: sizes, alterations, seed.
        deviation: of each channel over the part.
        known: the vocabulary, for texts.
        first_step: of a training that goes on.

    Returns:
        Inputs, and labels float32 (batch, classes) or (batch, time, classes): 1, or the label's
        weight, at the right label, and 0 everywhere at a step that does not count.
    """
    settings = config.training
    weights = _weights(part.labels, classes) if settings.balanced else np.ones(classes)
    # The last row is that of a step that does not count
    one_hot = np.concatenate([np.diag(weights), np.zeros((1, classes))]).astype(np.float32)
    numbers = np.where(part.labels < 0, classes, part.labels).astype(np.int32)
    stream = training_examples.endless(
        training_examples.Examples(part.sequences, numbers, config.per_step, classes),
        config.alteration,
        deviation,
        known,
        batch_size=settings.batch_size,
        seed=(config.seed, 1),
        first_step=first_step,
        longest_steps=settings.longest_steps,
        sort=settings.sort_by_length,
    )
    return stream.map(lambda inputs, labels: (inputs, tf.gather(one_hot, labels)))


def _weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Returns the weight of each label: the same in total for each, 1 on average."""
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    return counts.sum() / (classes * np.maximum(counts, 1))


def shortened(part: Part, steps: int) -> Part:
    """Returns the part with the first steps of each sequence, or the first words of each text."""
    sequences = part.sequences
    if part.texts:
        texts = [" ".join(text.split()[:steps]) for text in part.texts]
        column = ragged.words_of(texts, np.ones(len(texts)))
        return Part(dataclasses.replace(sequences, words={ragged.TEXT: column}), part.labels)
    arrays = [sequences.at(index)[:steps] for index in range(len(sequences))]
    made: Any = ragged.of_arrays(arrays, sequences.names, sequences.channel_names)
    return Part(made, part.labels)
