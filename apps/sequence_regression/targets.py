"""Makes the targets of sequences: a value each, one for each step, or what remains of a life."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.sequence_regression import config as configs
from apps.suite import errors
from apps.suite.sequence_files import long_tables
from apps.suite.sequences import ragged
from apps.suite.tables import cells, reader

REMAINING = "remaining"
"""Name of the target that `target.remaining` makes."""

_HEALTHY = 1.25  # cuts reach back to this many caps before the failure
_CUTS_SEED = 71


class Part(NamedTuple):
    """Sequences with what is to be said of them.

    Attributes:
        sequences: numeric ones, or texts (`words["text"]`).
        targets: float64 [sequences, targets], or [steps, targets] where every step has one; NaN
            where it is not known.
        units: number of the unit of each sequence, int [sequences]: a group, a machine, or the
            sequence itself. Units are independent of each other.
    """

    sequences: ragged.Sequences
    targets: np.ndarray
    units: np.ndarray


def of_sequences(
    sequences: ragged.Sequences, target: configs.TargetConfig, source: str
) -> np.ndarray:
    """Returns the targets, [sequences, targets] or for `per` "step" [steps, targets].

    Args:
        sequences: their numbers are the columns of targets.
        target: what is a target.
        source: of the data, for errors.

    Raises:
        UserError: a sequence without a value, or with several where one is asked for.
    """
    rows = np.concatenate(
        [np.reshape(each, (len(sequences.values), -1)) for each in sequences.numbers.values()],
        axis=1,
    )
    if target.per == "step":
        return rows
    found = np.full((len(sequences), rows.shape[1]), np.nan)
    for index, name in enumerate(sequences.names):
        for at, column in enumerate(rows[sequences.rows(index)].T):
            known = column[~np.isnan(column)]
            if not len(known):
                raise errors.UserError(f"{source}: {name!r} has no value of its target; give one")
            if known.min() != known.max():
                raise errors.UserError(
                    f"{source}: the target of {name!r} changes from {known[0]:g} to "
                    f"{known[known != known[0]][0]:g}; give one value in its last row, or say "
                    "--target.per step"
                )
            found[index, at] = known[-1]
    return found


def remaining(sequences: ragged.Sequences) -> np.ndarray:
    """Returns how far each step is from the last one of its sequence, float64 [steps].

    It is counted in the column of the steps (cycles, or seconds where it holds times), or in rows
    without such a column.
    """
    steps = sequences.steps
    if steps is None:
        steps = np.arange(len(sequences.values), dtype=float)
    lasts = np.repeat(steps[sequences.starts[1:] - 1], sequences.lengths)
    return lasts - steps


def cut(
    sequences: ragged.Sequences, life: np.ndarray, target: configs.TargetConfig, seed: int
) -> Part:
    """Cuts run-to-failure sequences where they were still running, several times each.

    The ends are drawn evenly from the last `1.25 · target.cap` steps (all, without a cap) but
    the first `target.least_steps`: ends anywhere would mostly be of healthy machines.

    Args:
        sequences: each up to its failure.
        life: what remains at each step, [steps].
        target: cap, number of cuts, least steps.
        seed: of the run.

    Raises:
        UserError: a sequence that is not longer than `target.least_steps`.
    """
    lengths = []
    for index, name in enumerate(sequences.names):
        own = life[sequences.rows(index)]
        if len(own) <= target.least_steps:
            raise errors.UserError(
                f"sequence {name!r} has {len(own)} steps, and target.least_steps is "
                f"{target.least_steps}; lower it, or leave the sequence out"
            )
        first = target.least_steps
        if target.cap:
            first = max(first, int((own > _HEALTHY * target.cap).sum()))
        draw = np.random.default_rng([seed, _CUTS_SEED, index])
        ends = draw.integers(min(first, len(own) - 1), len(own), size=target.cuts)
        lengths.append(1 + np.sort(ends))
    chosen, steps = np.repeat(np.arange(len(sequences)), target.cuts), np.concatenate(lengths)
    parts = ragged.shortened(sequences.taken(chosen), steps)
    names = (f"{name}, {count} steps" for name, count in zip(parts.names, steps, strict=True))
    parts = dataclasses.replace(parts, names=tuple(names))
    return Part(parts, life[sequences.starts[:-1][chosen] + steps - 1][:, None], chosen)


def refuse(
    target: configs.TargetConfig, parts: Mapping[str, Part], names: Sequence[str], source: str
) -> None:
    """Raises UserError for targets that do not fit their config, or of which nothing is learned."""
    train = parts["train"]
    channels, count = len(train.sequences.channel_names), train.targets.shape[1]
    if target.turned and (count % 3 or channels % 3):
        raise errors.UserError(
            "target.turned: channels and targets must be triples x, y, z; there are "
            f"{channels} and {count}"
        )
    if target.logarithm and any((part.targets <= 0).any() for part in parts.values()):
        raise errors.UserError(f"{source}: target.logarithm needs targets above 0; leave it out")
    for at, column in enumerate(names):
        known = train.targets[np.isfinite(train.targets[:, at]), at]
        if not len(known) or known.min() == known.max():
            raise errors.UserError(
                f"{source}: the target {column} has one value in training, or none; "
                "there is nothing to learn"
            )


def capped(values: np.ndarray, target: configs.TargetConfig) -> np.ndarray:
    """Returns the values, those above the cap set to it; all as they are without one."""
    return np.minimum(values, target.cap) if target.cap else values


def read_truths(path: Path, sequences: ragged.Sequences) -> np.ndarray:
    """Reads the remaining life of each test sequence, float64 [sequences].

    A column that names sequences (`unit`, …) says whose a value is; without one the values stand
    in the order of the sequences.

    Raises:
        UserError: a sequence without a value or with two, values for others, or a value below 0:
            with file and line.
    """
    table = reader.open_table(path)
    lower = {name.lower(): name for name in table.names}
    unit = next((lower[name] for name in long_tables.SEQUENCE_NAMES if name in lower), None)
    rest = [name for name in table.names if name != unit and name]
    if len(rest) != 1:
        raise errors.UserError(
            f"{path}: needs one column of values beside that of the sequences; it has "
            f"{', '.join(table.names)}"
        )
    names: list[str] = []
    values: list[float] = []
    for block in table.blocks():
        found = cells.numbers(block, rest[0])
        wrong = ~(found >= 0)
        if wrong.any():
            place = block.place(int(wrong.argmax()))
            raise errors.UserError(f"{place}: {rest[0]} must be a number of at least 0")
        values += found.tolist()
        if unit is not None:
            names += [str(each).strip() for each in cells.names(block, unit).to_pylist()]
    if unit is None and len(values) != len(sequences):
        raise errors.UserError(
            f"{path}: {len(values)} values for {len(sequences)} test sequences; give one each"
        )
    names = names or list(sequences.names)
    value_of, there = dict(zip(names, values, strict=True)), set(sequences.names)
    for said, wrong_ones in {
        "{!r} has two values": (name for name, n in Counter(names).items() if n > 1),
        "no value for the test sequence {!r}": (n for n in sequences.names if n not in value_of),
        "{!r} is not among the test sequences": (name for name in names if name not in there),
    }.items():
        for name in wrong_ones:
            raise errors.UserError(f"{path}: {said.format(name)}")
    return np.array([value_of[name] for name in sequences.names])
