"""The requests that a server warms up with, and Keras's answers to them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from apps import warmup_requests
from apps.anomaly_detection import events, trained_model

_LEAST_STEPS = 12


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """For each signature one row and several, with missing values, with one step and with many.

    The answers come from the model as Keras runs it, row by row, and events from `events`; not
    from the functions that are exported.
    """
    steps = trained.detector.steps_behind + _LEAST_STEPS
    found = []
    for rows in (1, 3):
        values = _measurements(trained, rows, steps)
        found += [_whole(trained, values), *_stream(trained, values)]
    return found


def _measurements(trained: trained_model.TrainedModel, rows: int, steps: int) -> np.ndarray:
    """Usual values, some far out, some missing; one channel of the last row wholly missing."""
    draw = np.random.default_rng(rows)
    scaling = trained.network.get_layer("scaling")
    mean, deviation = (np.asarray(each) for each in (scaling.mean, scaling.deviation))
    scaled = draw.normal(size=(rows, steps, len(mean)))
    scaled[:, steps // 2] += 30
    scaled[draw.random(scaled.shape) < 0.1] = np.nan
    if rows > 1:
        scaled[-1, :, 0] = np.nan
    return (mean + deviation * scaled).astype(np.float32)


def _whole(trained: trained_model.TrainedModel, values: np.ndarray) -> warmup_requests.Request:
    observed = np.isfinite(values)
    detector = trained.detector
    scores, contributions = [], []
    for row in range(len(values)):
        found = detector.whole(tf.constant(values[row][None]), tf.constant(observed[row][None]))
        scores.append(found.scores[0].numpy())
        contributions.append(found.contributions[0].numpy())
    return warmup_requests.Request(
        "serving_default",
        {"values": values},
        _answers(trained, np.stack(scores), np.stack(contributions)),
    )


def _stream(
    trained: trained_model.TrainedModel, values: np.ndarray
) -> list[warmup_requests.Request]:
    """A first chunk from states of zeros, and one step after it."""
    detector, rows = trained.detector, len(values)
    observed = np.isfinite(values)
    states = detector.initial_states(rows)
    found = []
    scores = np.zeros((rows, 0), np.float32)
    for part in (slice(0, -1), slice(-1, None)):
        inputs = {
            "values": values[:, part],
            **{name: each.numpy() for name, each in states.items()},
        }
        step, states = detector.advance(values[:, part], observed[:, part], states)
        before, scores = scores.shape[1], np.concatenate([scores, step.scores], axis=1)
        answers = _answers(trained, scores, step.contributions.numpy(), before)
        states["last_event"] = tf.constant(_last_event(trained, scores))
        after = {name: each.numpy() for name, each in states.items()}
        found.append(warmup_requests.Request("stream", inputs, {**answers, **after}))
    return found


def _answers(
    trained: trained_model.TrainedModel,
    scores: np.ndarray,
    contributions: np.ndarray,
    first: int = 0,
) -> dict[str, np.ndarray]:
    """The answers from step `first` on, by the scores of all steps so far."""
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
