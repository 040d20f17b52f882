"""Finds events in files of readings: `python -m apps.anomaly_detection.predict readings.csv`."""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.anomaly_detection import alarm_examples, events, scoring, trained_model
    from apps.suite.tables import series


TASK = "anomaly_detection"


@dataclasses.dataclass(frozen=True)
class Options:
    """Find events in csv or parquet files; start, end, score and worst columns are printed."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Files, or folders of them, with the columns of the training; none = its own test part."""
    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    events: Path | None = None
    """Write the events to this .csv or .json file as well."""
    plot: Path | None = None
    """Write a .png with the series, its scores, the threshold and the events; of several series,
    the one with the highest score."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print an object a line, one for each series, for machines."""

    def __post_init__(self) -> None:
        for name, file, suffixes in (
            ("events", self.events, (".csv", ".json")),
            ("plot", self.plot, (".png",)),
        ):
            if file is not None and file.suffix.lower() not in suffixes:
                raise ValueError(f"--{name} {file}: must end in {' or '.join(suffixes)}")


class Found(NamedTuple):
    """What is to be said of one series; events, in steps of it, lie behind `start`."""

    one: series.Series
    events: list[events.Event]
    scored: scoring.ScoredSeries
    threshold: float
    start: int
    names: tuple[str, ...]  # of the columns


def predict(options: Options) -> Iterator[Found]:
    """The events of each series of the inputs, read with the data format of the training.

    A series is read from its start with an empty state; its first steps tell the model where it
    is, as those of a stream do. What is found is known `steps_behind` steps later.

    Raises:
        UserError: no finished run, files that cannot be read, that lack a column of the training,
            or that are shorter than a window.
    """
    from apps.anomaly_detection import events, scoring, thresholds, trained_model

    trained = trained_model.load(options.run)
    settings = trained.config.events
    for collection in _collections(options, trained):
        with tempfile.TemporaryDirectory(prefix="anomaly_detection-") as temporary:
            scored = scoring.score_series(trained, collection.series, Path(temporary))
            for one, each in zip(collection.series, scored, strict=True):
                is_over = thresholds.flags(trained.threshold, trained.config.threshold, each.scores)
                is_over[: one.validation_end] = False
                found = events.from_flags(
                    is_over,
                    each.scores,
                    merge_steps=settings.merge_steps,
                    cool_down_steps=settings.cool_down_steps,
                    contributions=each.contributions,
                    names=collection.feature_names,
                )
                yield Found(
                    one,
                    found,
                    each,
                    trained.threshold.value,
                    one.validation_end,
                    collection.feature_names,
                )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _collections(
    options: Options, trained: trained_model.TrainedModel
) -> Iterator[series.Collection]:
    from apps.anomaly_detection import data
    from apps.suite.tables import series_files

    config = trained.config
    if not options.inputs:
        yield data.load(config)
        return
    for path in options.inputs:  # all are read before the first is scored: errors come first
        if not path.exists():
            raise errors.UserError(f"{path}: no such file or folder")
    least = 2 if config.model.kind == "forecaster" else config.model.window_steps
    read = [
        series_files.read_to_score(
            path,
            config.data_format,
            trained.feature_names,
            trained.scored_count,
            trained.step_seconds,
        )
        for path in options.inputs
    ]
    for path, collection in zip(options.inputs, read, strict=True):
        for one in collection.series:
            if len(one) < least:
                raise errors.UserError(
                    f"{path}: {one.name} has {len(one)} steps, fewer than the {least} that the "
                    "model needs; give more rows"
                )
    yield from read


def _print(options: Options) -> None:
    from apps.anomaly_detection import alarm_examples, events

    rows: list[events.EventRow] = []
    chosen: alarm_examples.Shown | None = None
    highest = -1.0
    for found in predict(options):
        listed = events.event_rows(found.one, found.events)
        rows += listed
        if options.json:
            print(json.dumps(_object(found, listed), ensure_ascii=False), flush=True)
        else:
            print(events.events_text(found.one, len(found.one) - found.start, listed), flush=True)
        peak = float(found.scored.scores[found.start :].max(initial=0.0))
        if options.plot is not None and peak > highest:
            highest, chosen = peak, _shown(found)
    if options.events is not None:
        events.write_events(options.events, rows)
    if options.plot is not None and chosen is not None:
        alarm_examples.write_png(options.plot, f"Events of {chosen.one.name}", chosen)


def _object(found: Found, listed: Sequence[events.EventRow]) -> dict[str, object]:
    return {
        "series": found.one.name,
        "steps": len(found.one) - found.start,
        "threshold": found.threshold,
        "events": [
            {name: value for name, value in row._asdict().items() if name != "series"}
            for row in listed
        ],
    }


def _shown(found: Found) -> alarm_examples.Shown:
    """The whole of what was read, with the channel that contributed most to the events."""
    import numpy as np

    from apps.anomaly_detection import alarm_examples

    spans = [(event.start, event.end) for event in found.events]
    shares = sum(
        found.scored.contributions[start:end].sum(axis=0, dtype=np.float64)
        for start, end in spans or [(found.start, len(found.one))]
    )
    column = int(np.argmax(shares))
    return alarm_examples.Shown(
        found.one,
        column,
        found.names[column],
        found.scored.scores,
        found.threshold,
        spans,
        found.start,
        len(found.one),
    )


if __name__ == "__main__":
    sys.exit(main())
