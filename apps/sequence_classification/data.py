"""Loads sequences or texts with labels in three parts, and batches them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.sequence_classification import config as configs
from apps.suite import errors
from apps.suite.data import division, labelled_files
from apps.suite.networks import sequence_inputs
from apps.suite.sequences import (
    alteration,
    named,
    own_files,
    ragged,
    sequence_statistics,
)
from apps.suite.sequences import batches as sequence_batches
from apps.suite.texts import words

DEFAULT = "japanese_vowels"
TEXT = "text"


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
        column = self.sequences.words.get(TEXT)
        return [] if column is None else [column.text(row) for row in range(len(self.sequences))]


class Corpus(NamedTuple):
    """All that is learned from and measured on."""

    name: str
    licence: str
    source: str
    fingerprint: str
    split: str  # how the parts were made, in words
    label_names: tuple[str, ...]
    train: Part
    validation: Part
    test: Part
    steps_per_second: float  # 0 where it is not known
    notes: tuple[str, ...]

    @property
    def is_text(self) -> bool:
        """Returns whether the sequences are texts."""
        return not self.train.sequences.channel_names

    @property
    def parts(self) -> dict[str, Part]:
        """Returns the parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


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
    parts, split = _divided(sequences, labels, order, config, source)
    made = {}
    for part in labelled_files.PARTS:
        chosen = np.flatnonzero(np.array(parts) == part)
        if not len(chosen):
            raise errors.UserError(f"{source}: no sequence in the part {part}")
        taken = sequences.taken(chosen)
        rows = ragged.rows_of(sequences.starts, chosen)
        made[part] = Part(taken, labels[rows] if config.per_step else labels[chosen])
    order, made = _known_labels(order, made, source)
    return Corpus(
        known, licence, source, fingerprint, split, order, **made,
        steps_per_second=rate, notes=sequences.notes,
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


def _divided(
    sequences: ragged.Sequences,
    labels: np.ndarray,
    order: tuple[str, ...],
    config: configs.Config,
    source: str,
) -> tuple[list[str], str]:
    groups = sequences.groups or ("",) * len(sequences)
    first = [""] * len(sequences) if config.per_step else [order[label] for label in labels]
    examples = [
        labelled_files.Example(*facts)
        for facts in zip(sequences.names, first, groups, sequences.parts, strict=True)
    ]
    fractions = {
        "test": config.data_format.test_fraction,
        "validation": config.data_format.validation_fraction,
    }
    divided_by = "the parts of the data" if any(sequences.parts) else ""
    parts, told = division.by_group(
        examples, divided_by, config.own, fractions, config.seed, unit="sequences"
    )
    return parts, told.replace("clips of one scene", "sequences of one source").replace(
        "by file", "by sequence"
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


def preprocess(values: tf.Tensor) -> tf.Tensor:
    """Moves padding in front of a sequence after its end, float32 (batch, time, channels)."""
    return sequence_inputs.left_aligned(values)


def vocabulary(corpus: Corpus, config: configs.Config) -> words.Vocabulary:
    """Learns the words of the train part."""
    text = config.text
    return words.learn(
        corpus.train.texts,
        size=text.vocabulary_size,
        least_count=text.least_count,
        lowercase=text.lowercase,
        most_words=text.most_words,
    )


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
    settings, size = config.training, config.training.batch_size
    sequences, labels, texts = part.sequences, part.labels, np.array(part.texts, object)
    lengths = np.array([len(text) for text in texts]) if len(texts) else sequences.lengths
    if settings.longest_steps:
        lengths = np.minimum(lengths, settings.longest_steps)
    buckets = sequence_batches.Buckets(lengths, size, (config.seed, 1), settings.sort_by_length)
    weights = _weights(labels, classes) if settings.balanced else np.ones(classes)
    # The last row is that of a step that does not count
    one_hot = np.concatenate([np.diag(weights), np.zeros((1, classes))]).astype(np.float32)

    def text_batch(chosen: np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
        del draw  # the network itself hides words
        return [texts[chosen], one_hot[labels[chosen]]]

    def batch(chosen: np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
        arrays, targets = [], []
        for index in chosen:
            rows = sequences.rows(index)
            if settings.longest_steps and rows.stop - rows.start > settings.longest_steps:
                first = int(draw.integers(rows.start, rows.stop - settings.longest_steps + 1))
                rows = slice(first, first + settings.longest_steps)
            array, by_step = alteration.altered(
                np.asarray(sequences.values[rows]),
                labels[rows] if config.per_step else None,
                config.alteration,
                deviation,
                draw,
            )
            arrays.append(array)
            targets.append(by_step if by_step is not None else labels[index])
        made = ragged.of_arrays(arrays, ("",) * len(arrays), sequences.channel_names)
        every = np.arange(len(arrays))
        if not config.per_step:
            return [sequence_batches.padded(made, every), one_hot[np.array(targets)]]
        stepwise = sequence_batches.filled(np.concatenate(targets), made.starts, every, -1)
        return [sequence_batches.padded(made, every), one_hot[stepwise]]

    if known is not None:
        specs = [tf.TensorSpec([size], tf.string), tf.TensorSpec([size, classes])]
        stream = sequence_batches.endless(buckets, text_batch, specs, first_step)
        return stream.map(lambda text, target: (text_inputs(known, text), target))
    by_step = (None,) if config.per_step else ()
    specs = [
        tf.TensorSpec([size, None, len(sequences.channel_names)]),
        tf.TensorSpec([size, *by_step, classes]),
    ]
    return sequence_batches.endless(buckets, batch, specs, first_step)


def text_inputs(known: words.Vocabulary, texts: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the inputs of a text model for texts string[b]."""
    ids, letters = known.encode(texts)
    rows = texts.shape[0]
    return {
        "words": tf.ensure_shape(ids, [rows, None]),
        "letters": tf.ensure_shape(letters, [rows, None, None]),
    }


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
        return Part(dataclasses.replace(sequences, words={TEXT: column}), part.labels)
    arrays = [sequences.at(index)[:steps] for index in range(len(sequences))]
    made: Any = ragged.of_arrays(arrays, sequences.names, sequences.channel_names)
    return Part(made, part.labels)
