"""Group of a config that the user's own tables are read by."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class DataFormatConfig:
    time_column: str = ""  # "" = found by its name or type; "none" = the rows are the steps
    time_zone: str = "UTC"  # of times that carry no offset, such as Europe/Berlin
    # Form of times that are not ISO 8601, such as %d.%m.%Y %H:%M; of numbers: excel, seconds,
    # milliseconds, microseconds or nanoseconds
    time_format: str = ""
    date_column: str = ""  # column of the dates, if time_column holds times of day alone
    decimal_mark: Literal["", ".", ","] = ""  # mark before decimals; "" = as the cells show
    label_column: str = ""  # "" = found by its name, such as label or is_anomaly
    labels: str = ""  # a json file {file: [[start, end], …]} instead of a label column
    scored_columns: tuple[str, ...] = ()  # columns to score; none = all that are measurements
    input_columns: tuple[str, ...] = ()  # read by the model and not scored, such as commands
    ignored_columns: tuple[str, ...] = ()
    constant_columns: Literal["refuse", "keep"] = "refuse"  # those with one value in training
    duplicate_times: Literal["refuse", "mean", "last"] = "refuse"
    step_seconds: fields.Amount = 0.0  # rows are brought to this step; 0 = their median spacing
    resample: bool = True  # no = each row is a step, however far apart they are
    series_column: str = ""  # column whose values tell the series of one table apart
    series: str = ""  # one series of a folder, by its path there without suffix; "" = all
    validation_fraction: fields.Share = 0.2  # of the steps, just before the test part
    test_fraction: fields.Share = 0.3  # of the steps, at the end; a column `part` comes before both
    injected_faults: fields.CountOrZero = 0  # made into each test part that has no labels

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)
