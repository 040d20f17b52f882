"""All that a training holds besides its data: what a checkpoint must keep to resume exactly.

Metrics are left out: `Model.fit` resets them at the start of every epoch, and a checkpoint is the
end of one. Randomness outside a model's seed generators (`tf.random`, Python's `random`, a
`keras.random` call without a seed) is left out too: tasks draw from generators of their own.
"""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from apps import checkpoints, errors, replica_rows

# Set anew by every `fit`; of another length when a run is prolonged
_NOT_STATE = {"params"}


def variables(model: keras.Model) -> list[keras.Variable]:
    """Every variable of a built model: weights, seeds and the states of stateful layers.

    `model.variables` lacks the last: Keras's recurrent layers keep them in a plain attribute.
    The order is the same for every model that is built alike.
    """
    found = {id(variable): variable for variable in model.variables}
    layers: list[keras.Layer] = [model]
    seen = {id(model)}
    for layer in layers:
        for held in _flatten(list(vars(layer).values())):
            if isinstance(held, keras.Variable):
                found.setdefault(id(held), held)
            elif isinstance(held, keras.random.SeedGenerator):
                found.setdefault(id(held.state), held.state)
            elif isinstance(held, keras.Layer) and id(held) not in seen:
                seen.add(id(held))
                layers.append(held)
    return list(found.values())


def collect(model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, Any]:
    """The state as a tree for `checkpoints.write`: variables, optimizer, callbacks.

    Of a callback it takes the attributes that hold plain values, arrays or functions of
    `keras.ops`; others, such as the model or an open file, are the callback's own to renew.

    Where training is distributed every worker has to come here, and finds the same.
    """
    return {
        "variables": [replica_rows.read(variable) for variable in variables(model)],
        "optimizer": [replica_rows.read(variable) for variable in model.optimizer.variables],
        "callbacks": [
            {"class": type(callback).__name__, "attributes": _attributes(callback)}
            for callback in callbacks
        ],
    }


def restore(
    model: keras.Model,
    callbacks: Sequence[keras.callbacks.Callback],
    state: dict[str, Any],
    source: pathlib.Path,
) -> None:
    """Puts back what `collect` took, into a built model with a built optimizer.

    Raises `errors.UserError`, naming `source`, when the state is of another model, optimizer or
    list of callbacks; nothing is changed then.
    """
    held_by = {"variables": variables(model), "optimizer": model.optimizer.variables}
    for name, held in held_by.items():
        written = [(array.shape, array.dtype.name) for array in state[name]]
        expected = [(replica_rows.whole_shape(one), str(one.dtype)) for one in held]
        if written != expected:
            raise _another(source, name, len(written), len(expected))
    written_names = ", ".join(entry["class"] for entry in state["callbacks"])
    expected_names = ", ".join(type(callback).__name__ for callback in callbacks)
    if written_names != expected_names:
        raise _another(source, "callbacks", written_names or "none", expected_names or "none")
    for name, held in held_by.items():
        for variable, array in zip(held, state[name], strict=True):
            replica_rows.write(variable, array)
    for callback, entry in zip(callbacks, state["callbacks"], strict=True):
        vars(callback).update(entry["attributes"])


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in _NOT_STATE and checkpoints.can_hold(value)
    }


def _another(source: pathlib.Path, part: str, written: Any, expected: Any) -> errors.UserError:
    return errors.UserError(
        f"{source}: its {part} ({written}) are not those of this training ({expected}): "
        "resume with the settings it was started with, or start anew with --overwrite"
    )


def _flatten(value: Any) -> Iterator[Any]:
    """The leaves of nested lists, tuples, sets and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set):
        for item in value:
            yield from _flatten(item)
    else:
        yield value
