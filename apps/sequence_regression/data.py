"""Loads sequences or texts with their targets in three parts, and batches them for training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.sequence_regression import config as configs
from apps.sequence_regression import targets
from apps.sequence_regression.targets import Part
from apps.suite import errors
from apps.suite.data import division, labelled_files
from apps.suite.data.config import OwnConfig
from apps.suite.sequences import batches as sequence_batches
from apps.suite.sequences import json_lines, long_tables, named, ragged, statistics, text_tables
from apps.suite.tables import reader

DEFAULT = "watch_exercises/tempo"
TEXT = "text"

_TARGET_NAMES = ("target", "value", "y")
_ORDER_SEED = 72


@dataclass(frozen=True)
class Corpus:
    """Sequences in three parts.

    Attributes:
        name, source, licence, fingerprint: of the data.
        split: how the parts were made, in words.
        target_names: of the values to learn.
        train, validation, test: the parts. With a remaining life, train has a target for each step,
            and the others have one for each sequence.
        notes: for the user.
    """

    name: str
    source: str
    licence: str
    fingerprint: str
    split: str
    target_names: tuple[str, ...]
    train: Part
    validation: Part
    test: Part
    notes: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Returns whether the input is text."""
        return TEXT in self.train.sequences.words

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Returns the names of the channels; none for texts."""
        return self.train.sequences.channel_names


def load(config: configs.Config) -> Corpus:
    """Reads the data of `config.data`: a path that exists comes before the name of a TFDS set.

    A csv, tsv or parquet file has a row for each step (`sequences.long_tables`) or a text in each
    row (`sequences.text_tables`); a .jsonl file has a sequence or a text in each line.

    Raises:
        UserError: nothing of that name, or data that cannot be learned from: with file, line or
            sequence.
    """
    name = config.data or DEFAULT
    path = Path(name).expanduser()
    if path.exists() or name.startswith((".", "/", "~")) or _suffix(path):
        columns, sequences = read(path, config)
        found = named.NamedSet(sequences, "your own", str(path.resolve()), (), 0.0)
        name, names = path.name, columns
    else:
        columns = config.target.column or ("target",)
        found = named.read(name, "target", *config.target.column[:1])
        if config.target.remaining:
            raise errors.UserError(f"{name}: target.remaining needs a file of your own")
        names = _target_names(name, found.sequences, columns[0])
        columns = ("target",)
    return _divided(config, name, found, columns, names)


def read(path: Path, config: configs.Config, learned: tuple[str, ...] | None = None) -> Any:
    """Returns the columns of targets and the sequences of a file; `learned` are its channels."""
    if not path.is_file():
        said = "is a folder; give a file" if path.exists() else "no such file"
        raise errors.UserError(f"{path}: {said}: .csv, .parquet or .jsonl")
    if path.suffix.lower() in json_lines.SUFFIXES:
        columns = () if config.target.remaining else config.target.column or ("target",)
        return columns, json_lines.read(path, dict.fromkeys(columns, "number"))
    table = reader.open_table(path)
    columns = () if config.target.remaining else _columns(table, config.target)
    if text_tables.text_column(table, config.data_format) and not config.target.remaining:
        found = text_tables.read(path, config.data_format, dict.fromkeys(columns, "number"))
    else:
        found = long_tables.read(
            path, config.data_format, dict.fromkeys(columns, "number"), learned=learned
        )
    return columns, found


def _suffix(path: Path) -> bool:
    return bool(reader.suffix(path)) or path.suffix.lower() in json_lines.SUFFIXES


def _columns(table: reader.Table, target: configs.TargetConfig) -> tuple[str, ...]:
    lower = {name.lower(): name for name in table.names}
    found = [lower[name] for name in _TARGET_NAMES if name in lower]
    columns = target.column or tuple(found[:1])
    if not columns:
        raise errors.UserError(
            f"{table.source}: name its target with --target.column, or say --target.remaining; "
            f"there are {', '.join(table.names)}"
        )
    return columns


def _target_names(name: str, sequences: ragged.Sequences, column: str) -> tuple[str, ...]:
    count = int(np.prod(sequences.numbers["target"].shape[1:]))
    if count == 1:
        return (column,)
    from apps.suite.data import named_sets

    known = (named_sets.prepare(name).info.metadata or {}).get("targets")
    return tuple(known or [f"{column} {number + 1}" for number in range(count)])


def _divided(
    config: configs.Config,
    name: str,
    found: named.NamedSet,
    columns: tuple[str, ...],
    names: tuple[str, ...],
) -> Corpus:
    """Returns the parts, with their targets."""
    whole, target = found.sequences, config.target
    tested: ragged.Sequences | None = None
    if target.test_data:
        test_path = Path(target.test_data).expanduser()
        _, tested = read(test_path, config, whole.channel_names or None)
    parts, split = _parts(config, whole, tested is not None)
    taken = {
        part: whole.taken([index for index, each in enumerate(parts) if each == part])
        for part in labelled_files.PARTS
    }
    if tested is not None:
        taken["test"] = tested
        split += f"; test from {Path(target.test_data).name}"
    for part, sequences in taken.items():
        if not len(sequences):
            raise errors.UserError(f"{found.source}: no sequence is in the part {part}")
    made = {
        part: _with_targets(config, part, sequences, columns, found.source)
        for part, sequences in taken.items()
    }
    train = made["train"].targets
    for at, column in enumerate((targets.REMAINING,) if target.remaining else names):
        known = train[np.isfinite(train[:, at]), at]
        if not len(known) or known.min() == known.max():
            raise errors.UserError(
                f"{found.source}: the target {column} has one value in training, or none; "
                "there is nothing to learn"
            )
    digest = hashlib.sha256(ragged.fingerprint(whole).encode())
    if tested is not None:
        digest.update(ragged.fingerprint(tested).encode() + made["test"].targets.tobytes())
    return Corpus(
        name=name,
        source=found.source,
        licence=found.licence,
        fingerprint=digest.hexdigest(),
        split=split,
        target_names=(targets.REMAINING,) if target.remaining else names,
        train=made["train"],
        validation=made["validation"],
        test=made["test"],
        notes=(*whole.notes, *_constant_note(taken["train"])),
    )


def _with_targets(
    config: configs.Config,
    part: str,
    sequences: ragged.Sequences,
    columns: tuple[str, ...],
    source: str,
) -> Part:
    units = _units(sequences)
    if not config.target.remaining:
        found = targets.of_sequences(sequences, columns, config.target, source)
        return Part(sequences, found, units)
    if part == "test" and config.target.test_truths:
        truths = targets.read_truths(Path(config.target.test_truths).expanduser(), sequences)
        return Part(sequences, truths[:, None], units)
    life = targets.remaining(sequences)
    if part == "train":
        return Part(sequences, targets.capped(life, config.target)[:, None], units)
    return targets.cut(sequences, life, config.target, config.seed)


def _units(sequences: ragged.Sequences) -> np.ndarray:
    if sequences.groups is None:
        return np.arange(len(sequences))
    return np.unique(np.array(sequences.groups), return_inverse=True)[1]


def _parts(
    config: configs.Config, sequences: ragged.Sequences, has_test: bool
) -> tuple[list[str], str]:
    """Returns the part of each sequence, and how they were made."""
    settings, groups = config.data_format, sequences.groups
    examples = [
        labelled_files.Example(name, "", group, part)
        for name, group, part in zip(
            sequences.names, groups or sequences.names, sequences.parts, strict=True
        )
    ]
    divided_by = "by the data's own parts" if any(sequences.parts) else ""
    fractions = {"test": settings.test_fraction, "validation": settings.validation_fraction}
    if has_test:
        fractions["test"] = 0.0
        if "test" in sequences.parts:
            raise errors.UserError(
                "target.test_data: the data have a test part of their own; leave one of them out"
            )
    parts, told = division.by_group(
        examples, divided_by, OwnConfig(), fractions, config.seed, unit="sequences"
    )
    if groups is None:
        counts = ", ".join(f"{parts.count(part):,} {part}" for part in labelled_files.PARTS)
        told = f"{divided_by or 'by sequence, as there are no groups'}: {counts} sequences"
    return parts, told


def _constant_note(train: ragged.Sequences) -> tuple[str, ...]:
    columns = zip(train.channel_names, train.values.T, strict=True)
    constant = [name for name, column in columns if not np.nanmin(column) < np.nanmax(column)]
    said = f"constant in training, so that nothing is learned from them: {', '.join(constant)}"
    return (said,) if constant else ()


def target_scale(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and deviation of each target over the train part, float64 [targets]."""
    return np.nanmean(corpus.train.targets, axis=0), np.nanstd(corpus.train.targets, axis=0)


def inputs(sequences: ragged.Sequences, chosen: np.ndarray) -> np.ndarray:
    """Returns what the model reads of sequences: values (b, time, channels), or texts [b]."""
    if TEXT in sequences.words:
        column = sequences.words[TEXT]
        words = np.array(column.words, object)
        return words[column.numbers[sequences.starts[:-1][chosen]]]
    return sequence_batches.padded(sequences, chosen)


def preprocess(values: tf.Tensor) -> tf.Tensor:
    """Returns the values of sequences as the network reads them: float32, infinite ones missing.

    Args:
        values: (batch, time, channels), NaN after the end and where missing.
    """
    values = tf.cast(values, tf.float32)
    return tf.where(tf.math.is_finite(values), values, tf.constant(np.nan, tf.float32))


def batches(corpus: Corpus, config: configs.Config, first_step: int = 0) -> tf.data.Dataset:
    """Streams (inputs, targets) of the train part without end, sorted into buckets of length.

    Inputs are float32 (batch, time, channels), NaN after the end, or texts string (batch,); targets
    float32 (batch, targets), or (batch, time, targets) where every step has one. A batch is a
    function of its number and the seed alone.
    """
    train, settings = corpus.train, config.training
    buckets = sequence_batches.Buckets(
        _trained_lengths(train.sequences, settings.crop_steps),
        settings.batch_size,
        (config.seed, _ORDER_SEED),
    )
    deviation = statistics.of_channels(train.sequences.values).deviation.astype(np.float32)

    def make(chosen: np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
        if not config.per_step:
            values, truths = inputs(train.sequences, chosen), train.targets[chosen]
        else:
            values, truths = _crops(train, chosen, settings.crop_steps, draw)
        if settings.noise and not corpus.is_text:
            values = values + settings.noise * deviation * draw.normal(size=values.shape)
        return [values, truths]

    count = len(corpus.target_names)
    read_as = tf.TensorSpec([settings.batch_size, None, len(corpus.channel_names)], tf.float32)
    if corpus.is_text:
        read_as = tf.TensorSpec([settings.batch_size], tf.string)
    shape = [settings.batch_size, None, count] if config.per_step else [settings.batch_size, count]
    specs = [read_as, tf.TensorSpec(shape, tf.float32)]
    return sequence_batches.endless(buckets, make, specs, first_step)


def _trained_lengths(sequences: ragged.Sequences, crop_steps: int) -> np.ndarray:
    if TEXT in sequences.words:
        column = sequences.words[TEXT]
        sizes = np.array([len(text) for text in column.words])
        return sizes[column.numbers]
    lengths = sequences.lengths
    return np.minimum(lengths, crop_steps) if crop_steps else lengths


def _crops(
    train: Part, chosen: np.ndarray, crop_steps: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns values and targets of drawn stretches of the sequences, padded with NaN."""
    lengths = train.sequences.lengths[chosen]
    kept = np.minimum(lengths, crop_steps) if crop_steps else lengths
    begins = train.sequences.starts[:-1][chosen] + draw.integers(lengths - kept + 1)
    longest = int(kept.max())
    made = []
    for array in (train.sequences.values, train.targets):
        filled = np.full((len(chosen), longest, array.shape[1]), np.nan, np.float32)
        for row, (begin, steps) in enumerate(zip(begins, kept, strict=True)):
            filled[row, :steps] = array[begin : begin + steps]
        made.append(filled)
    return made[0], made[1]
