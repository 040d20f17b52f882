"""Forecasts by what an honest engineer would try first, each from the history alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apps.forecasting import config as configs
from apps.forecasting import data
from apps.suite.panels import layout as layouts
from apps.suite.panels import naive_forecasts
from apps.suite.panels import panel as panels

_SEASONS = 4
_MOST_THETA = 3_000  # forecasts; more of them would take minutes
_MOST_LEARNED = 8_000  # windows that the learned ones are fitted on
_RIDGE = 1e-2
_ROWS = 512  # windows that are looked at together


def forecasts(
    panel: panels.Panel,
    layout: layouts.Layout,
    config: configs.Config,
    rows: Sequence[tuple[int, int]],
) -> dict[str, np.ndarray]:
    """Returns the forecasts float32 [rows, horizon, targets] of each baseline by its name."""
    horizon, season = config.forecast.horizon_steps, layout.season
    length = max(config.model.context_steps, _SEASONS * max(1, season))
    values = naive_forecasts.filled(panels.windows(panel, rows, length, horizon)["values"])
    found = {naive_forecasts.LAST: naive_forecasts.last_value(values, horizon)}
    if season:
        found[naive_forecasts.SEASONAL] = naive_forecasts.mean_of_seasons(
            values, horizon, season, 1
        )
        found[f"mean of {_SEASONS} seasons"] = naive_forecasts.mean_of_seasons(
            values, horizon, season, _SEASONS
        )
    if len(rows) * len(layout.target_names) <= _MOST_THETA:
        found["theta"] = naive_forecasts.theta(panel, rows, horizon, season)
    found |= learned(panel, layout, config, rows)
    return found


def learned(
    panel: panels.Panel,
    layout: layouts.Layout,
    config: configs.Config,
    rows: Sequence[tuple[int, int]],
) -> dict[str, np.ndarray]:
    """Returns forecasts of a closed-form linear model and of gradient boosting, for all series.

    The linear one maps a history, its last value subtracted, to all steps ahead. The boosting one
    reads a step ahead: the values a season before and the calendar, as the network does, the last
    values, and how far ahead it is. Both learn from windows spread over the train parts.
    """
    from sklearn import ensemble

    targets, horizon = len(layout.target_names), config.forecast.horizon_steps
    least = layout.least_history(config.model.context_steps, horizon)
    starts = [
        (at, int(origin), column)
        for at, one in enumerate(panel.series)
        for origin in panels.origins(one, "train", horizon, 1, least)
        for column in range(targets)
    ]
    draw = np.random.default_rng(config.seed)
    if len(starts) > _MOST_LEARNED:
        starts = [starts[at] for at in draw.choice(len(starts), _MOST_LEARNED, replace=False)]
    asked = [(*row, column) for row in rows for column in range(targets)]

    def pieces(windows: Sequence[tuple[int, int, int]]) -> tuple[np.ndarray, ...]:
        _, y, found = data.examples(panel, layout, config, windows)
        context, ahead = (found[name].numpy() for name in ("context", "ahead"))
        scale = (found[name].numpy()[:, None] for name in ("location", "spread"))
        z = context[:, :, 0]
        last = z[:, -1:]
        step = np.broadcast_to(np.arange(horizon)[None, :, None], (*ahead.shape[:2], 1))
        recent = np.repeat(z[:, None, -8:], horizon, axis=1)
        return (
            z - last,
            last,
            np.concatenate([ahead, step, recent], axis=2),
            y[:, -horizon:].numpy(),
            *scale,
        )

    parts = [pieces(starts[at : at + _ROWS]) for at in range(0, len(starts), _ROWS)]
    x, last, steps, y, *_ = map(np.concatenate, zip(*parts, strict=True))
    x = np.append(x, np.ones((len(x), 1)), axis=1).astype(np.float64)
    weight = y[..., 1].mean(axis=1, keepdims=True)
    target = np.where(y[..., 1] > 0, y[..., 0] - last, 0)
    gram = x.T @ (weight * x) + _RIDGE * len(x) * np.eye(x.shape[1]) * weight.mean()
    weights = np.linalg.solve(gram, x.T @ (weight * target))
    chosen = draw.integers(horizon, size=(len(steps), min(horizon, 6)))
    row = np.arange(len(steps))[:, None]
    known = y[row, chosen, 1].ravel() > 0
    boosting = ensemble.HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=300, learning_rate=0.06, random_state=config.seed
    )
    boosting.fit(
        steps[row, chosen].reshape(-1, steps.shape[-1])[known], y[row, chosen, 0].ravel()[known]
    )
    found: dict[str, list[np.ndarray]] = {"linear": [], "gradient boosting": []}
    for start in range(0, len(asked), _ROWS):
        part = asked[start : start + _ROWS]
        x, last, steps, _, location, spread = pieces(part)
        z = np.append(x, np.ones((len(x), 1)), axis=1) @ weights + last
        found["linear"].append(location + spread * z)
        boosted = boosting.predict(steps.reshape(-1, steps.shape[-1])).reshape(-1, horizon)
        found["gradient boosting"].append(location + spread * boosted)
    own = np.exp if config.model.log else np.asarray
    return {
        name: own(np.concatenate(arrays))
        .reshape(len(rows), targets, horizon)
        .transpose(0, 2, 1)
        .astype(np.float32)
        for name, arrays in found.items()
    }
