"""Loads sequences or texts with their targets in three parts, and batches them for training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.sequence_regression import config as configs
from apps.sequence_regression import targets
from apps.sequence_regression.targets import Part
from apps.suite import errors
from apps.suite.data.config import OwnConfig
from apps.suite.sequence_files import named, own_files
from apps.suite.sequences import encoded_inputs, ragged, sequence_statistics, training_examples
from apps.suite.sequences import parts as parts_of_data
from apps.suite.tables import reader
from apps.suite.texts import words

DEFAULT = "watch_exercises/gyroscope"

_TARGET_NAMES = ("target", "value", "y")
_ORDER_SEED = 72


@dataclass(frozen=True, kw_only=True)
class Corpus(parts_of_data.Corpus[Part]):
    """Sequences in three parts, and the names of the values to learn.

    With a remaining life, train has a target for each step, and the others have one for each
    sequence.
    """

    target_names: tuple[str, ...]


def load(config: configs.Config) -> Corpus:
    """Reads the data of `config.data`: a path that exists comes before the name of a set.

    A csv or parquet file has a row for each step (`sequence_files.long_tables`) or a text in each
    row (`sequence_files.text_tables`); a .jsonl file has a sequence or a text in each line.

    Raises:
        UserError: nothing of that name, or data that cannot be learned from: with file, line or
            sequence.
    """
    name, target = config.data or DEFAULT, config.target
    path = Path(name).expanduser()
    if path.exists() or path.suffix or name.startswith((".", "/", "~")):
        columns, sequences = read(path, config)
        found = named.NamedSet(sequences, "your own", str(path.resolve()), (), 0.0)
        return _divided(config, path.name, found, columns, columns)
    if target.remaining:
        raise errors.UserError(f"{name}: target.remaining needs a file of your own")
    if len(target.column) > 1:
        raise errors.UserError(f"{name}: target.column takes one name of a set by its name")
    found = named.read(name, "target", *target.column)
    column = target.column[0] if target.column else "target"
    return _divided(config, name, found, ("target",), _target_names(name, found.sequences, column))


def read(path: Path, config: configs.Config) -> tuple[tuple[str, ...], ragged.Sequences]:
    """Returns the columns of targets and the sequences of a file."""
    if not path.exists():
        raise errors.UserError(f"{path}: no such file")
    columns: tuple[str, ...] = ()
    if not config.target.remaining:
        columns = config.target.column or ("target",)
        if reader.suffix(path):
            columns = _columns(reader.open_table(path), config.target)
    return columns, own_files.read(path, config.data_format, dict.fromkeys(columns, "number"))


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
        _, tested = read(Path(target.test_data).expanduser(), config)
        if tested.channel_names != whole.channel_names:
            raise errors.UserError(
                f"{target.test_data}: has the channels {', '.join(tested.channel_names)}, and the "
                f"training {', '.join(whole.channel_names)}"
            )
    parts, split = _parts(config, whole, tested is not None)
    folds, members = None, config.training.members
    if members > 1:
        folds = parts_of_data.folded(
            parts_of_data.folds(whole, [""] * len(whole), parts, members, config.seed),
            members,
            lambda chosen: _with_targets(
                config, "train", whole.taken(chosen), columns, found.source
            ),
            lambda chosen: _with_targets(
                config, "validation", whole.taken(chosen), columns, found.source
            ),
        )
    taken = {
        part: each
        for part, (_, each) in parts_of_data.taken(
            whole, parts, found.source, without=() if tested is None else ("test",)
        ).items()
    }
    if tested is not None:
        taken["test"] = tested
        split += f"; test from {Path(target.test_data).name}"
    made = {
        part: _with_targets(config, part, sequences, columns, found.source)
        for part, sequences in taken.items()
    }
    train = made["train"].targets
    if target.turned and (train.shape[1] % 3 or len(whole.channel_names) % 3):
        raise errors.UserError(
            "target.turned: channels and targets must be triples x, y, z; there are "
            f"{len(whole.channel_names)} and {train.shape[1]}"
        )
    if target.logarithm and any((part.targets <= 0).any() for part in made.values()):
        raise errors.UserError(
            f"{found.source}: target.logarithm needs targets above 0; leave it out"
        )
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
        **made,
        folds=folds,
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
    fractions = {"test": 0.0} if has_test else {}
    if has_test and "test" in sequences.parts:
        raise errors.UserError(
            "target.test_data: the data have a test part of their own; leave one of them out"
        )
    labels = [""] * len(sequences)
    return parts_of_data.divided(
        sequences, labels, config.data_format, OwnConfig(), config.seed, **fractions
    )


def _constant_note(train: ragged.Sequences) -> tuple[str, ...]:
    columns = zip(train.channel_names, train.values.T, strict=True)
    constant = [name for name, column in columns if not np.nanmin(column) < np.nanmax(column)]
    said = f"constant in training, so that nothing is learned from them: {', '.join(constant)}"
    return (said,) if constant else ()


def target_scale(corpus: Corpus, target: configs.TargetConfig) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and deviation of each target where it is learned, float64 [targets].

    With `target.logarithm` they are those of the targets' logarithms.
    """
    known = corpus.learning.learned.targets
    known = np.log(known) if target.logarithm else known
    return np.nanmean(known, axis=0), np.nanstd(known, axis=0)


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
    """Streams (inputs of the network, targets) of the train part without end.

    Args:
        corpus: what is learned from is drawn from.
        config: sizes, alterations, seed.
        known: the vocabulary of texts.
        first_step: of a training that goes on.

    Returns:
        Targets float32 (batch, targets), or (batch, time, targets) where every step has one; NaN
        where there is none. With several members (batch, members, …).
    """
    train = corpus.learning.learned
    deviation = sequence_statistics.of_channels(train.sequences.values).deviation
    return training_examples.endless(
        training_examples.Examples(
            train.sequences,
            train.targets,
            config.per_step,
            np.nan,
            config.target.paced,
            config.target.turned,
            config.training.members,
            corpus.learning.fold_of,
        ),
        config.alteration,
        deviation,
        known,
        batch_size=config.training.batch_size,
        seed=(config.seed, _ORDER_SEED),
        first_step=first_step,
        longest_steps=config.training.crop_steps,
    )
