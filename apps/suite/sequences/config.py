"""Group of a config that the user's own sequences are read by."""

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class SequenceFormatConfig:
    # "" = found by its name, such as sequence, unit or recording; "none" = all rows are one
    sequence_column: str = ""
    step_column: str = ""  # "" = found by its name, such as step, cycle or time; "none" = row order
    group_column: str = ""  # "" = found by its name, such as group, subject or speaker
    part_column: str = ""  # "" = a column `part` that holds train, validation and test
    ignored_columns: tuple[str, ...] = ()
    time_zone: str = "UTC"  # of steps that are times without an offset, such as Europe/Berlin
    time_format: str = ""  # of times that are not ISO 8601, such as %d.%m.%Y %H:%M
    validation_fraction: fields.Share = 0.2  # of the sequences, where the data name no such part
    test_fraction: fields.Share = 0.2

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)
