"""Finds events in files of readings: `python -m apps.anomaly_detection.predict readings.csv`."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import sys
import tempfile
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.anomaly_detection import alarm_examples, events
    from apps.suite.export import asking
    from apps.suite.tables import series


TASK = "anomaly_detection"
_NUMBERS_A_CALL = 500_000  # steps times columns that an export or a server scores at a time


@dataclasses.dataclass(frozen=True)
class Options:
    """Find events in csv or parquet files; start, end, score and worst columns are printed."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Files, or folders of them, with the columns of the training; none = the run's test part."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    events: Path | None = None
    """Write the events to this .csv or .json file as well."""
    scores: Path | None = None
    """Write the score of every row to this .csv file: series, time, score, is_anomaly, and the
    column that contributed most."""
    plot: Path | None = None
    """Write a .png with the series, its scores, the threshold and the events; of several series,
    the one with the highest score."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line, one for each series."""

    def __post_init__(self) -> None:
        for name, file, suffixes in (
            ("events", self.events, (".csv", ".json")),
            ("scores", self.scores, (".csv",)),
            ("plot", self.plot, (".png",)),
        ):
            if file is not None and file.suffix.lower() not in suffixes:
                raise ValueError(f"--{name} {file}: must end in {' or '.join(suffixes)}")


class Found(NamedTuple):
    """The events of one series, and the scores they follow from.

    Attributes:
        one: the series.
        events: in steps of the series; none before `start`.
        scores: float32 [time].
        contributions: float32 [time, features], adding up to the score.
        threshold: of the scores.
        start: first step that is judged.
        names: of the columns.
    """

    one: series.Series
    events: list[events.Event]
    scores: np.ndarray
    contributions: np.ndarray
    threshold: float
    start: int
    names: tuple[str, ...]


def predict(options: Options) -> Iterator[Found]:
    """Yields the events of each series of the inputs, read with the data format of the training.

    A series is read from its start with an empty state; its first steps tell the model where it
    is, as those of a stream do. What is found is known `steps_behind` steps later.

    Raises:
        UserError: no finished run, export or server; files that cannot be read, that lack a column
            of the training, or that are shorter than a window.
    """
    if options.server or options.model is not None:
        yield from _of_export(options)
    else:
        yield from _of_run(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _of_run(options: Options) -> Iterator[Found]:
    """Scores the inputs with the Keras model; without inputs, the test part of the run."""
    from apps.anomaly_detection import data, scoring, serving, trained_model

    _refuse_missing(options.inputs)
    trained = trained_model.load(options.run)
    settings = serving.settings(trained)
    given = options.inputs
    for collection in _read(given, settings) if given else [data.load(trained.config)]:
        with tempfile.TemporaryDirectory(prefix="anomaly_detection-") as temporary:
            scored = scoring.score_series(trained, collection.series, Path(temporary))
            for one, each in zip(collection.series, scored, strict=True):
                yield _found(one, each.scores, each.contributions, settings)


def _of_export(options: Options) -> Iterator[Found]:
    """Asks an export or a server for the scores of one series after the other."""
    from apps.anomaly_detection import serving
    from apps.suite.export import asking

    if not options.inputs:
        raise errors.UserError("inputs: give files; only a run (--run) has a test part of its own")
    _refuse_missing(options.inputs)
    with asking.model(TASK, serving.served, options) as model:
        model.setting("threshold")  # an export that is too old says so before files are read
        for collection in _read(options.inputs, model.settings):
            for one in collection.series:
                yield _found(one, *_asked(model, one), model.settings)


def _asked(model: asking.Model, one: series.Series) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores and contributions of a series, which is brought to the model's scale first."""
    import numpy as np

    from apps.anomaly_detection import series_scales

    settings = model.settings
    scales = {
        name: series_scales.Scale(**scale) for name, scale in settings.get("series", {}).items()
    }
    common = (np.array(settings.get(name, [])) for name in ("mean", "deviation"))
    ready, level = series_scales.brought(one, scales, *common)
    scores, contributions = _scores(model, ready)
    return scores / np.float32(level), contributions / np.float32(level)


def _scores(model: asking.Model, one: series.Series) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores [time] and contributions [time, features] of a series.

    A model whose scores do not lag reads a long series as a stream, a part at a time; any other
    model needs the whole series to score its last steps.
    """
    import numpy as np

    values = np.where(one.observed, one.values, np.float32(np.nan))
    steps = max(1, _NUMBERS_A_CALL // values.shape[1])
    if len(values) <= steps or model.setting("steps_behind"):
        whole = model.ask(values=values[None])
        return whole["score"][0], whole["contribution"][0]
    states = {
        name: np.zeros([1, *(size or 1 for size in (tensor.shape or [1])[1:])])
        for name, tensor in model.inputs["stream"].items()
        if name != "values"
    }
    parts = []
    for start in range(0, len(values), steps):
        answer = model.ask("stream", values=values[None, start : start + steps], **states)
        states = {name: answer[name] for name in states}
        parts.append((answer["score"][0], answer["contribution"][0]))
    scores, contributions = zip(*parts, strict=True)
    return np.concatenate(scores), np.concatenate(contributions)


def _found(
    one: series.Series,
    scores: np.ndarray,
    contributions: np.ndarray,
    settings: Mapping[str, Any],
) -> Found:
    import numpy as np

    from apps.anomaly_detection import config as configs
    from apps.anomaly_detection import events, thresholds

    threshold = thresholds.Threshold(**settings["threshold"])
    judged = configs.ThresholdConfig(**settings["threshold_config"])
    is_over = thresholds.flags(threshold, judged, scores)
    is_over[: one.validation_end] = False
    names = tuple(settings["channel_names"])
    scored = settings["scored_channels"]
    found = events.from_flags(
        is_over,
        scores,
        **settings["events"],
        contributions=contributions,
        names=names,
        has_row=np.any(one.observed[:, :scored], axis=1),
    )
    return Found(one, found, scores, contributions, threshold.value, one.validation_end, names)


def _refuse_missing(inputs: Sequence[Path]) -> None:
    for path in inputs:
        if not path.exists():
            raise errors.UserError(f"{path}: no such file or folder")


def _read(inputs: Sequence[Path], settings: Mapping[str, Any]) -> list[series.Collection]:
    """Reads all inputs before the first is scored: errors come first."""
    from apps.suite.tables import config as table_configs
    from apps.suite.tables import series_files

    lists: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings["data_format"].items()
    }
    data_format = table_configs.DataFormatConfig(**lists)
    names, least = tuple(settings["channel_names"]), settings["least_steps"]
    scored, step_seconds = settings["scored_channels"], settings["step_seconds"]
    read = [
        series_files.read_to_score(path, data_format, names, scored, step_seconds)
        for path in inputs
    ]
    for path, collection in zip(inputs, read, strict=True):
        for one in collection.series:
            if len(one) < least:
                raise errors.UserError(
                    f"{path}: {one.name} has {len(one)} steps, fewer than the {least} that the "
                    "model needs; give more rows"
                )
    return read


def _print(options: Options) -> None:
    from apps.anomaly_detection import alarm_examples, events
    from apps.suite.runs import files

    with contextlib.ExitStack() as opened:
        write = None
        if options.scores is not None:
            files.make_folder(options.scores.parent)
            partial = opened.enter_context(files.replacing(options.scores))
            file = opened.enter_context(partial.open("w", encoding="utf-8", newline=""))
            write = csv.writer(file, lineterminator="\n").writerows
            write([_SCORE_COLUMNS])
        rows, chosen = _told(options, write)
    if options.events is not None:
        events.write_events(options.events, rows)
    if options.plot is not None and chosen is not None:
        alarm_examples.write_png(options.plot, f"Events of {chosen.one.name}", chosen)


_SCORE_COLUMNS = ("series", "time", "score", "is_anomaly", "worst_column")


def _score_rows(found: Found) -> Iterator[tuple[str, str | int, str, int, str]]:
    """Yields the rows of the table of scores, for each step that is judged and has a value."""
    import numpy as np

    from apps.anomaly_detection import events

    one, is_anomaly = found.one, np.zeros(len(found.scores), np.bool_)
    for event in found.events:
        is_anomaly[event.start : event.end] = True
    for step in range(found.start, len(found.scores)):
        if one.observed[step].any():
            parts = found.contributions[step]
            worst = found.names[int(np.argmax(parts))] if parts.any() else ""
            score = f"{found.scores[step]:.6g}"
            yield one.name, events.moment(one, step), score, int(is_anomaly[step]), worst


def _told(
    options: Options, write: Callable[[Iterable[Sequence[object]]], object] | None
) -> tuple[list[events.EventRow], alarm_examples.Shown | None]:
    """Prints what is found, series by series; returns all events, and the series for the plot."""
    from apps.anomaly_detection import events

    rows: list[events.EventRow] = []
    chosen: alarm_examples.Shown | None = None
    highest = -1.0
    for found in predict(options):
        if write is not None:
            write(_score_rows(found))
        listed = events.event_rows(found.one, found.events)
        rows += listed
        if options.json:
            print(json.dumps(_object(found, listed), ensure_ascii=False), flush=True)
        else:
            print(events.events_text(found.one, len(found.one) - found.start, listed), flush=True)
        peak = float(found.scores[found.start :].max(initial=0.0))
        if options.plot is not None and peak > highest:
            highest, chosen = peak, _shown(found)
    return rows, chosen


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
    """Returns the series for the plot, with the channel that contributed most to the events."""
    import numpy as np

    from apps.anomaly_detection import alarm_examples

    spans = [(event.start, event.end) for event in found.events]
    shares = sum(
        found.contributions[start:end].sum(axis=0, dtype=np.float64)
        for start, end in spans or [(found.start, len(found.one))]
    )
    column = int(np.argmax(shares))
    return alarm_examples.Shown(
        found.one,
        column,
        found.names[column],
        found.scores,
        found.threshold,
        spans,
        found.start,
        len(found.one),
    )


if __name__ == "__main__":
    sys.exit(main())
