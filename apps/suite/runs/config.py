"""The training fields that all configs share, the ranges of fields, and configs as JSON values.

A config is a frozen `pydantic.dataclasses.dataclass`, its groups are such dataclasses too. A field
states its range in its type, a rule over several fields stands in `__post_init__`:

    @dataclass(frozen=True)
    class ModelConfig:
        units: fields.Count = 64
        dropout: fields.Share = 0.1
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite import errors

Config = TypeVar("Config")

Count = Annotated[int, pydantic.Field(ge=1)]
CountOrZero = Annotated[int, pydantic.Field(ge=0)]
Amount = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, pydantic.Field(ge=0, lt=1, allow_inf_nan=False)]
Probability = Annotated[float, pydantic.Field(ge=0, le=1, allow_inf_nan=False)]
InnerShare = Annotated[float, pydantic.Field(gt=0, lt=1, allow_inf_nan=False)]


@dataclass(frozen=True)
class TrainingConfig:
    """Fields that `fit` and the optimizer read; a task adds its own in a subclass."""

    batch_size: Count = 32
    steps: Count = 2_000
    steps_per_checkpoint: Count = 200  # a validation, a history row and a resume point each
    learning_rate: Positive = 3e-3  # at its highest
    schedule: Literal["cosine", "constant"] = "cosine"  # after the warm-up, down to 0
    warmup_fraction: Share = 0.05  # of the steps
    weight_decay: Amount = 0.01
    gradient_clip_norm: Amount = 1.0  # over all gradients together; 0 = off
    average_fraction: Share = 0.1  # share of the steps that weights are averaged over; 0 = off
    # Checkpoints without a better validation before the training stops
    patience_checkpoints: Count | None = None
    jit_compile: bool = False

    def __post_init__(self) -> None:
        if self.steps % self.steps_per_checkpoint:
            raise ValueError("steps must be a multiple of steps_per_checkpoint")


def refuse_fractions(group: Any) -> None:
    """Raises ValueError where a group's validation and test part leave nothing to train on."""
    if group.validation_fraction + group.test_fraction >= 1:
        raise ValueError("validation_fraction and test_fraction leave nothing to train on")


def to_dict(config: Any) -> dict[str, Any]:
    """Converts a config dataclass to nested dictionaries of JSON values; tuples become lists."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_dict(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Returns the `kind` that `to_dict` made `values` of.

    A field that is missing has its default: the run is older than the field.

    Raises errors.UserError for a field (`group.field`) that is unknown, of another type or out of
    its range, and for what a `__post_init__` refuses.
    """
    try:
        return pydantic.TypeAdapter(kind).validate_json(
            json.dumps(values), strict=True, extra="forbid"
        )
    except pydantic.ValidationError as error:
        raise errors.UserError(first_problem(error)) from error


def first_problem(error: pydantic.ValidationError) -> str:
    """Returns one line on the first problem: the field with its groups, its bound, its value."""
    problem = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    said, given = problem["msg"], problem["input"]
    match problem["type"]:
        case "value_error":  # of a __post_init__, which names the fields
            return str(problem["ctx"]["error"])
        case "unexpected_keyword_argument":
            return f"unknown field {field}"
    said = said[:1].lower() + said[1:]
    return f"{field or 'config'} {said.replace('input should be', 'must be')}, is {given!r}"


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """Returns name and both values of the first field in which two `to_dict` results differ.

    ("", None, None) when they are equal; a field that one side lacks is None there.
    """
    for name in [*one, *(name for name in other if name not in one)]:
        first, second = one.get(name), other.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            inner = first_difference(first, second)
            if inner[0]:
                return (f"{name}.{inner[0]}", inner[1], inner[2])
        elif first != second or (name in one) != (name in other):
            return (name, first, second)
    return ("", None, None)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value
