"""Makes the requests by which an export is checked and warmed up, with the answers of Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from apps.forecasting import serving, trained_model
from apps.suite.export import assets
from apps.suite.serving import warmup_requests


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of three rows, at, below and beyond the trained horizon.

    The answers are of the Keras model row by row: histories of other lengths, and gaps.
    """
    made = serving.ServedForecaster(trained)
    horizon = trained.config.forecast.horizon_steps
    found = []
    for rows, time, ahead in ((1, 40, horizon), (3, 25, 1), (2, 9, horizon + 3)):
        inputs = example(made, rows, time, ahead)
        joined = _by_row(made.forecast, inputs, rows)
        found.append(warmup_requests.Request("serving_default", inputs, joined))
        if rows < 3:
            drawn = {**inputs, "count": np.int32(3), "seed": np.int32(rows)}
            joined = _by_row(made.paths, drawn, rows)
            found.append(warmup_requests.Request("paths", drawn, joined))
    for rows in (1, 3):
        found += _streamed(made, rows)
    return [*found, assets.request()]


def _by_row(
    ask: Callable[..., dict[str, tf.Tensor]], inputs: dict[str, Any], rows: int
) -> dict[str, np.ndarray]:
    """Returns the answers of Keras to each row alone."""
    answers = [
        ask(
            **{
                name: tf.constant(array if not np.ndim(array) else array[row : row + 1])
                for name, array in inputs.items()
            }
        )
        for row in range(rows)
    ]
    return {name: np.concatenate([each[name].numpy() for each in answers]) for name in answers[0]}


def _streamed(made: serving.ServedForecaster, rows: int) -> list[warmup_requests.Request]:
    """Returns requests for a first chunk, from states of zeros, for one step after it, and beyond.

    The answers are those of the whole history so far, and states that NumPy keeps.
    """
    time, horizon, length = 7, 3, made.forecaster.context
    whole = example(made, rows, time, horizon)
    states = {
        name: np.zeros([rows, *spec.shape[1:]], spec.dtype.as_numpy_dtype)
        for name, spec in made.states().items()
    }
    found = []
    for start, end in ((0, time - 1), (time - 1, time)):
        until = {
            name: array[:, : end + (horizon if name in ("known", "times") else 0)]
            if name in serving.STEPS
            else array
            for name, array in whole.items()
        }
        chunk = {name: array[:, start:] if name in serving.STEPS else array
                 for name, array in until.items()}  # fmt: skip
        answers = made.forecast(**{name: tf.constant(array) for name, array in until.items()})
        after = {f"{serving.RECENT}count": np.full(rows, min(end, length), np.int32)}
        for name in states:
            of = name.removeprefix(serving.RECENT)
            if of in serving.STEPS:
                array = until[of][:, :end]
                blank = np.full([rows, length, *array.shape[2:]], np.nan)
                if of == "times":
                    step = np.arange(-length, 0) * made.layout.step_seconds
                    blank = until[of][:, :1] + step
                joined = np.concatenate([blank, array], axis=1)[:, -length:]
                after[name] = joined.astype(states[name].dtype)
        told = {name: each.numpy() for name, each in answers.items()} | after
        found.append(warmup_requests.Request("stream", {**chunk, **states}, told))
        states = after
    future = {name: array[:, -horizon:] if name in serving.STEPS else array
              for name, array in whole.items() if name not in ("values", "past")}  # fmt: skip
    told = {name: each.numpy() for name, each in answers.items()}
    return [*found, warmup_requests.Request("closed_loop", {**future, **states}, told)]


def example(made: serving.ServedForecaster, rows: int, time: int, horizon: int) -> dict[str, Any]:
    """Draws inputs with gaps and a new series among them, well above the usual level."""
    draw, layout = np.random.default_rng(rows), made.layout
    whole = time + horizon
    step = max(1, round(layout.step_seconds))
    # Far from 0: near it the rounding of a level of thousands would look like a difference
    base = abs(layout.level) + 20 * layout.spread
    values = base + layout.spread * draw.normal(size=(rows, time, len(layout.target_names)))
    values[draw.random(values.shape) < 0.1] = np.nan

    def drawn(scale: tuple[tuple[float, float], ...], steps: int) -> np.ndarray:
        mean, deviation = np.array(scale or [(0.0, 1.0)][:0]).reshape(-1, 2).T
        found = mean + deviation * draw.normal(size=(rows, steps, len(scale)))
        return found.astype(np.float32)

    names = [*layout.series_names[: rows - 1], "no such series"][:rows]
    static = [["" if at else "0"] * len(layout.static_names) for at in range(rows)]
    inputs = {
        "values": values.astype(np.float32),
        "past": drawn(layout.past_scale, time),
        "known": drawn(layout.known_scale, whole),
        "times": 1_700_000_000 + step * np.arange(whole) + np.zeros((rows, 1), np.int64),
        "series": np.array([name.encode() for name in names], object),
        "static": np.array([[text.encode() for text in row] for row in static], object),
        "horizon": np.int32(horizon),
    }
    return {name: inputs[name] for name in made.specs()}
