"""Finds the roles of a table's columns: times, label, part, measurements, and what is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.suite import errors
from apps.suite.tables import cells, forms, reader, series
from apps.suite.tables import config as configs
from apps.suite.tables import times as timestamps

_TIMES = ("time", "timestamp", "datetime", "date_time", "date", "ts", "ds")
_LIKE_TIMES = re.compile("time|date|stamp|epoch|unix|datum|zeit|fecha|heure")
_LABELS = ("label", "labels", "is_anomaly", "anomaly", "is_anomalous", "anomalous", "is_outlier")
_LIKE_LABELS = re.compile(
    r"(.*[ _/-])?"
    r"(labels?|anomal(y|ies|ous)|outliers?|change_?points?|attacks?|ground_?truth|faulty)"
    r"([ _/-].*)?"
)
_LIKE_ROW_NUMBERS = re.compile(
    r"column_\d+|unnamed.*|__index_level_\d+__|level_0|#|id|idx|index|n|no\.?|nr\.?|rec(ord)?|seq"
    r"(uence)?|row([ _]?(id|names?|nr|no|numbers?))?"
)


@dataclass(frozen=True)
class Roles:
    """Names of a table's columns by their roles; None for a role that no column has."""

    time: str | None
    label: str | None
    part: str | None
    values: tuple[str, ...]  # scored columns, then columns that are only read
    scored_count: int
    left_out: tuple[tuple[str, str], ...]  # names, and why
    date: str | None = None  # of the dates, where `time` holds times of day

    def told(self) -> str:
        """Returns the roles in a sentence, but for the times."""
        count = self.scored_count
        said = [f"scored: {some(self.values[:count])}"]
        if self.values[count:]:
            said.append(f"only read: {some(self.values[count:])}")
        for role, name in (("label", self.label), ("part", self.part)):
            if name:
                said.append(f"{role}: {name}")
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.left_out:
            by_reason.setdefault(reason, []).append(name)
        said += [f"left out: {some(names)} ({reason})" for reason, names in by_reason.items()]
        return "; ".join(said)


def find_roles(
    table: reader.Table,
    first: cells.Block,
    settings: configs.DataFormatConfig,
    learned: tuple[str, ...] | None = None,
) -> Roles:
    """Finds the roles by the config, by the columns' names, and by the first block's content.

    Args:
        table: of the columns.
        first: block of it.
        settings: what the config says.
        learned: the columns of the training, or None. They must be here, and further columns are
            left out.

    Raises:
        UserError: a column of the config or of the training that the table lacks, no numeric
            column, or times that need a `time_format`.
    """
    for field, named in (
        ("time_column", () if settings.time_column == "none" else (settings.time_column,)),
        ("date_column", (settings.date_column,)),
        ("label_column", (settings.label_column,)),
        ("input_columns", () if learned else settings.input_columns),
        ("scored_columns", () if learned else settings.scored_columns),
    ):
        for name in named:
            if name and name not in table.names:
                raise errors.UserError(
                    f"{table.source}: no column {name}, which data_format.{field} names; "
                    f"there are {', '.join(table.names)}"
                )
    free = [name for name in table.names if name not in (learned or ())]
    time, date = find_times(free, first, settings)
    others = [name for name in table.names if name not in (time, date, settings.series_column)]
    label = settings.label_column or _named(others, _LABELS)
    if label in (learned or ()):
        label = None  # a column of values that is named like a label
    others = [name for name in others if name not in (label, *settings.ignored_columns)]
    part = next((name for name in others if name.lower() == "part"), None)
    if part is not None and not _holds_parts(first, part):
        part = None
    others = [name for name in others if name != part]
    if learned is not None:
        values, count = _as_learned(table, others, learned)
        return Roles(time, label, part, values, count, left_out=(), date=date)
    reasons = {name: _reason(first, name, settings) for name in others}
    taken = [name for name, reason in reasons.items() if not reason]
    scored = [name for name in taken if name not in settings.input_columns]
    if not scored:
        why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)
        raise errors.UserError(
            f"{table.source}: no numeric column to score{f' beside {time}' if time else ''}"
            f"{f' ({why})' if why else ''}; there are {', '.join(table.names)}; "
            "--data_format.scored_columns names one"
        )
    inputs = [name for name in settings.input_columns if name in taken]
    left_out = tuple((name, reason) for name, reason in reasons.items() if reason)
    return Roles(time, label, part, (*scored, *inputs), len(scored), left_out, date)


def _reason(first: cells.Block, name: str, settings: configs.DataFormatConfig) -> str:
    """Returns why a column is left out; "" for a measurement."""
    if settings.scored_columns and name not in (*settings.scored_columns, *settings.input_columns):
        return "not among scored_columns"
    if not cells.is_numeric(first, name):
        return "times" if timestamps.looks_like_times(first, name) else "text"
    if name in (*settings.scored_columns, *settings.input_columns):
        return ""
    lower = name.lower().strip()
    values = _values(first, name)
    if _LIKE_LABELS.fullmatch(lower) and {*np.unique(values)} <= {0.0, 1.0}:
        return "looks like a label"
    if len(values) < 3 or not (np.diff(values) >= 0).all():
        return ""
    rises = bool((np.diff(values) > 0).all() and (values == np.floor(values)).all())
    if _LIKE_ROW_NUMBERS.fullmatch(lower) and rises:
        return "row numbers"
    if _LIKE_TIMES.search(lower) and (lower in _TIMES or forms.are_dated(values)):
        return "a second column of times"
    if lower in _TIMES:
        return "a second column of times"
    return ""


def _values(first: cells.Block, name: str) -> np.ndarray:
    """Returns a column's numbers that are not missing; none where one cannot be read."""
    try:
        values = cells.numbers(first, name)
    except errors.UserError:  # told where the column is read
        return np.zeros(0)
    return values[~np.isnan(values)]


def find_times(
    names: Sequence[str], first: cells.Block, settings: configs.DataFormatConfig
) -> tuple[str | None, str | None]:
    """Finds the column of times, and that of the dates if those are times of day.

    Columns named like times come first, unless they hold no dates and another one does.
    """
    if settings.time_column == "none":
        return None, None
    names = [name for name in names if name not in (settings.ignored_columns)]
    time = settings.time_column or settings.date_column
    if settings.date_column and not settings.time_column:
        of_day = [name for name in names if timestamps.is_time_of_day(first.columns[name])]
        if not of_day:
            raise errors.UserError(
                f"{first.source}: no column of times of day to join to {settings.date_column}; "
                "name it with --data_format.time_column"
            )
        return of_day[0], settings.date_column
    if time:
        return time, settings.date_column or None
    lower = {name.lower(): name for name in reversed(names)}
    named = [lower[name] for name in _TIMES if name in lower]
    fit = {name: _fit(first, name, settings) for name in names}
    for found in (
        [name for name in named if fit[name] >= _DATED],
        [name for name in names if fit[name] == _TYPED],
        [name for name in names if fit[name] == _DATED and _LIKE_TIMES.search(name.lower())],
        sorted(named, key=lambda name: -fit[name]),
    ):
        if found:
            time = found[0]
            break
    of_day = [name for name in names if timestamps.is_time_of_day(first.columns[name])]
    dates = [name for name in (time, *names) if name and _holds_dates(first, name)]
    if of_day and dates and (time in of_day or time == dates[0]):
        return of_day[0], dates[0]
    foreign = [name for name in (time, *names) if name and fit[name] == _FOREIGN]
    if foreign and (not time or fit[time] <= _FOREIGN) and (of_day or foreign[0] not in named):
        raise errors.UserError(_asked_for(first, foreign[0], of_day))
    return time or None, None


def _asked_for(first: cells.Block, name: str, of_day: list[str]) -> str:
    """Returns a message about dates that are not ISO 8601, with the options that read them."""
    form = forms.format_of(cells.present(first.columns[name]))
    column = f"--data_format.time_column {name}"
    if of_day and "%H" not in form and "%I" not in form:
        column = f"--data_format.date_column {name} --data_format.time_column {of_day[0]}"
        clock = str((cells.present(first.columns[of_day[0]]) or ["0:0"])[0])
        shown = "%H:%M:%S" if clock.count(":") == 2 else "%H:%M"
        form = form.replace('" or', f' {shown}" or')[:-1] + f' {shown}"'
    return (
        f"{first.source}: column {name} holds dates that are not ISO 8601: give {column} "
        f"--data_format.time_format {form}; --data_format.time_column none takes the rows as steps"
    )


_TYPED, _DATED, _FOREIGN, _OTHER = 3, 2, 1, 0


def _fit(first: cells.Block, name: str, settings: configs.DataFormatConfig) -> int:
    """Returns how surely a column holds moments of the calendar."""
    import pyarrow as pa

    column = first.columns[name]
    if timestamps.looks_like_times(first, name):
        return _TYPED
    if cells.is_numeric(first, name):
        values = _values(first, name)
        if len(values) < 2 or not (np.diff(values) >= 0).all():
            return _OTHER
        is_dated = forms.are_dated(values)
        return _DATED if is_dated or forms.are_spreadsheet_days(values) else _OTHER
    if not pa.types.is_string(column.type):
        return _OTHER
    found = cells.present(column)
    if settings.time_format and found and timestamps.fits(found, settings.time_format):
        return _TYPED
    return _FOREIGN if forms.format_of(found) else _OTHER


def _holds_dates(first: cells.Block, name: str) -> bool:
    """Returns true for dates without times of day, as types or in ISO 8601."""
    import pyarrow as pa

    column = first.columns[name]
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        return True
    return timestamps.looks_like_times(first, name) and all(
        len(text.strip()) <= 10 for text in cells.present(column)
    )


def _named(names: Sequence[str], known: tuple[str, ...]) -> str | None:
    """Finds the column whose name comes first in `known`."""
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name] for name in known if name in lower), None)


def _holds_parts(first: cells.Block, name: str) -> bool:
    found = first.columns[name].unique()
    return {*cells.present(found, len(found))} <= {*series.PARTS}


def _as_learned(
    table: reader.Table, others: list[str], learned: tuple[str, ...]
) -> tuple[tuple[str, ...], int]:
    missing = [name for name in learned if name not in others]
    if missing:
        new = [name for name in others if name not in learned]
        instead = f", has {some(new)} instead" if new else ""
        raise errors.UserError(
            f"{table.source}: lacks {some(missing)} of the columns that were learned{instead}; "
            "name the columns as they were in training"
        )
    return learned, len(learned)


def some(names: Sequence[str]) -> str:
    """Returns the first names, and the number of the others."""
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


_MOST_WAYS = 5


def columns_told(files: Sequence[tuple[str, str]]) -> list[str]:
    """Returns a line for each way in which files' columns were understood, the usual one first.

    Args:
        files: name and `Roles.told` of each.
    """
    ways: dict[str, list[str]] = {}
    for name, columns in files:
        ways.setdefault(columns, []).append(name)
    ordered = sorted(ways.items(), key=lambda way: -len(way[1]))
    return [
        f"{names[0] if len(names) == 1 else f'{names[0]} and {len(names) - 1} more'}: {columns}"
        for columns, names in ordered[:_MOST_WAYS]
    ]


def steps_told(many: Sequence[series.Series], clock: str) -> list[str]:
    """Returns lines on the times, the parts and the labels of series.

    Args:
        many: series.
        clock: words on their times; "" without times.
    """
    lines = ["times: none; the rows are the steps"]
    if clock:
        ends = [
            forms.written(1e6 * t)
            for t in (min(one.times[0] for one in many), max(one.times[-1] for one in many))
        ]
        steps = sorted({one.step_seconds for one in many})
        shown = f"{steps[0]:g}" if len(steps) == 1 else f"{steps[0]:g} to {steps[-1]:g}"
        lines = [f"times: {clock}, {ends[0]} to {ends[1]}, a step each {shown} s"]
    counts = (
        sum(one.train_end for one in many),
        sum(one.validation_end - one.train_end for one in many),
        sum(len(one) - one.validation_end for one in many),
    )
    parts = ", ".join(f"{name} {count:,}" for name, count in zip(series.PARTS, counts, strict=True))
    known = [one.labels for one in many if one.labels is not None]
    labelled = sum(int(np.count_nonzero(labels)) for labels in known)
    return [*lines, f"steps: {parts}; {f'{labelled:,} labelled' if known else 'no labels'}"]
