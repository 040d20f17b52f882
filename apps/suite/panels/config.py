"""Group of a config that tables of many series are read by."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class PanelFormatConfig:
    layout: Literal["long", "wide"] = "long"  # a row for each step of a series, or a column each
    series: str = ""  # column that names the series (long); "" = found by its name
    time: str = ""  # column of times; "" = found by its name or type, "none" = rows are steps
    time_zone: str = "UTC"  # of times that carry no offset, and of the calendar
    time_format: str = ""  # of times that are not ISO 8601, such as %d.%m.%Y %H:%M
    target: tuple[str, ...] = ()  # columns to forecast; none = all that have no other role
    known: tuple[str, ...] = ()  # columns that are known ahead, such as promotions
    past: tuple[str, ...] = ()  # columns that are known afterwards only, such as the weather
    ignored: tuple[str, ...] = ()
    static: str = ""  # a file with a row for each series: its name, then what stays the same
    step_seconds: fields.Amount = 0.0  # rows are brought to this step; 0 = their median spacing
    resample: bool = True  # no = each row is a step, as with trading days
    # The last steps of each series; 0 = by the fractions, or the set's own
    test_steps: fields.CountOrZero = 0
    validation_steps: fields.CountOrZero = 0  # just before them
    train_steps: fields.CountOrZero = 0  # what follows all three parts is left out; 0 = nothing
    validation_fraction: fields.Share = 0.1
    test_fraction: fields.Share = 0.2

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)
        for field in ("target", "known", "past", "ignored"):  # promo,holiday is two columns
            listed = (part.strip() for each in getattr(self, field) for part in each.split(","))
            object.__setattr__(self, field, tuple(name for name in listed if name))
        named = [*self.target, *self.known, *self.past, *self.ignored]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice:
            raise ValueError(f"data_format: {twice} is named for two roles; name it for one")
