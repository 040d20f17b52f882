"""Arguments into a typed dataclass by tyro, with errors of one line instead of tyro's boxes."""

import dataclasses
import difflib
import sys
import typing
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import pydantic
import tyro

# Private, therefore used in this file alone: its test fails when a release of tyro moves it, and
# pyproject.toml keeps tyro below the next minor version.
from tyro import _errors as tyro_errors

from apps.suite import errors
from apps.suite.runs import config

Options = TypeVar("Options")


def parse(
    kind: type[Options],
    arguments: Sequence[str] | None,
    *,
    program: str,
    description: str,
    default: Options | None = None,
) -> Options:
    """Returns a `kind` filled from `arguments` (None: those of the process).

    Fields become `--field value`, nested dataclasses `--group.field value`; a comment or docstring
    at the field is its help. Raises errors.UserError for arguments that do not fit, also where a
    field is out of its range or a `__post_init__` raises ValueError; SystemExit(0) after `--help`.
    """
    names = [f"--{name}" for name in _option_names(kind)]
    defaults: dict[str, Any] = {} if default is None else {"default": default}

    def refuse(event: tyro_errors.ParseErrorEvent) -> None:
        refused = sys.exception()  # of the options, or tyro's while it handled that of a group
        for error in (refused, refused and refused.__context__):
            if isinstance(error, pydantic.ValidationError):
                raise errors.UserError(config.first_problem(error))
        raise errors.UserError(_one_line(event, names))

    try:
        with tyro_errors.on_parse_error(refuse):
            return tyro.cli(
                kind,
                prog=program,
                description=description,
                args=arguments,
                use_underscores=True,
                config=(tyro.conf.PositionalMetavarFromFieldName,),
                **defaults,
            )
    except pydantic.ValidationError as error:
        raise errors.UserError(config.first_problem(error)) from error
    except ValueError as error:  # of a __post_init__, which tyro lets through
        raise errors.UserError(" ".join(str(error).split())) from error


def _one_line(event: tyro_errors.ParseErrorEvent, names: Sequence[str]) -> str:
    match event:
        case tyro_errors.UnrecognizedArgs(tokens=[token, *_]):
            return _unknown(token, names)
        case tyro_errors.InvalidChoice(argument=argument, value=value, choices=choices):
            return f"{_name(argument)}: {value!r} is not one of {', '.join(choices)}"
        case tyro_errors.BadValue(argument=argument):
            return f"{_name(argument)} needs a value"
        case tyro_errors.MissingArgs(unrecognized_tokens=[token, *_]):
            return _unknown(token, names)
        case tyro_errors.MissingArgs(missing_arguments=missing):
            return f"missing {', '.join(_name(each.arg) for each in missing)}; see --help"
        case tyro_errors.InstantiationFailure(argument=None, message=message):
            return " ".join(message.split())
        case tyro_errors.InstantiationFailure(argument=argument, message=message):
            return f"{_name(argument)}: {_plain_words(message)}"
    return f"the arguments do not fit ({type(event).__name__}); see --help"


def _plain_words(message: str) -> str:
    """Rewrites the message of Python's int() and float() without their jargon."""
    for jargon, kind in (
        ("invalid literal for int() with base 10: ", "a whole number"),
        ("could not convert string to float: ", "a number"),
    ):
        _, found, value = message.partition(jargon)
        if found:
            return f"{value} is not {kind}"
    return " ".join(message.partition("Got errors:")[0].split())


def _unknown(token: str, names: Sequence[str]) -> str:
    if not token.startswith("-"):
        return f"unexpected argument {token!r}; see --help"
    option = token.split("=")[0].replace("-", "_").replace("__", "--", 1)
    near = difflib.get_close_matches(option, names, n=1)
    hint = f"did you mean {near[0]}?" if near else "--help lists them"
    return f"unknown option {token.split('=')[0]}; {hint}"


def _name(argument: Any) -> str:
    """Returns `--group.field`, or the name of a positional argument."""
    if argument.is_positional():
        return str(argument.field.intern_name)
    return str(argument.lowered.name_or_flags[-1])


def _option_names(kind: Any) -> Iterator[str]:
    """Returns the dotted names of all fields, without groups that are marked `name=""`."""
    origin, parameters = typing.get_origin(kind) or kind, typing.get_args(kind)
    hints = typing.get_type_hints(origin, include_extras=True)
    for field in dataclasses.fields(origin):
        hint, marks = hints[field.name], list[Any]()
        if typing.get_origin(hint) is typing.Annotated:
            hint, *marks = typing.get_args(hint)
        if isinstance(hint, TypeVar):
            (hint,) = parameters
        if not dataclasses.is_dataclass(hint):
            yield field.name
            continue
        flat = any(getattr(mark, "name", None) == "" for mark in marks)
        yield from (name if flat else f"{field.name}.{name}" for name in _option_names(hint))
