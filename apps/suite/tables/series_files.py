"""Reads series: a user's own file or folder of files, or a named set; each has three parts."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.tables import cells, reader, roles
from apps.suite.tables import config as configs
from apps.suite.tables import series as series_of
from apps.suite.tables import steps as steps_of

LabelsOf = Callable[[str, str, steps_of.Steps], np.ndarray]
"""Gives the labels bool [time] of a series by its name, the suffix of its file, and its steps."""


def read(
    path: Path, settings: configs.DataFormatConfig, labels_of: LabelsOf | None = None
) -> series_of.Collection:
    """Reads a csv or parquet file, or all of them in a folder and the folders in it.

    Args:
        path: of the file or folder.
        settings: how it is read.
        labels_of: gives labels from elsewhere, instead of those in a column.

    Raises:
        UserError: no such path, nothing to read, files with different columns, and what
            `steps` and `labels_of` refuse.
    """
    files = _files(path)
    parts = _parts(files, settings, path)
    first: steps_of.FileSteps | None = None
    made, found_steps = [], []
    for part in parts:
        found = steps_of.read(part.file, settings, only=part.value)
        if first is None:
            first = found
        elif found.feature_names != first.feature_names:
            found = _in_order(part, found, first, parts[0], settings)
        labels = found.steps.labels
        if labels_of:
            labels = labels_of(part.name, reader.suffix(part.file), found.steps)
        made.append(_series(part.name, found, labels, _borders(found, settings)))
        found_steps.append(found)
    assert first is not None
    by_column = [found.steps.parts is not None for found in found_steps]
    return series_of.Collection(
        name=path.resolve().name,
        licence="your own",
        source=str(path.resolve()),
        fingerprint=_fingerprint({part.name_of_file: part.file for part in parts}, settings.labels),
        split=_SPLIT_BY_COLUMN if all(by_column) else _split_sentence(settings),
        feature_names=first.feature_names,
        scored_count=first.scored_count,
        series=tuple(made),
        notes=_notes(path, parts, found_steps),
        understood=(
            *roles.columns_told(
                [
                    (_shown(path, part), found.columns)
                    for part, found in zip(parts, found_steps, strict=True)
                ]
            ),
            *roles.steps_told(made, first.clock),
            *_files_told(path, files),
        ),
    )


class _Part(NamedTuple):
    """A series: its name, its file, and the value of the series' column there (None: all rows)."""

    name: str
    file: Path
    value: str | None
    name_of_file: str


def _parts(files: dict[str, Path], settings: configs.DataFormatConfig, path: Path) -> list[_Part]:
    """Returns the series of the files; UserError unless the one that the settings name is there."""
    if settings.series_column:
        found = [
            _Part(f"{name}/{value}", file, value, name)
            for name, file in files.items()
            for value in _values(file, settings)
        ]
    else:
        found = [_Part(name, file, None, name) for name, file in files.items()]
    if not settings.series:
        return found
    chosen = [part for part in found if part.name == settings.series]
    if not chosen:
        raise errors.UserError(
            f"{path}: no series {settings.series}, which data_format.series names; there are "
            f"{roles.some([part.name for part in found])}"
        )
    return chosen


def _values(file: Path, settings: configs.DataFormatConfig) -> list[str]:
    """Returns the values that tell the series of a table apart, in the order of the rows."""
    table, column = reader.open_table(file), settings.series_column
    if column not in table.names:
        raise errors.UserError(
            f"{file}: no column {column}, which data_format.series_column names; there are "
            f"{', '.join(table.names)}"
        )
    found = dict[str, None]()
    for block in table.blocks([column]):
        found.update(dict.fromkeys(cells.names(block, column).unique().to_pylist()))
        if len(found) > _MOST_SERIES:
            raise errors.UserError(
                f"{file}: column {column} has more than {_MOST_SERIES:,} values; "
                "data_format.series_column names the column of a machine, not of a measurement"
            )
    return list(found)


def _in_order(
    part: _Part,
    found: steps_of.FileSteps,
    first: steps_of.FileSteps,
    first_part: _Part,
    settings: configs.DataFormatConfig,
) -> steps_of.FileSteps:
    """Returns a file's steps with the columns in the first file's order; UserError for others."""
    if {*found.feature_names} == {*first.feature_names}:
        again = steps_of.read(part.file, settings, first.feature_names, part.value)
        return again._replace(scored_count=first.scored_count, columns=found.columns)
    said = []
    for verb, these, others, why in (
        ("lacks", first, found, dict(found.left_out)),
        ("has", found, first, dict(first.left_out)),
    ):
        names = [
            f"{name} (left out {'here' if verb == 'lacks' else 'there'}: {why[name]})"
            if name in why
            else name
            for name in these.feature_names
            if name not in others.feature_names
        ]
        if names:
            said.append(f"{verb} {roles.some(names)}")
    raise errors.UserError(
        f"{part.file}: {' and '.join(said)}, unlike {first_part.file}; the series of a folder have "
        "the same columns: --data_format.ignored_columns leaves one out everywhere"
    )


def _notes(path: Path, parts: list[_Part], found: list[steps_of.FileSteps]) -> tuple[str, ...]:
    return tuple(
        f"{_shown(path, part)}: {note}"
        for part, each in zip(parts, found, strict=True)
        for note in each.notes
    )


def _shown(path: Path, part: _Part) -> str:
    """Returns a series' file as messages name it: with its folders where there are some."""
    name = str(part.file.relative_to(path)) if part.file != path else path.name
    return name if part.value is None else f"{name}, {part.value}"


def _files_told(path: Path, files: dict[str, Path]) -> list[str]:
    """Returns a line on the files of a folder that are read and that are not."""
    if not path.is_dir():
        return []
    passed = [
        str(file.relative_to(path))
        for file in sorted(path.rglob("*"))
        if file.is_file() and not reader.suffix(file) and not _is_hidden(file, path)
    ]
    others = f"; not read: {roles.some(passed)}" if passed else ""
    return [f"files: {len(files):,} read{others}"]


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


_MOST_SERIES = 1_000  # in one table


def read_to_score(
    path: Path,
    settings: configs.DataFormatConfig,
    feature_names: tuple[str, ...],
    scored_count: int,
    step_seconds: float,
) -> series_of.Collection:
    """Reads series for a model that is trained; the whole of each is its test part.

    Args:
        settings: of the training.
        feature_names: the columns that were learned; each file must have them.
        scored_count: of the training's collection.
        step_seconds: of the series that were learned; rows are brought to it.

    Raises:
        UserError: as `read`, and for files that lack a column that was learned.
    """
    settings = dataclasses.replace(
        settings, step_seconds=step_seconds if settings.resample else 0.0, series=""
    )
    parts = _parts(_files(path), settings, path)
    made, found_steps = [], []
    for part in parts:
        found = steps_of.read(part.file, settings, feature_names, part.value)
        made.append(_series(part.name, found, found.steps.labels, (0, 0)))
        found_steps.append(found)
    return series_of.Collection(
        name=path.resolve().name,
        licence="your own",
        source=str(path.resolve()),
        fingerprint=_fingerprint({part.name_of_file: part.file for part in parts}, ""),
        split="all steps are to be scored",
        feature_names=feature_names,
        scored_count=scored_count,
        series=tuple(made),
        notes=_notes(path, parts, found_steps),
    )


_SPLIT_BY_COLUMN = "in order of time, by the column `part`"


def _split_sentence(settings: configs.DataFormatConfig) -> str:
    train = 1 - settings.validation_fraction - settings.test_fraction
    return (
        f"in order of time: the first {train:.0%} of each series train, the next "
        f"{settings.validation_fraction:.0%} validation, the last {settings.test_fraction:.0%} test"
    )


def _files(path: Path) -> dict[str, Path]:
    """Files by the name of their series, in the order of the names."""
    if not path.is_dir():
        suffix = reader.suffix(path)
        if not path.exists():
            raise errors.UserError(f"{path}: no such file or folder")
        if not suffix:
            raise errors.UserError(f"{path}: ends in none of {', '.join(reader.SUFFIXES)}")
        found = {path.name[: -len(suffix)]: path}
    else:
        found = {}
        for file in sorted(path.rglob("*")):
            suffix, inside = reader.suffix(file), file.relative_to(path)
            if not suffix or _is_hidden(file, path):
                continue
            name = inside.as_posix()[: -len(suffix)]
            if name in found:
                raise errors.UserError(f"{file} and {found[name].name} are named alike; keep one")
            found[name] = file
        if not found:
            raise errors.UserError(f"{path}: no {' or '.join(reader.SUFFIXES)} file in this folder")
    return found


def _borders(found: steps_of.FileSteps, settings: configs.DataFormatConfig) -> tuple[int, int]:
    """Returns the steps at which the validation part and the test part begin."""
    steps = found.steps
    count = len(steps.values)
    if steps.parts is not None:
        validation, test = np.searchsorted(steps.parts, [1, 2])
        return int(validation), int(test)
    test_start = count - int(count * settings.test_fraction)
    return test_start - int(count * settings.validation_fraction), test_start


def _series(
    name: str, found: steps_of.FileSteps, labels: np.ndarray | None, borders: tuple[int, int]
) -> series_of.Series:
    steps = found.steps
    return series_of.Series(
        name=name,
        times=steps.times,
        dated=steps.dated,
        step_seconds=steps.step_seconds,
        values=steps.values,
        observed=steps.observed,
        labels=labels,
        train_end=borders[0],
        validation_end=borders[1],
    )


def _fingerprint(files: dict[str, Path], labels: str) -> str:
    """Returns the SHA-256 of the files' names and contents."""
    whole = hashlib.sha256()
    named = {**files, "": Path(labels).expanduser()} if labels else files
    for name, path in named.items():
        with path.open("rb") as file:
            whole.update(f"{name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


_FEATURES = ("series", "time", "values", "label")


def read_named(name: str) -> series_of.Collection:
    """Reads the splits train, validation and test of a named set, which become the three parts.

    Each example is one series' part: `series` (its name), `time` int64 [time] in seconds since
    1970, `values` float32 [time, features] (NaN where missing), `label` bool [time]. The names of
    the columns are the metadata's `columns`.

    Raises:
        UserError: no such set, or a set of another layout.
    """
    builder = named_sets.prepare(name)
    missing = [each for each in _FEATURES if each not in builder.info.features]
    missing += [f"split {part}" for part in series_of.PARTS if part not in builder.info.splits]
    if missing:
        raise errors.UserError(
            f"{name}: lacks {', '.join(missing)}; give a set laid out as half_hourly_demand"
        )
    parts: dict[str, list[dict[str, Any]]] = {}
    for part in series_of.PARTS:
        for example in builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator():
            parts.setdefault(example["series"].decode(), []).append(example)
    whole = hashlib.sha256()
    made = []
    for title, examples in parts.items():
        if len(examples) != len(series_of.PARTS):
            raise errors.UserError(f"{name}: {title} must have one example in each split")
        time, values, labels = (
            np.concatenate([each[feature] for each in examples]) for feature in _FEATURES[1:]
        )
        for array in (time, values, labels):
            whole.update(np.ascontiguousarray(array).data)
        lengths = [len(each["time"]) for each in examples]
        borders = lengths[0], lengths[0] + lengths[1]
        made.append(
            series_of.Series(
                name=title,
                times=time.astype(np.float64),
                dated=True,
                step_seconds=float(np.median(np.diff(time))),
                values=np.nan_to_num(values, nan=0.0),
                observed=~np.isnan(values),
                labels=labels,
                train_end=borders[0],
                validation_end=borders[1],
            )
        )
    columns = (builder.info.metadata or {}).get("columns")
    width = made[0].values.shape[1]
    names = tuple(columns or (f"value_{at}" for at in range(1, width + 1)))
    return series_of.Collection(
        name=name,
        licence=builder.info.redistribution_info.license or "see source",
        source=builder.info.homepage,
        fingerprint=whole.hexdigest(),
        split="in order of time: the set's own splits train, validation and test",
        feature_names=names,
        scored_count=width,
        series=tuple(made),
        understood=(
            f"{name}: {len(made):,} series, columns {', '.join(names)}",
            *roles.steps_told(made, "of the set"),
        ),
    )
