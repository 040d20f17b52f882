"""Which column of a table is the time, which the label, and which are read as values."""

from __future__ import annotations

from dataclasses import dataclass

from apps import errors
from apps.anomaly_detection import config as configs
from apps.anomaly_detection import number_columns, tables, timestamps

PARTS = ("train", "validation", "test")
_TIMES = ("time", "timestamp", "datetime", "date_time", "date", "ts", "ds")
_LABELS = ("label", "labels", "is_anomaly", "anomaly", "is_anomalous", "anomalous", "is_outlier")


@dataclass(frozen=True)
class Roles:
    """Names of a table's columns by what they are; None for what there is not."""

    time: str | None
    label: str | None
    part: str | None
    values: tuple[str, ...]  # those that are scored first, then those that are only read
    scored_count: int
    left_out: tuple[str, ...]  # neither named in the config nor numeric


def find(
    table: tables.Table,
    first: tables.Block,
    settings: configs.DataFormatConfig,
    learned: tuple[str, ...] | None = None,
) -> Roles:
    """Finds them by the config, by their names, and by what the first block holds.

    Args:
        learned: the columns of the training, where there was one: they must be here, and further
            columns are left out.

    Raises:
        UserError: a column of the config or of the training that the table lacks, or no numeric
            column.
    """
    for field, named in (
        ("time_column", () if settings.time_column == "none" else (settings.time_column,)),
        ("label_column", (settings.label_column,)),
        ("input_columns", () if learned else settings.input_columns),
    ):
        for name in named:
            if name and name not in table.names:
                raise errors.UserError(
                    f"{table.path}: no column {name}, which data_format.{field} names; "
                    f"there are {', '.join(table.names)}"
                )
    time = _time(table, first, settings)
    others = [name for name in table.names if name != time]
    label = settings.label_column or _named(others, _LABELS)
    if label in (learned or ()):
        label = None  # a column of values that is named like a label
    others = [name for name in others if name not in (label, *settings.ignored_columns)]
    part = next((name for name in others if name.lower() == "part"), None)
    if part is not None and not _holds_parts(first, part):
        part = None
    others = [name for name in others if name != part]
    if learned is not None:
        return Roles(time, label, part, *_as_learned(table, others, learned), left_out=())
    numeric = [name for name in others if number_columns.is_numeric(first.columns[name])]
    scored = [name for name in numeric if name not in settings.input_columns]
    if not scored:
        beside = f" beside {time}" if time else ""
        raise errors.UserError(
            f"{table.path}: no numeric column to score{beside}; there are {', '.join(table.names)}"
        )
    inputs = [name for name in settings.input_columns if name in numeric]
    left_out = tuple(name for name in others if name not in numeric)
    return Roles(time, label, part, (*scored, *inputs), len(scored), left_out)


def _time(
    table: tables.Table, first: tables.Block, settings: configs.DataFormatConfig
) -> str | None:
    if settings.time_column == "none":
        return None
    if settings.time_column:
        return settings.time_column
    return _named(list(table.names), _TIMES) or next(
        (name for name in table.names if timestamps.looks_like_times(first.columns[name])), None
    )


def _named(names: list[str], known: tuple[str, ...]) -> str | None:
    """The column whose name comes first in `known`."""
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name] for name in known if name in lower), None)


def _holds_parts(first: tables.Block, name: str) -> bool:
    return {*first.columns[name].drop_null().to_pylist()} <= {*PARTS}


def _as_learned(
    table: tables.Table, others: list[str], learned: tuple[str, ...]
) -> tuple[tuple[str, ...], int]:
    missing = [name for name in learned if name not in others]
    if missing:
        new = [name for name in others if name not in learned]
        instead = f", has {_some(new)} instead" if new else ""
        raise errors.UserError(
            f"{table.path}: lacks {_some(missing)} of the columns that were learned{instead}; "
            "name the columns as they were in training"
        )
    return learned, len(learned)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
