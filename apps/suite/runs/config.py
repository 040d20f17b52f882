"""Configs as the plain dictionaries of config.json, and back with every field checked."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from apps.suite import errors

Config = TypeVar("Config")


def to_dict(config: Any) -> dict[str, Any]:
    """Nested dictionaries of the JSON values in a config dataclass; tuples become lists."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_dict(kind: type[Config], values: Mapping[str, Any], group: str = "") -> Config:
    """Returns the `kind` that `to_dict` made `values` of.

    Raises errors.UserError that names the first field (`group.field`) that is unknown, missing or
    of another type than the dataclass says, or what its `__post_init__` refuses.
    """
    if not isinstance(values, Mapping):
        raise errors.UserError(f"{group.rstrip('.') or 'config'} must be an object")
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            raise errors.UserError(f"unknown field {group}{name}")
    for name in names:
        if name not in values:
            raise errors.UserError(f"missing field {group}{name}")
    filled = {name: _typed(hints[name], values[name], f"{group}{name}") for name in names}
    try:
        return kind(**filled)
    except ValueError as error:
        raise errors.UserError(str(error)) from error


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """Dotted name and both values of the first field in which two `to_dict` results differ.

    ("", None, None) when they are equal; a field that one side lacks is None there.
    """
    for name in [*one, *(name for name in other if name not in one)]:
        first, second = one.get(name), other.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            inner = first_difference(first, second)
            if inner[0]:
                return (f"{name}.{inner[0]}", inner[1], inner[2])
        elif first != second:
            return (name, first, second)
    return ("", None, None)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def _typed(hint: Any, value: Any, name: str) -> Any:
    """`value` as the type that `hint` says: a dataclass, tuple, union, Literal, or a plain type."""
    origin, parameters = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast(type[Any], hint), value, f"{name}.")
    if origin is typing.Literal:
        if value in parameters:
            return value
        raise errors.UserError(f"{name}: {value!r} is none of {', '.join(map(str, parameters))}")
    if origin in (typing.Union, types.UnionType):
        for option in parameters:
            try:
                return _typed(option, value, name)
            except errors.UserError:
                continue
    elif origin is tuple:
        if isinstance(value, list):
            repeated = len(parameters) == 2 and parameters[1] is Ellipsis
            kinds = [parameters[0]] * len(value) if repeated else list(parameters)
            if len(kinds) == len(value):
                pairs = enumerate(zip(kinds, value, strict=True))
                return tuple(_typed(kind, each, f"{name}[{at}]") for at, (kind, each) in pairs)
    elif hint is float and type(value) in (int, float):
        return float(value)
    elif type(value) is hint or (value is None and hint is types.NoneType):
        return value
    raise errors.UserError(f"{name}: {value!r} is not of type {getattr(hint, '__name__', hint)}")
