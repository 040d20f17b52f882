import dataclasses
import json
from typing import Literal

import pytest

from apps.suite import errors
from apps.suite.runs import config as config_fields


@dataclasses.dataclass(frozen=True)
class Model:
    units: tuple[int, ...] = (4, 3)
    kind: Literal["lstm", "gru"] = "lstm"


@dataclasses.dataclass(frozen=True)
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
        ("seed", "0", "seed: '0' is not of type int"),
        ("seed", True, "seed: True is not of type int"),
        ("jit", 1, "jit: 1 is not of type bool"),
        ("model.kind", "rnn", "model.kind: 'rnn' is none of lstm, gru"),
        ("model.units", [1, "2"], "model.units[1]: '2' is not of type int"),
        ("size", [1], "size: [1] is not of type tuple"),
        ("patience", "x", "patience: 'x' is not of type"),
        ("model", 3, "model must be an object"),
        ("rate", 2.0, "rate must be at most 1"),
    ],
)
def test_a_wrong_value_is_named_with_its_group(path, value, message):
    with pytest.raises(errors.UserError) as caught:
        config_fields.from_dict(Config, changed(path, value))
    assert str(caught.value).startswith(message)


def test_a_missing_field_is_named_with_its_group():
    values = config_fields.to_dict(Config())
    del values["model"]["kind"]
    with pytest.raises(errors.UserError, match=r"missing field model\.kind"):
        config_fields.from_dict(Config, values)


def test_the_first_difference_is_found_inside_groups():
    same = config_fields.to_dict(Config())
    assert config_fields.first_difference(same, dict(same)) == ("", None, None)
    other = changed("model.kind", "gru")
    assert config_fields.first_difference(same, other) == ("model.kind", "lstm", "gru")
    assert config_fields.first_difference({}, {"seed": 0}) == ("seed", None, 0)
