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
from apps.suite.data import named_sets
from apps.suite.data.config import OwnConfig
from apps.suite.sequence_files import named, own_files
from apps.suite.sequences import encoded_inputs, ragged, training_examples
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
    is_set = named_sets.own_path(name) is None
    if target.remaining and is_set:
        raise errors.UserError(f"{name}: target.remaining needs a file of your own")
    if len(target.column) > 1 and is_set:
        raise errors.UserError(f"{name}: target.column takes one name of a set by its name")
    wanted = target.column[0] if target.column else "target"
    found = named.found(name, wanted, lambda path: read(path, config))
    whole, source = found.sequences, found.source
    tested = _tested(config, whole)
    without = () if tested is None else ("test",)
    parts, split = parts_of_data.divided(
        whole,
        [""] * len(whole),
        config.data_format,
        OwnConfig(),
        config.seed,
        test=None if tested is None else 0.0,
    )

    def part(name: str, chosen: np.ndarray) -> Part:
        return _with_targets(config, name, whole.taken(chosen), source)

    numbers = parts_of_data.numbers(parts, source, without)
    made = {name: part(name, chosen) for name, chosen in numbers.items()}
    digest = hashlib.sha256(ragged.fingerprint(whole).encode())
    if tested is not None:
        made["test"] = _with_targets(config, "test", tested, source)
        split += f"; test from {Path(target.test_data).name}"
        digest.update(ragged.fingerprint(tested).encode() + made["test"].targets.tobytes())
    names = (targets.REMAINING,) if target.remaining else found.names or tuple(whole.numbers)
    targets.refuse(target, made, names, source)
    return Corpus(
        name=found.name,
        source=source,
        licence=found.licence,
        fingerprint=digest.hexdigest(),
        split=split,
        target_names=names,
        **made,
        folds=parts_of_data.folded(
            whole,
            [""] * len(whole),
            parts,
            part,
            config.model.networks(config.training.members),
            config.seed,
        ),
        notes=(*whole.notes, *_constant_note(made["train"].sequences)),
    )


def read(path: Path, config: configs.Config) -> ragged.Sequences:
    """Returns the sequences of a file; their numbers are the columns of targets."""
    if not path.exists():
        raise errors.UserError(f"{path}: no such file")
    columns = () if config.target.remaining else _columns(path, config.target)
    found = own_files.read(path, config.data_format, dict.fromkeys(columns, "number"))
    if columns and not found.numbers:
        raise errors.UserError(f"{path}: has no targets; give each sequence or step a number")
    return found


def _columns(path: Path, target: configs.TargetConfig) -> tuple[str, ...]:
    if not reader.suffix(path):
        return target.column or ("target",)
    table = reader.open_table(path)
    lower = {name.lower(): name for name in table.names}
    found = [lower[name] for name in _TARGET_NAMES if name in lower]
    columns = target.column or tuple(found[:1])
    if not columns:
        raise errors.UserError(
            f"{table.source}: name its target with --target.column, or say --target.remaining; "
            f"there are {', '.join(table.names)}"
        )
    return columns


def _tested(config: configs.Config, whole: ragged.Sequences) -> ragged.Sequences | None:
    """Returns the sequences of `target.test_data`, None where the test part is one of the data."""
    if not config.target.test_data:
        return None
    tested = read(Path(config.target.test_data).expanduser(), config)
    if tested.channel_names != whole.channel_names:
        raise errors.UserError(
            f"{config.target.test_data}: has the channels {', '.join(tested.channel_names)}, and "
            f"the training {', '.join(whole.channel_names)}"
        )
    if "test" in whole.parts:
        raise errors.UserError(
            "target.test_data: the data have a test part of their own; leave one of them out"
        )
    return tested


def _with_targets(
    config: configs.Config, part: str, sequences: ragged.Sequences, source: str
) -> Part:
    target, units = config.target, np.arange(len(sequences))
    if sequences.groups is not None:
        units = np.unique(np.array(sequences.groups), return_inverse=True)[1]
    if not target.remaining:
        return Part(sequences, targets.of_sequences(sequences, target, source), units)
    if part == "test" and target.test_truths:
        truths = targets.read_truths(Path(target.test_truths).expanduser(), sequences)
        return Part(sequences, truths[:, None], units)
    life = targets.remaining(sequences)
    if part == "train":
        return Part(sequences, targets.capped(life, target)[:, None], units)
    return targets.cut(sequences, life, target, config.seed)


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
    return training_examples.endless(
        training_examples.Examples(
            train.sequences,
            train.targets,
            config.per_step,
            np.nan,
            config.target.paced,
            config.target.turned,
            config.model.networks(config.training.members),
            corpus.learning.fold_of,
            corpus.target_names,
        ),
        config.alteration,
        known,
        batch_size=config.training.batch_size,
        seed=(config.seed, _ORDER_SEED),
        first_step=first_step,
        longest_steps=config.training.crop_steps,
    )
