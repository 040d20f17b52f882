import json
from typing import Literal

import pydantic
import pytest
from pydantic.dataclasses import dataclass

from apps.suite import errors
from apps.suite.runs import config as config_fields


@dataclass(frozen=True)
class Model:
    units: tuple[config_fields.Count, ...] = (4, 3)
    kind: Literal["lstm", "gru"] = "lstm"


@dataclass(frozen=True)
class Config:
    seed: int = 0
    rate: float = 0.5
    patience: int | None = None
    size: tuple[int, float] = (1, 2.0)
    jit: bool = True
    model: Model = Model()

    def __post_init__(self):
        if self.rate > 1:
            raise ValueError("rate must be at most 1")


def changed(path, value):
    values = config_fields.to_dict(Config())
    *groups, name = path.split(".")
    inner = values
    for group in groups:
        inner = inner[group]
    inner[name] = value
    return values


@pytest.mark.parametrize("config", [Config(), Config(3, 1, 7, (2, 0.5), False, Model((), "gru"))])
def test_a_config_survives_json(config):
    through = json.loads(json.dumps(config_fields.to_dict(config)))
    assert config_fields.from_dict(Config, through) == config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model.colour", "red", "unknown field model.colour"),
        ("seed", "0", "seed must be"),
        ("seed", True, "seed must be"),
        ("jit", 1, "jit must be"),
        ("model.kind", "rnn", "model.kind must be 'lstm' or 'gru'"),
        ("model.units", [1, "2"], "model.units.1 must be"),
        ("size", [1], "size.1 "),
        ("patience", "x", "patience must be"),
        ("model.units", [1, 0], "model.units.1 must be greater than or equal to 1, is 0"),
        ("model", 3, "model must be an object"),
        ("rate", 2.0, "rate must be at most 1"),
    ],
)
def test_a_wrong_value_is_named_with_its_group(path, value, message):
    with pytest.raises(errors.UserError) as caught:
        config_fields.from_dict(Config, changed(path, value))
    assert str(caught.value).startswith(message)


def test_a_run_that_is_older_than_a_field_has_its_default():
    values = config_fields.to_dict(Config())
    del values["model"]["kind"]
    assert config_fields.from_dict(Config, values) == Config()


def test_the_first_difference_is_found_inside_groups():
    same = config_fields.to_dict(Config())
    assert config_fields.first_difference(same, dict(same)) == ("", None, None)
    other = changed("model.kind", "gru")
    assert config_fields.first_difference(same, other) == ("model.kind", "lstm", "gru")
    assert config_fields.first_difference({}, {"seed": 0}) == ("seed", None, 0)


RANGES = [
    (config_fields.Count, [1, 9], [0, -1, 1.5]),
    (config_fields.CountOrZero, [0, 1], [-1, 0.5]),
    (config_fields.Amount, [0.0, 2.5], [-0.1]),
    (config_fields.Positive, [1e-9, 3], [0.0, -1.0]),
    (config_fields.Share, [0.0, 0.99], [1.0, -0.1]),
    (config_fields.Probability, [0.0, 1.0], [1.1, -0.1]),
    (config_fields.InnerShare, [0.5], [0.0, 1.0]),
]


@pytest.mark.parametrize(("kind", "fitting", "others"), RANGES)
def test_a_range_takes_what_lies_in_it_alone(kind, fitting, others):
    checked = pydantic.TypeAdapter(kind)
    assert [checked.validate_python(value) for value in fitting] == fitting
    for value in [*others, float("nan"), float("inf")]:
        with pytest.raises(pydantic.ValidationError):
            checked.validate_python(value)


def test_training_steps_end_at_a_checkpoint():
    config_fields.TrainingConfig(steps=60, steps_per_checkpoint=20)
    with pytest.raises(ValueError, match="steps must be a multiple of steps_per_checkpoint"):
        config_fields.TrainingConfig(steps=61, steps_per_checkpoint=20)
