"""Fills the inputs of a signature with columns of a table, constants, or whole files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from apps.suite import errors
from apps.suite.panels import histories
from apps.suite.scoring import values
from apps.suite.scoring.values import CellError, Wanted


class Tensor(Protocol):
    """An input of a signature: its type (object: string) and its sides (None: free)."""

    @property
    def kind(self) -> np.dtype: ...

    @property
    def shape(self) -> list[int | None] | None: ...


@dataclasses.dataclass(frozen=True)
class Binding:
    """Sources of the values of each input of a signature.

    Attributes:
        signature: its name.
        layout: "rows" of a table, "series" (a table is one row: time steps of numbers; or one for
            each series in it), "sequences" (a table holds several, each a row), "panel" (a table
            holds many histories, each a row), "bytes" of a media file, its "waveform" or "frames".
        wanted: inputs that rows fill.
        columns: of a table, for each of these.
        constants: inputs that are the same for every request.
        repeated: inputs that have a value for each row, always the same.
        separator: of lists in a csv.
    """

    signature: str
    layout: str
    wanted: dict[str, Wanted]
    columns: dict[str, tuple[str, ...]]
    constants: dict[str, Any]
    repeated: dict[str, Any]
    separator: str


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Reads `NAME=VALUE` words; UserError for others, and for a name that comes twice."""
    found: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise errors.UserError(f"{option} {word!r}: has to be NAME=VALUE")
        if name in found:
            raise errors.UserError(f"{option} {word!r}: {name} is given twice")
        found[name] = value
    return found


def bind(
    signature: str,
    inputs: Mapping[str, Tensor],
    kind: str,
    columns: Mapping[str, str],
    constants: Mapping[str, str],
    separator: str,
    channel_names: Sequence[str] = (),
    horizon: int | None = None,
    sequences: bool = False,
) -> Binding:
    """Fills every input of a signature.

    Args:
        signature: its name.
        inputs: of it.
        kind: of the files: table, sound or video.
        columns: given by the user, "a" or "a,b,c" by input; another input takes the column of its
            own name.
        constants: given by the user, a value by input.
        separator: of lists in a csv.
        channel_names: of the columns of a series, as the export gives them.
        horizon: steps that an export of forecasts says unless `horizon` is given.
        sequences: the export answers sequences, of which a table holds one or several; with columns
            that the user gives it is one.

    Raises:
        UserError: an input that the signature lacks, or that nothing fills.
    """
    for option, given in (("--inputs", columns), ("--constant", constants)):
        for name in given:
            if name not in inputs:
                known = ", ".join(sorted(inputs))
                raise errors.UserError(f"{option} {name}: signature {signature} takes {known}")
    twice = sorted(columns.keys() & constants.keys())
    if twice:
        raise errors.UserError(f"{twice[0]}: give --inputs or --constant, not both")
    is_panel = kind == "table" and horizon is not None and "horizon" in inputs
    if is_panel:
        constants = {"horizon": str(horizon), **constants}
        _check_histories(signature, inputs, columns)
    same, repeated = dict[str, Any](), dict[str, Any]()
    for name, value in constants.items():
        has_rows = inputs[name].shape is not None and inputs[name].shape != []
        constant = _constant(name, value, _wanted(inputs[name]), separator)
        (repeated if has_rows else same)[name] = constant
    filled = {name: inputs[name] for name in sorted(inputs.keys() - constants.keys())}
    if is_panel:
        wanted = {name: _wanted(tensor) for name, tensor in filled.items()}
        return Binding(signature, "panel", wanted, {}, same, repeated, separator)
    _check_options(signature, filled, columns, kind)
    layout = _layout(signature, filled, kind)
    wanted = {name: _wanted(tensor) for name, tensor in filled.items()}
    if layout == "series" and sequences and not columns:
        return Binding(signature, "sequences", wanted, {}, same, repeated, separator)
    taken = {}
    for name, tensor in filled.items():
        taken[name] = tuple(columns[name].split(",")) if name in columns else (name,)
        if layout == "series" and _is_name(tensor):
            if name in columns:
                raise errors.UserError(f"--inputs {name}: is filled with the name of each series")
            taken[name] = ()
        elif layout == "series" and name not in columns:
            taken[name] = tuple(channel_names)
            sides = tensor.shape or []
            if not channel_names or sides[-1] not in (None, len(channel_names)):
                raise errors.UserError(
                    f"{name}: the export does not name its channels; give --inputs {name}=COLUMN,…"
                )
    if kind != "table":
        taken = {}
    return Binding(signature, layout, wanted, taken, same, repeated, separator)


def _check_histories(
    signature: str, inputs: Mapping[str, Tensor], columns: Mapping[str, str]
) -> None:
    """Refuses a signature that takes more than histories, and columns for one that does not."""
    others = sorted(inputs.keys() - histories.INPUTS) or sorted({"values"} - inputs.keys())
    if others:
        told = f"{others[0]}, which tables of histories do not fill; choose another --signature"
        raise errors.UserError(f"signature {signature} is about {told}")
    if columns:
        told = "the columns of histories are those of the training; leave --inputs out"
        raise errors.UserError(f"--inputs {next(iter(columns))}: {told}")


def _wanted(tensor: Tensor) -> Wanted:
    return Wanted(tensor.kind, tuple((tensor.shape or [None])[1:]))


def _check_options(
    signature: str, filled: Mapping[str, Tensor], columns: Mapping[str, str], kind: str
) -> None:
    """Refuses to look in files for an input with one value for a whole request."""
    missing = [
        f"{name}={'text' if each.kind.hasobject else each.kind.name}"
        for name, each in filled.items()
        if (each.shape is None or each.shape == []) and (kind != "table" or name not in columns)
    ]
    if missing:
        words = " ".join(missing)
        raise errors.UserError(f"signature {signature} needs --constant {words} with your values")
    for name in columns:
        if filled[name].shape == []:
            raise errors.UserError(f"--inputs {name}: is one value for all rows; give --constant")


def _layout(signature: str, filled: Mapping[str, Tensor], kind: str) -> str:
    ranks = {name: len(each.shape or [None]) for name, each in filled.items()}
    told = ", ".join(f"{name} ({_shown(each)})" for name, each in filled.items()) or "nothing"
    refused = errors.UserError(
        f"signature {signature} takes {told}, which {kind}s do not fill; choose another --signature"
    )
    if not filled:
        raise refused
    if kind == "table":
        others = [each for each in filled.values() if not _is_name(each)]
        steps = len(others) == 1 and len(others[0].shape or []) == 3
        if len(filled) <= 2 and steps and others[0].kind.kind in "iuf":
            return "series"
        if max(ranks.values()) > 2:
            raise refused
        return "rows"
    if len(filled) != 1:
        raise refused
    ((name, tensor),) = filled.items()
    if ranks[name] == 1 and tensor.kind.hasobject:
        return "bytes"
    if kind == "sound" and ranks[name] == 2 and tensor.kind == np.float32:
        return "waveform"
    if kind == "video" and ranks[name] == 5 and tensor.kind == np.uint8:
        return "frames"
    raise refused


def _is_name(tensor: Tensor) -> bool:
    """Returns true for an input of one text for each row."""
    return tensor.kind.hasobject and len(tensor.shape or [None]) == 1


def _shown(tensor: Tensor) -> str:
    kind = "string" if tensor.kind.hasobject else tensor.kind.name
    sides = tensor.shape or []
    return f"{kind}[{', '.join('any' if side is None else str(side) for side in sides)}]"


def _constant(name: str, text: str, wanted: Wanted, separator: str) -> Any:
    try:
        if not wanted.sides:
            value = values.one(text, wanted.kind)
            return value if wanted.kind.hasobject else np.array(value, wanted.kind)
        if len(wanted.sides) == 1:
            return values.many(text, wanted, separator)
    except CellError as error:
        raise errors.UserError(f"--constant {name}: {error}") from error
    raise errors.UserError(f"--constant {name}: has too many sides to be said in a word")
