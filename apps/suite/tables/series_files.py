"""Reads series: a user's own file or folder of files, or a named set; each has three parts."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.tables import config as configs
from apps.suite.tables import reader
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
    files = _files(path, settings.series)
    read_files = [steps_of.read(file, settings) for file in files.values()]
    first = read_files[0]
    made = []
    for (name, file), found in zip(files.items(), read_files, strict=True):
        if found.feature_names != first.feature_names:
            raise errors.UserError(
                f"{file}: has the columns {_listed(found.feature_names)}, and the files before it "
                f"{_listed(first.feature_names)}; the series of a folder have the same columns"
            )
        labels = found.steps.labels
        if labels_of:
            labels = labels_of(name, reader.suffix(file), found.steps)
        made.append(_series(name, found, labels, _borders(found, settings)))
    by_column = [found.steps.parts is not None for found in read_files]
    return series_of.Collection(
        name=path.resolve().name,
        licence="your own",
        source=str(path.resolve()),
        fingerprint=_fingerprint(files, settings.labels),
        split=_SPLIT_BY_COLUMN if all(by_column) else _split_sentence(settings),
        feature_names=first.feature_names,
        scored_count=first.scored_count,
        series=tuple(made),
        notes=tuple(note for found in read_files for note in found.notes),
    )


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
    files = _files(path, "")
    made = []
    notes: list[str] = []
    for name, file in files.items():
        found = steps_of.read(file, settings, learned=feature_names)
        made.append(_series(name, found, found.steps.labels, (0, 0)))
        notes.extend(found.notes)
    return series_of.Collection(
        name=path.resolve().name,
        licence="your own",
        source=str(path.resolve()),
        fingerprint=_fingerprint(files, ""),
        split="all steps are to be scored",
        feature_names=feature_names,
        scored_count=scored_count,
        series=tuple(made),
        notes=tuple(notes),
    )


_SPLIT_BY_COLUMN = "in order of time, by the column `part`"


def _split_sentence(settings: configs.DataFormatConfig) -> str:
    train = 1 - settings.validation_fraction - settings.test_fraction
    return (
        f"in order of time: the first {train:.0%} of each series train, the next "
        f"{settings.validation_fraction:.0%} validation, the last {settings.test_fraction:.0%} test"
    )


def _files(path: Path, only: str) -> dict[str, Path]:
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
            if not suffix or any(part.startswith(".") for part in inside.parts):
                continue
            name = inside.as_posix()[: -len(suffix)]
            if name in found:
                raise errors.UserError(f"{file} and {found[name].name} are named alike; keep one")
            found[name] = file
        if not found:
            raise errors.UserError(f"{path}: no {' or '.join(reader.SUFFIXES)} file in this folder")
    if only and only not in found:
        raise errors.UserError(
            f"{path}: no series {only}, which data_format.series names; there are "
            f"{_listed(tuple(found))}"
        )
    return {only: found[only]} if only else found


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


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


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
    return series_of.Collection(
        name=name,
        licence=builder.info.redistribution_info.license or "see source",
        source=builder.info.homepage,
        fingerprint=whole.hexdigest(),
        split="in order of time: the set's own splits train, validation and test",
        feature_names=tuple(columns or (f"value_{at}" for at in range(1, width + 1))),
        scored_count=width,
        series=tuple(made),
    )
