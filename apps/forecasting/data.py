"""Loads series with their covariates, and turns windows of them into what the network reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from apps.forecasting import config as configs
from apps.forecasting import smoothing
from apps.suite import errors
from apps.suite.panels import histories as history_files
from apps.suite.panels import layout as layouts
from apps.suite.panels import panel as panels
from apps.suite.tables import seasons

DEFAULT = "hourly_traffic"


def load(config: configs.Config) -> panels.Panel:
    """Reads the series of `config.data`: a csv or parquet file, or the name of a set.

    Raises:
        UserError: nothing of that name, data that cannot be read, or series that are all too short
            for a forecast in each part, with place and reason.
    """
    panel = history_files.of_training(config.data or DEFAULT, config.data_format)
    horizon = config.forecast.horizon_steps
    for part in ("train", "validation", "test"):
        if not any(len(panels.origins(one, part, horizon, 1)) for one in panel.series):
            longest = max(panel.series, key=lambda one: one.length)
            raise errors.UserError(
                f"{panel.source}: no series has a {part} part of {horizon} steps; the longest, "
                f"{longest.name}, has {longest.length:,} steps; give more rows, a shorter "
                f"--forecast.horizon_steps, or other --data_format.{part}_steps"
            )
    lowest = config.forecast.lowest
    if lowest is not None:
        least, name = _least(panel)
        if least < lowest:
            raise errors.UserError(
                f"--forecast.lowest {lowest:g}: {panel.source} has {least:g} in the series {name}; "
                "give a bound that no value is below, or leave it out"
            )
    return panel


def hints(panel: panels.Panel, config: configs.Config) -> list[str]:
    """Returns what a person may want to know of before the training."""
    if config.forecast.lowest is None and not config.model.log and _least(panel)[0] >= 0:
        return ["no value is below 0; --forecast.lowest 0 keeps forecasts and paths there, too"]
    return []


def _least(panel: panels.Panel) -> tuple[float, str]:
    """Returns the least value of all targets, and the name of its series."""
    least = [np.nan_to_num(one.target, nan=np.inf).min(initial=np.inf) for one in panel.series]
    at = int(np.argmin(least))
    return float(least[at]), panel.series[at].name


def preprocess(
    window: dict[str, tf.Tensor], layout: layouts.Layout, model: configs.ModelConfig
) -> dict[str, tf.Tensor]:
    """Returns what the network reads of windows of one target each.

        z = (x - location) / spread, cut to ±10; 0 where x is missing

    The location is the last value, the mean or the level of the history, the spread its deviation:
    a series that nobody has seen is scaled as the others are.

    Args:
        window: values float32 (batch, context) with NaN where missing, past float32 (batch,
            context, columns), known float32 (batch, context + horizon, columns), times float64
            (batch, context + horizon), static float32 (batch, numbers), see
            `layout.static_in_graph`; all but the values may be of one row that the others share.
        layout: of the training.
        model: sizes of the seasons.

    Returns:
        location and spread float32 (batch,); context float32 (batch, context, …); ahead float32
        (batch, horizon, …), whose first number is the mean of the seasons before, or the season
        that was taken off and the course of Theta; and `asked` of an autoregressive model, the
        same of all steps but the first.
    """
    values = window["values"]
    length, horizon = values.shape[1], window["known"].shape[1] - values.shape[1]
    is_observed = tf.math.is_finite(values)
    observed = tf.cast(is_observed, tf.float32)
    filled = tf.where(is_observed, values, 0.0)
    count = tf.maximum(tf.reduce_sum(observed, axis=1), 1.0)
    mean = tf.reduce_sum(filled, axis=1) / count
    apart = (filled - mean[:, None]) * observed
    spread = tf.sqrt(tf.reduce_sum(apart**2, axis=1) / count)
    spread = tf.maximum(spread, 1e-3 * tf.abs(mean))
    spread = tf.where(spread > 0, spread, 1.0)
    anchor = None
    if model.adjusted and layout.season:
        of = apart / spread[:, None]
        profile = seasons.profile(of, observed, layout.season, length + horizon)
        filled = (filled - spread[:, None] * profile[:, :length]) * observed
        anchor = profile[:, length:]
    location = mean
    if layout.location == "last":
        last = tf.argmax(observed * tf.range(1.0, length + 1), axis=1)
        location = tf.gather(filled, last, batch_dims=1)
    elif layout.location == "theta":
        location, course = smoothing.theta(filled, observed, horizon)
        anchor = course / spread[:, None] + (0.0 if anchor is None else anchor)
    z = (filled - location[:, None]) / spread[:, None]
    z = tf.clip_by_value(z, -layouts.CLIP, layouts.CLIP) * observed
    both = []
    if layout.known_names:
        both.append(layouts.scaled(window["known"], layout.known_scale))
    if layout.dated:
        both.append(seasons.calendar(window["times"], layout.step_seconds))
    always = tf.zeros((tf.shape(z)[0], length + horizon, 0))
    if both:
        always = _for_each(tf.concat(both, axis=-1), z)
    context = [z[:, :, None], observed[:, :, None]]
    if layout.past_names:
        context.append(_for_each(layouts.scaled(window["past"], layout.past_scale), z))
    is_direct = model.kind == "direct"
    steps = range(length if is_direct else 1, length + horizon)
    static = _for_each(window["static"], z)
    asked = _asked(z, observed, always, static, layout, model, length, steps)
    if anchor is not None:
        asked = tf.concat([anchor[:, :, None], asked[:, :, 1:]], axis=-1)
    found = {"location": location, "spread": spread, "ahead": asked[:, -horizon:]}
    if is_direct:
        return {**found, "context": tf.concat([*context, always[:, :length]], axis=-1)}
    return {**found, "asked": asked, "context": tf.concat(context, axis=-1)}


def _for_each(side: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns a side that all rows share for each of them."""
    return tf.broadcast_to(side, tf.concat([tf.shape(rows)[:1], tf.shape(side)[1:]], axis=0))


def _asked(
    z: tf.Tensor,
    observed: tf.Tensor,
    always: tf.Tensor,
    static: tf.Tensor,
    layout: layouts.Layout,
    model: configs.ModelConfig,
    length: int,
    steps: range,
) -> tf.Tensor:
    """Returns what is known of steps before they are there, float32 (batch, steps, …)."""
    anchor = tf.zeros((tf.shape(z)[0], len(steps), 1))
    found = []
    if layout.season:
        places = layout.season, model.season_count, length, steps
        repeated, is_known = seasons.before(z, observed, *places)
        count = tf.reduce_sum(is_known, axis=-1, keepdims=True)
        anchor = tf.reduce_sum(repeated, axis=-1, keepdims=True) / tf.maximum(count, 1.0)
        found += [repeated, is_known]
        for at in range(len(layout.known_names)):  # a plan of then tells what it was worth
            column = always[:, :, at]
            found.append(seasons.before(column, tf.ones_like(column), *places)[0])
    found.append(always[:, steps.start : steps.stop])
    if layout.static_count:
        found.append(tf.repeat(static[:, None], len(steps), axis=1))
    return tf.concat([anchor, *found], axis=-1)


def fed(
    asked: tf.Tensor, z: tf.Tensor, observed: tf.Tensor, before: tf.Tensor, past: tf.Tensor
) -> tf.Tensor:
    """Returns what the autoregressive network reads for some steps, float32 (batch, steps, …).

    Args:
        asked: what is known of the steps; its first number is the anchor.
        z, observed: (batch, steps), of the step before each.
        before: (batch, steps), the anchor of the step before.
        past: (batch, steps, columns), of the step before; 0 where nobody knows it.
    """
    return tf.concat([asked, z[..., None], before[..., None], observed[..., None], past], axis=-1)


def widths(layout: layouts.Layout, model: configs.ModelConfig) -> tuple[int, ...]:
    """Returns the last sides of what the network reads: context and ahead, or the steps."""
    always = len(layout.known_names) + layout.calendar_count
    before = model.season_count * (2 + len(layout.known_names)) if layout.season else 0
    asked, past = 1 + before + always + layout.static_count, len(layout.past_names)
    return (2 + past + always, asked) if model.kind == "direct" else (asked + 3 + past,)


def batches(
    panel: panels.Panel, layout: layouts.Layout, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Streams ((context, ahead, series), targets) of random windows of the train parts, endlessly.

    Targets are float32 (batch, horizon, 2): z of the steps ahead, and the weight of its error, 0
    where it is missing. A step is a function of its number and the seed alone.
    """
    horizon, count = config.forecast.horizon_steps, config.training.batch_size
    least = layout.least_history(config.model.context_steps, horizon)
    starts = [panels.origins(one, "train", horizon, 1, least) for one in panel.series]
    ends = np.cumsum([0, *map(len, starts)])
    cut = _cutter(panel, layout, config)

    def draw(step: np.ndarray) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng([config.seed, int(step)])
        places = random.integers(ends[-1], size=count)
        at = np.searchsorted(ends, places, side="right") - 1
        column = random.integers(len(layout.target_names), size=count)
        unseen = random.random(count) < config.training.unseen_fraction
        rows = [
            (int(one), int(starts[one][place - ends[one]]), int(each))
            for one, place, each in zip(at, places, column, strict=True)
        ]
        return tuple(cut(rows, unseen).values())

    example = cut([(0, 1, 0)] * count, np.zeros(count, np.bool_))

    def features(step: tf.Tensor) -> tuple[Any, tf.Tensor]:
        drawn = tf.numpy_function(draw, [step], [each.dtype for each in example.values()])
        window = {
            name: tf.ensure_shape(array, each.shape)
            for array, (name, each) in zip(drawn, example.items(), strict=True)
        }
        return _training_example(window, layout, config)[:2]

    return tf.data.Dataset.counter(first_step).map(features).prefetch(2)


def examples(
    panel: panels.Panel,
    layout: layouts.Layout,
    config: configs.Config,
    rows: Sequence[tuple[int, int, int]],
) -> tuple[Any, tf.Tensor, dict[str, tf.Tensor]]:
    """Returns the same of given windows: (place of the series, origin, place of the target).

    The third is what `preprocess` returns of them.
    """
    window = _cutter(panel, layout, config)(rows, np.zeros(len(rows), np.bool_))
    return _training_example(
        {name: tf.constant(array) for name, array in window.items()}, layout, config
    )


def histories(
    panel: panels.Panel,
    layout: layouts.Layout,
    config: configs.Config,
    rows: Sequence[tuple[int, int]],
    horizons: int,
) -> dict[str, Any]:
    """Returns what a forecaster reads of windows (place of the series, origin), and the truth."""
    ahead = horizons * config.forecast.horizon_steps
    found: dict[str, Any] = dict(panels.windows(panel, rows, config.model.context_steps, ahead))
    static = tf.constant([panel.series[at].static for at, _ in rows], tf.string)
    found["static"] = layouts.static_in_graph(static, layout) if layout.static_names else (
        tf.zeros((len(rows), 0)))  # fmt: skip
    return {**found, "series": np.array([1 + at for at, _ in rows], np.int32)}


def _cutter(panel: panels.Panel, layout: layouts.Layout, config: configs.Config) -> Any:
    """Returns a function that cuts windows of one target each, with what a loss needs of them."""
    units = np.stack([_units(one, config) for one in panel.series])
    statics = np.zeros((len(panel.series), 0), np.float32)
    if layout.static_names:
        statics = layouts.static_in_graph(
            tf.constant([one.static for one in panel.series]), layout
        ).numpy()

    def cut(rows: Sequence[tuple[int, int, int]], unseen: np.ndarray) -> dict[str, np.ndarray]:
        at, _, column = np.array(rows, np.int64).reshape(-1, 3).T
        found = panels.windows(
            panel, [row[:2] for row in rows], config.model.context_steps,
            config.forecast.horizon_steps,
        )  # fmt: skip
        if config.model.log:
            found |= {name: np.log(found[name]) for name in ("values", "truth")}
        every = np.arange(len(rows))
        series = np.where(unseen, 0, at + 1) * len(layout.target_names) + column
        return {
            **found,
            "values": found["values"][every, :, column],
            "truth": found["truth"][every, :, column],
            "static": statics[at],
            "series": series.astype(np.int32),
            "unit": units[at, column],
        }

    return cut


def _training_example(
    window: dict[str, tf.Tensor], layout: layouts.Layout, config: configs.Config
) -> tuple[Any, tf.Tensor, dict[str, tf.Tensor]]:
    """Returns the inputs of the network, its targets with their weights, and all of the window.

    The autoregressive network has a target at each step, and is fed the truth of the step before.
    Where the mean is subtracted, the second half of the history counts as the future does.
    """
    found = preprocess(window, layout, config.model)
    location, spread = found["location"][:, None], found["spread"][:, None]
    is_there = tf.math.is_finite(window["truth"])
    z = tf.where(is_there, (window["truth"] - location) / spread, 0.0)
    scale = spread / window["unit"][:, None]
    weight = tf.where(is_there, scale, 0.0)
    if config.model.kind == "direct":
        inputs = (found["context"], found["ahead"], window["series"])
        return inputs, tf.stack([z, weight], axis=-1), found
    length = config.model.context_steps
    whole = tf.concat(
        [found["context"][:, :, 0], tf.clip_by_value(z, -layouts.CLIP, layouts.CLIP)], axis=1
    )
    observed = tf.concat([found["context"][:, :, 1], tf.cast(is_there, tf.float32)], axis=1)
    past = tf.pad(found["context"][:, :, 2:], [[0, 0], [0, z.shape[1]], [0, 0]])
    before = tf.pad(found["asked"][:, :-1, 0], [[0, 0], [1, 0]])
    steps = fed(found["asked"], whole[:, :-1], observed[:, :-1], before, past[:, :-1])
    counts = np.arange(1, length) >= (length // 2 if layout.location == "mean" else length)
    weight = tf.concat([observed[:, 1:length] * counts.astype(np.float32) * scale, weight], axis=1)
    z = tf.concat([whole[:, 1:length], z], axis=1)
    return (steps, window["series"]), tf.stack([z, weight], axis=-1), found


def _units(one: panels.Series, config: configs.Config) -> np.ndarray:
    """Returns the unit of the errors of each target, float32 [targets], above 0."""
    part = one.target[: max(1, one.train_end)]
    if config.model.log:
        part = np.log(part)
        if config.training.loss_unit == "level":  # errors of logarithms are shares already
            return np.ones(part.shape[1], np.float32)
    of = (
        np.nanstd
        if config.training.loss_unit == "deviation"
        else lambda x, axis: np.nanmean(np.abs(x), axis=axis)
    )
    with np.errstate(all="ignore"):
        units = np.array([of(column, axis=0) if np.isfinite(column).any() else 1.0
                          for column in part.T])  # fmt: skip
    level = np.nan_to_num(np.abs(part)).max(axis=0)
    return np.where(units > 1e-6 * level, units, np.maximum(level, 1.0)).astype(np.float32)
