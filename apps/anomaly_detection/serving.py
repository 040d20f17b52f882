"""Builds the signatures of the export, which score measurements, and their requests.

An export of the embedded data carries some of them, for users without data of their own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import (
    data,
    detector,
    events,
    named_requests,
    own_models,
    served_scales,
    trained_model,
)
from apps.suite import errors
from apps.suite.export import assets
from apps.suite.runs import run_folder
from apps.suite.serving import limits, signatures, warmup_requests
from apps.suite.tables import series

EXAMPLE = "example.csv"
"""The asset with some of the embedded data."""

_ANSWER = {
    "score": "float32[b, time]",
    "threshold": "float32[b]",
    "is_anomaly": "bool[b, time]",
    "alarm": "bool[b, time]",
    "contribution": "float32[b, time, features]",
    "channel_names": "string[b, features]",
}
_VALUES = {"values": "float32[b, time, features]"}
_OF_SERIES = {**_VALUES, "series": "string[b]"}
SIGNATURES = {
    "serving_default": signatures.Signature(_VALUES, _ANSWER),
    "stream": signatures.Signature(
        {**_VALUES, signatures.STATES: "any[…]"}, {**_ANSWER, signatures.STATES: "any[…]"}
    ),
    "of_series": signatures.Signature(
        _OF_SERIES, {**_ANSWER, "is_known": "bool[b]"}, optional=True
    ),
    "stream_of_series": signatures.Signature(
        {**_OF_SERIES, signatures.STATES: "any[…]"},
        {**_ANSWER, "is_known": "bool[b]", signatures.STATES: "any[…]"},
        optional=True,
    ),
    "assets": signatures.ASSETS,
}
"""NaN is a missing value, and infinite values are refused; a stream's states begin as zeros.

A model of several series, each scaled by itself, has `of_series` and `stream_of_series` as well:
`series` names the series of each row, which is scaled as in training. `is_known` is False for
another name, whose row is read on the scale that all series have in common, as by the signatures
without a name."""

LIMITS = {"rows_times_steps": 2**19, "rows_times_steps_of_windows": 2**22, "numbers": 2**24}
"""Bounds of a request, which the graph holds; a model of windows (`steps_behind` above 0) reads
many windows side by side, any other one step after the other."""

_MOST_DEVIATIONS = 1e12  # from the mean; a value beyond counts as this: its square is a float32


class ServedDetector:
    """Serves a detector: tensors in and out, with NaN for a missing value.

    Args:
        trained: its threshold is the one that decides.
        example: measurements as csv for the asset example.csv, or None.

    Attributes:
        saved: what has to be saved for the signatures.
        state_names: of the stream's states, in order.
        settings: the asset settings.json: what clients need beside the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel, example: str | None = None) -> None:
        self.detector = trained.detector
        self.names = tf.constant(trained.feature_names)
        self.saved = tf.Module(name="served_detector")
        # With the seeds of dropout: Keras puts its masks into the graph, though nobody uses them
        self.saved.weights = [variable.value for variable in trained.network.variables]
        self.state_names = list(self.detector.initial_states(1))
        self.scales = served_scales.ServedScales(trained) if trained.scales else None
        if self.scales is not None:
            self.saved.scales = self.scales.saved
        self.settings = settings(trained)
        contents = {assets.SETTINGS: json.dumps(self.settings, indent=2) + "\n"}
        if example is not None:
            contents[EXAMPLE] = example
        self.assets = assets.Assets(contents)
        self.saved.assets = self.assets.saved

    def signatures(self) -> dict[str, Any]:
        """Returns a traceable function by the name of its signature."""
        values = tf.TensorSpec([None, None, self.detector.features], tf.float32, "values")
        states = {
            name: tf.TensorSpec([None, *state.shape[1:]], state.dtype, name)
            for name, state in self.detector.initial_states(1).items()
        }
        found = {
            "serving_default": tf.function(
                lambda values: self.whole(values), autograph=False, input_signature=[values]
            ),
            "stream": tf.function(
                lambda values, **states: self.stream(values, **states), autograph=False
            ).get_concrete_function(values=values, **states),
            "assets": self.assets.signature(),
        }
        if self.scales is not None:
            series = tf.TensorSpec([None], tf.string, "series")
            found["of_series"] = tf.function(
                self.whole, autograph=False, input_signature=[values, series]
            )
            found["stream_of_series"] = tf.function(
                self.stream, autograph=False
            ).get_concrete_function(values=values, series=series, **states)
        return found

    def whole(self, values: tf.Tensor, series: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Answers signatures `serving_default` and `of_series`."""
        values, observed, told, level = self._read(values, series)
        found = self.detector.whole(values, observed)
        states = self.detector.initial_states(tf.shape(values)[0])
        return {**self._answers(found, states, level)[0], **told}

    def stream(
        self, values: tf.Tensor, series: tf.Tensor | None = None, **states: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Answers signatures `stream` and `stream_of_series`."""
        states = {
            name: limits.finite(state, name) if state.dtype.is_floating else state
            for name, state in states.items()
        }
        values, observed, told, level = self._read(values, series)
        found, after = self.detector.advance(values, observed, states)
        answers, after = self._answers(found, after, level)
        return {**answers, **told, **after}

    def _read(
        self, values: tf.Tensor, series: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor], tf.Tensor | None]:
        """Returns the values after checks, True where they are not missing, and their series.

        Of the series: the answer `is_known`, and the level of their scores.
        """
        rows, steps, channels = tf.unstack(tf.shape(values))
        most = _most_steps(self.detector.steps_behind)
        told = "values: rows times steps; ask a longer series in parts by the signature stream"
        values = limits.at_most(values, [rows, steps], most, told)
        values = limits.at_most(
            values, [rows, steps, channels], LIMITS["numbers"], "values: how many numbers"
        )
        values = limits.checked(
            values,
            tf.reduce_all(~tf.math.is_inf(values)),
            "values: one is infinite, or beyond float32; a missing value is NaN",
        )
        known: dict[str, tf.Tensor] = {}
        level = None
        if series is not None and self.scales is not None:
            values, level, known["is_known"] = self.scales.brought(values, series)
        scaling = self.detector.residuals.scaling
        mean, deviation = (tf.convert_to_tensor(each) for each in (scaling.mean, scaling.deviation))
        reach = _MOST_DEVIATIONS * deviation
        near = tf.clip_by_value(values, mean - reach, mean + reach)
        return near, ~tf.math.is_nan(values), known, level

    def _answers(
        self,
        found: detector.Scores,
        states: dict[str, tf.Tensor],
        level: tf.Tensor | None,
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        if level is not None:
            found = found._replace(
                scores=found.scores / level[:, None],
                contributions=found.contributions / level[:, None, None],
            )
        is_anomaly, alarm, states = self.detector.decide(found.scores, states)
        rows = tf.shape(found.scores)[0]
        answers = {
            "score": found.scores,
            "threshold": tf.fill([rows], tf.constant(self.detector.threshold, tf.float32)),
            "is_anomaly": is_anomaly,
            "alarm": alarm,
            "contribution": found.contributions,
            "channel_names": tf.tile(self.names[None], [rows, 1]),
        }
        return answers, states


def served(run: Path) -> ServedDetector:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    trained = trained_model.load(run)
    own_models.refuse_export(trained, run)
    return ServedDetector(trained, example_csv(run))


def settings(trained: trained_model.TrainedModel) -> dict[str, Any]:
    """Returns what clients need beside the signatures: how files are read and events found."""
    scaling, model = trained.network.get_layer("scaling"), trained.config.model
    return {
        "channel_names": list(trained.feature_names),
        "scored_channels": trained.scored_count,  # the first channels; the others are only read
        "step_seconds": trained.step_seconds,
        "season_steps": trained.season_steps,  # 0: none is known
        "mean": np.asarray(scaling.mean, np.float64).tolist(),  # of each channel, in its unit
        "deviation": np.asarray(scaling.deviation, np.float64).tolist(),
        # Of each series that was scaled by itself; requests without a name are on the common scale
        "series": {name: scale._asdict() for name, scale in trained.scales.items()},
        # Asked by `score_many` of tables, unless it is told another
        "signature_of_tables": "of_series" if trained.scales else "serving_default",
        # How `predict` reads files and finds events
        "least_steps": 2 if model.kind == "forecaster" else model.window_steps,
        "steps_behind": trained.detector.steps_behind,
        "data_format": dataclasses.asdict(trained.config.data_format),
        "events": dataclasses.asdict(trained.config.events),
        "threshold": dataclasses.asdict(trained.threshold),
        "threshold_config": dataclasses.asdict(trained.config.threshold),
        "limits": {
            "rows_times_steps": _most_steps(trained.detector.steps_behind),
            "numbers": LIMITS["numbers"],
        },
    }


def _most_steps(steps_behind: int) -> int:
    return LIMITS["rows_times_steps_of_windows" if steps_behind else "rows_times_steps"]


EXAMPLE_STEPS = 1_008  # three weeks of half-hours: a season to fill the memory, then faults


def example_csv(run: Path) -> str | None:
    """Returns the last steps of the series that a finished run has learned from, as csv with times.

    Only the embedded data are handed on: returns None for a user's own measurements, and where the
    embedded data are missing or have changed since the training.
    """
    folder = run_folder.open_finished(run, "anomaly_detection", configs.Config)
    if folder.config.data or folder.data.get("name") != data.DEFAULT:
        return None
    with contextlib.suppress(errors.UserError):
        collection = data.load(folder.config)
        if collection.fingerprint == folder.data["fingerprint"]:
            return _written(collection.series[0], collection.feature_names)
    return None


def _written(one: series.Series, names: tuple[str, ...]) -> str:
    lines = [",".join(["time", *names])]
    for at in range(max(0, len(one) - EXAMPLE_STEPS), len(one)):
        time = np.datetime64(round(one.times[at]), "s")
        pairs = zip(one.values[at], one.observed[at], strict=True)
        cells = [f"{value:.7g}" if is_there else "" for value, is_there in pairs]
        lines.append(",".join([str(time), *cells]))
    return "\n".join(lines) + "\n"


_LEAST_STEPS = 12


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several rows, with missing values, one step and many steps.

    The answers come from the model as Keras runs it, row by row, and events from `events`; not
    from the functions that are exported.
    """
    steps = trained.detector.steps_behind + _LEAST_STEPS
    found = []
    for rows in (1, 3):
        values = _measurements(trained, rows, steps)
        found += [
            _whole(trained, named_requests.Sent(values)),
            *_stream(trained, named_requests.Sent(values)),
        ]
        if trained.scales:
            sent = named_requests.of_series(trained, values)
            found += [_whole(trained, sent), *_stream(trained, sent)]
    return [*found, assets.request()]


def _measurements(trained: trained_model.TrainedModel, rows: int, steps: int) -> np.ndarray:
    """Draws usual, extreme and missing values; one channel of the last row is missing entirely."""
    draw = np.random.default_rng(rows)
    scaling = trained.network.get_layer("scaling")
    mean, deviation = (np.asarray(each) for each in (scaling.mean, scaling.deviation))
    scaled = draw.normal(size=(rows, steps, len(mean)))
    scaled[:, steps // 2] += 30
    scaled[draw.random(scaled.shape) < 0.1] = np.nan
    if rows > 1:
        scaled[-1, :, 0] = np.nan
    return (mean + deviation * scaled).astype(np.float32)


def _whole(
    trained: trained_model.TrainedModel, sent: named_requests.Sent
) -> warmup_requests.Request:
    values, observed = sent.read, np.isfinite(sent.read)
    detector = trained.detector
    scores, contributions = [], []
    for row in range(len(values)):
        found = detector.whole(tf.constant(values[row][None]), tf.constant(observed[row][None]))
        scores.append(found.scores[0].numpy())
        contributions.append(found.contributions[0].numpy())
    every = sent.levelled(np.stack(scores)), sent.levelled(np.stack(contributions))
    return warmup_requests.Request(
        sent.name("serving_default"),
        sent.inputs(),
        {**_answers(trained, *every), **sent.told(trained)},
    )


def _stream(
    trained: trained_model.TrainedModel, sent: named_requests.Sent
) -> list[warmup_requests.Request]:
    """Returns requests for a first chunk, from states of zeros, and for one step after it."""
    detector, rows = trained.detector, len(sent.values)
    values, observed = sent.read, np.isfinite(sent.read)
    states = detector.initial_states(rows)
    found = []
    scores = np.zeros((rows, 0), np.float32)
    for part in (slice(0, -1), slice(-1, None)):
        inputs = {
            **sent.inputs(part),
            **{name: each.numpy() for name, each in states.items()},
        }
        step, states = detector.advance(values[:, part], observed[:, part], states)
        before = scores.shape[1]
        scores = np.concatenate([scores, sent.levelled(step.scores.numpy())], axis=1)
        contributions = sent.levelled(step.contributions.numpy())
        answers = {**_answers(trained, scores, contributions, before), **sent.told(trained)}
        states["last_event"] = tf.constant(_last_event(trained, scores))
        after = {name: each.numpy() for name, each in states.items()}
        found.append(warmup_requests.Request(sent.name("stream"), inputs, {**answers, **after}))
    return found


def _answers(
    trained: trained_model.TrainedModel,
    scores: np.ndarray,
    contributions: np.ndarray,
    first: int = 0,
) -> dict[str, np.ndarray]:
    """Returns the answers from step `first` on, given the scores of all steps so far."""
    is_anomaly, alarm = np.zeros(scores.shape, bool), np.zeros(scores.shape, bool)
    for row, found in enumerate(_events(trained, scores)):
        for start, end in found:
            is_anomaly[row, start:end] = scores[row, start:end] > trained.threshold.value
            alarm[row, start] = True
    names = np.array([name.encode() for name in trained.feature_names], object)
    return {
        "score": scores[:, first:],
        "threshold": np.full(len(scores), trained.threshold.value, np.float32),
        "is_anomaly": is_anomaly[:, first:],
        "alarm": alarm[:, first:],
        "contribution": contributions,
        "channel_names": np.tile(names, (len(scores), 1)),
    }


def _last_event(trained: trained_model.TrainedModel, scores: np.ndarray) -> np.ndarray:
    time = scores.shape[1]
    ends = [found[-1][1] if found else time + 1 for found in _events(trained, scores)]
    return np.array([time + 1 - end for end in ends], np.int32)


def _events(trained: trained_model.TrainedModel, scores: np.ndarray) -> list:
    settings = trained.config.events
    over = scores > np.float32(trained.threshold.value)
    return [events.intervals(row, settings.merge_steps, settings.cool_down_steps) for row in over]
