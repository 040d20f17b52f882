"""Forecasts one step ahead of the truth, over and over: in open loop, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from apps.forecasting import data, trained_model
from apps.suite.export import asking
from apps.suite.panels import asked
from apps.suite.panels import panel as panels

_ROWS = 128  # windows that are asked for at a time
_MOST_SERIES, _MOST_STEPS, _MOST_WINDOWS = 20, 500, 2_000  # that errors one step ahead are of


def open_loop(
    trained: trained_model.TrainedModel, panel: panels.Panel, rows: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Returns medians of one step ahead, float32 [rows, horizon, targets], of a model of steps.

    Each step of the horizon is forecast with the truth of the steps before it fed back.
    """
    targets, config = len(panel.target_names), trained.config
    horizon, middle = config.forecast.horizon_steps, config.forecast.levels.index(0.5)
    each_target = [(*row, column) for row in rows for column in range(targets)]
    found = []
    for start in range(0, len(each_target), _ROWS):
        part = each_target[start : start + _ROWS]
        (steps, series), _, window = data.examples(panel, trained.layout, config, part)
        zeros = [tf.zeros((len(part), each.shape[-1])) for each in trained.network.inputs[2:]]
        said, *_ = trained.network([steps, series, *zeros], training=False)
        z = said[:, -horizon:, 1 + middle]
        said = (window["location"][:, None] + window["spread"][:, None] * z).numpy()
        found.append(np.exp(said) if config.model.log else said)
    whole = np.concatenate(found).reshape(len(rows), targets, horizon)
    return np.asarray(whole.transpose(0, 2, 1))


def one_step_errors(
    model: asking.Model, trained: trained_model.TrainedModel, panel: panels.Panel
) -> list[np.ndarray]:
    """Returns truth minus forecast of consecutive steps, float [steps], NaN where missing.

    Each step is forecast with the truth of all steps before it, in series spread over the panel.
    """
    horizon = trained.config.forecast.horizon_steps
    places = range(0, len(panel.series), -(-len(panel.series) // _MOST_SERIES))
    most = min(_MOST_STEPS, _MOST_WINDOWS // len(places))
    found = []
    for at in places:
        is_direct = trained.config.model.kind == "direct"
        steps = 1 if is_direct else horizon
        origins = panels.origins(panel.series[at], "test", steps, steps)[-max(1, most // steps) :]
        rows = [(at, int(origin)) for origin in origins]
        if not rows:
            continue
        if is_direct:
            said = asked.forecast(model, panel, rows, 1).mean
        else:
            said = open_loop(trained, panel, rows)
        found.append((panels.windows(panel, rows, 1, steps)["truth"] - said)[:, :, 0].ravel())
    return found
