"""Trains several networks that differ by their seed alone, and joins them into one.

    f(x) = 1 / n Σ_i f_i(x)        an ensemble (Hansen and Salamon 1990) of n members

Errors that a member owes to its seed become smaller in the mean, those that all share stay. Means
of quantiles are quantiles of the same level (Vincent 1912), and rise as theirs do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras

from apps.suite import errors
from apps.suite.distribution import distribution
from apps.suite.runs import files, run_folder
from apps.suite.training import history

_SEEDS_APART = 1_000  # of two members: runs with the seeds 0, 1, 2, … share none


class MemberFolder(NamedTuple):
    """Holds what the training of one member writes; `fit.fit` and `learning.learn` take it."""

    checkpoints: Path
    tensorboard: Path
    history_file: Path
    model_file: Path


def train(
    config: Any,
    folder: run_folder.RunFolder[Any],
    count: int,
    learn: Callable[[Any, Any], history.History],
    shared: int | None = None,
) -> float:
    """Trains the members one after the other; model.keras then holds all of them as one network.

    A training that was interrupted goes on in the member that it had come to: a member that has
    ended finds nothing left to do. history.csv has the means over the members.

    Args:
        config: of the run, a dataclass with `seed`; the first member has that seed.
        folder: of the run.
        count: of the members; one alone is trained in the run folder itself.
        learn: trains one network with `config.seed`, and leaves its best weights in
            `folder.model_file`: learn(config, folder), see `learning.learn`.
        shared: see `joined`.

    Returns:
        The seconds of all trainings.

    Raises:
        UserError: several members in a training that is distributed.
    """
    if count == 1:
        return learn(config, folder).train_seconds
    if distribution.strategy() is not None:
        raise errors.UserError(
            f"--training.members {count}: members are trained one by one; leave --distribute out, "
            "or train one member"
        )
    run_folder.takes_longer(f"{count} members are trained one after the other, each takes so long")
    files.make_folder(folder.path / "members")
    records: list[history.History] = []
    models: list[keras.Model] = []
    for at in range(count):
        member = _folder(folder, at)
        print(f"member {at + 1} of {count}", flush=True)
        seed = config.seed + _SEEDS_APART * at
        records.append(learn(dataclasses.replace(config, seed=seed), member))
        models.append(keras.models.load_model(member.model_file, compile=False))
    with files.replacing(folder.model_file) as partial:
        joined(models, shared).save(partial)
    files.write_atomically(folder.history_file, _mean(records).to_csv())
    return sum(record.train_seconds for record in records)


def joined(models: Sequence[keras.Model], shared: int | None = None) -> keras.Model:
    """Builds the network whose answer is the mean of the members' answers.

    Args:
        models: of the same inputs and outputs; they get names of their own.
        shared: inputs that all members read; those after them are states, which each member has
            for itself, as it has the outputs after the first. None = all are shared.
    """
    names = [(each.name, each.shape, each.dtype) for each in models[0].inputs]

    def new(at: int, of: str = "") -> keras.KerasTensor:
        name, shape, kind = names[at]
        return keras.Input(batch_shape=shape, dtype=kind, name=name + of)

    shared = len(names) if shared is None else shared
    read = [new(at) for at in range(shared)]
    states: list[keras.KerasTensor] = []
    answers: list[keras.KerasTensor] = []
    after: list[keras.KerasTensor] = []
    for place, model in enumerate(models):
        model.name = f"member_{place}"
        own = [new(at, f"_of_{place}") for at in range(shared, len(names))]
        given = keras.tree.pack_sequence_as(model.input, [*read, *own])
        answer, *more = keras.tree.flatten(model(given))
        states += own
        answers.append(answer)
        after += more
    mean = keras.layers.Average(name="mean_of_members")(answers)
    inputs = [*read, *states] if states else keras.tree.pack_sequence_as(models[0].input, read)
    return keras.Model(inputs, [mean, *after] if after else mean, name="members")


def _folder(folder: run_folder.RunFolder[Any], at: int) -> MemberFolder:
    """Returns the folder of a member, whose own folders exist."""
    name, own = f"member_{at}", folder.path / "members"
    found = MemberFolder(
        folder.checkpoints / name, folder.tensorboard / name,
        own / f"{name}.csv", own / f"{name}.keras",
    )  # fmt: skip
    for needed in (found.checkpoints, found.tensorboard):
        files.make_folder(needed)
    return found


def _mean(records: Sequence[history.History]) -> history.History:
    """Returns the means over the members that were still learning at each step."""
    longest = max(records, key=lambda record: record.step).rows
    rows = []
    for place, row in enumerate(longest):
        there = [record.rows[place] for record in records if place < len(record.rows)]
        rows.append({name: sum(each[name] for each in there) / len(there) for name in row})
    return history.History(rows)
