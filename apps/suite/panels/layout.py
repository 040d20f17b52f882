"""Facts about the training data that turn a raw window into the numbers a network reads."""

from __future__ import annotations

import collections
import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from apps.suite import errors
from apps.suite.panels import panel as panels
from apps.suite.tables import cells, seasons

_DAY, _WEEK = 86_400, 604_800
_MOST_LOOKED_AT = 50  # series that are asked for their season
CLIP = 10.0  # deviations


@dataclass(frozen=True)
class Layout:
    """Columns with their scales, the names of the series, and the season.

    Attributes:
        past_scale, known_scale: mean and deviation of each column in the train parts.
        static_words: of each static column its words, or () for a column of numbers.
        static_scale: mean and deviation of those columns of numbers, (0, 1) of words.
        season: steps; 0 = none.
        location: what is subtracted from a window, `last` or `mean`.
        spread: median deviation of a series' train part, for messages and examples.
        level: likewise its mean.
    """

    target_names: tuple[str, ...]
    past_names: tuple[str, ...]
    known_names: tuple[str, ...]
    static_names: tuple[str, ...]
    past_scale: tuple[tuple[float, float], ...]
    known_scale: tuple[tuple[float, float], ...]
    static_words: tuple[tuple[str, ...], ...]
    static_scale: tuple[tuple[float, float], ...]
    series_names: tuple[str, ...]
    season: int
    location: str
    step_seconds: float
    dated: bool
    time_zone: str
    level: float
    spread: float

    @property
    def static_count(self) -> int:
        """Returns the numbers that the static columns become."""
        return sum(len(words) or 1 for words in self.static_words)

    @property
    def calendar_count(self) -> int:
        """Returns the numbers that a time becomes; see `seasons.calendar`."""
        if not self.dated:
            return 0
        return 8 * (self.step_seconds < _DAY) + 6 * (self.step_seconds < _WEEK) + 2

    def least_history(self, context: int, horizon: int) -> int:
        """Returns the steps before an origin that is learned from: less says little."""
        return min(context, max(2 * self.season, horizon))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def from_dict(values: dict[str, Any]) -> Layout:
    """Returns the layout that JSON made of `to_dict`; TypeError or KeyError for another."""

    def tuples(value: Any) -> Any:
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    return Layout(**{name: tuples(value) for name, value in values.items()})


class Settings(Protocol):
    """The part of a model's config that is read here."""

    @property
    def context_steps(self) -> int: ...
    @property
    def season_steps(self) -> int | None: ...
    @property
    def location(self) -> str | None: ...
    @property
    def log(self) -> bool: ...


def of_training(panel: panels.Panel, settings: Settings) -> Layout:
    """Looks at the train parts of all series.

    Args:
        panel: to learn from.
        settings: the steps that are read of a history, the season (None = to be found, 0 = none),
            what is subtracted from a window, and whether it is a logarithm.

    Raises:
        UserError: no target value in any train part.
    """
    parts = [one.target[: one.train_end] for one in panel.series]
    if settings.log:
        _check_positive(panel)
    spreads = [float(np.nanstd(part)) for part in parts if np.isfinite(part).any()]
    if not spreads:
        raise errors.UserError(
            f"{panel.source}: {', '.join(panel.target_names)} has no value in the train part; "
            "name another column with --data_format.target"
        )
    season = settings.season_steps
    if season is None:
        season = panel.season if panel.season is not None else _season(panel)
    season = season if 1 < season <= settings.context_steps else 0
    words, scales = _static(panel)
    return Layout(
        target_names=panel.target_names,
        past_names=panel.past_names,
        known_names=panel.known_names,
        static_names=panel.static_names,
        past_scale=_scales([one.past[: one.train_end] for one in panel.series]),
        known_scale=_scales([one.known[: one.train_end] for one in panel.series]),
        static_words=words,
        static_scale=scales,
        series_names=tuple(one.name for one in panel.series),
        season=season,
        location=settings.location or ("mean" if season else "last"),
        step_seconds=panel.step_seconds,
        dated=panel.dated,
        time_zone=panel.time_zone,
        level=float(np.median([np.nanmean(part) for part in parts if np.isfinite(part).any()])),
        spread=float(np.median(spreads)),
    )


def _check_positive(panel: panels.Panel) -> None:
    """Raises UserError for a value that has no logarithm."""
    for one in panel.series:
        least = np.min(one.target, where=np.isfinite(one.target), initial=np.inf)
        if least <= 0:
            raise errors.UserError(
                f"{panel.source}: {one.name} has the value {least:g}, and model.log needs values "
                "above 0; leave --model.log out"
            )


def _season(panel: panels.Panel) -> int:
    """Returns the season that most of the series show, or 0."""
    found = collections.Counter[int]()
    for one in panel.series[:: -(-len(panel.series) // _MOST_LOOKED_AT)]:
        part = one.target[: one.train_end, 0]
        observed = np.isfinite(part)
        filled = np.nan_to_num(part)
        season = seasons.find(filled, observed)
        found[seasons.lag(filled[:, None], season) if season else 0] += 1
    season, count = found.most_common(1)[0]
    return season if 2 * count > sum(found.values()) else 0


def _scales(parts: list[np.ndarray]) -> tuple[tuple[float, float], ...]:
    """Returns mean and deviation of each column over all parts; (0, 1) where nothing is known."""
    counts, sums, squares = (
        sum(np.asarray(each).astype(np.float64) for each in column)
        for column in zip(
            *((np.isfinite(part).sum(0), np.nansum(part, 0, np.float64),
               np.nansum(np.square(part, dtype=np.float64), 0)) for part in parts),
            strict=True,
        )
    )  # fmt: skip
    mean = sums / np.maximum(counts, 1)
    deviation = np.sqrt(np.maximum(squares / np.maximum(counts, 1) - mean**2, 0))
    usable = deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return tuple(
        (float(one), float(each) if good else 1.0)
        for one, each, good in zip(mean, deviation, usable, strict=True)
    )


def _static(
    panel: panels.Panel,
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[float, float], ...]]:
    """Tells static columns of numbers from those of words."""
    words = list[tuple[str, ...]]()
    scales = list[tuple[float, float]]()
    for at in range(len(panel.static_names)):
        column = [one.static[at] for one in panel.series]
        present = [text for text in column if not cells.is_missing(text)]
        if present and all(cells.is_number(text, False) for text in present):
            numbers = np.array([cells.number(text) for text in present])
            words.append(())
            scales.append((float(numbers.mean()), float(numbers.std()) or 1.0))
        else:
            words.append(tuple(sorted(set(present))))
            scales.append((0.0, 1.0))
    return tuple(words), tuple(scales)


def static_in_graph(static: tf.Tensor, layout: Layout) -> tf.Tensor:
    """Returns float32 (batch, numbers) of static columns, string (batch, columns); 0 where missing.

    A column of words becomes a 1 at its word; a word that training has not seen has none. A column
    of numbers is scaled, and an empty text in it is missing.
    """
    found = []
    for at, (words, scale) in enumerate(zip(layout.static_words, layout.static_scale, strict=True)):
        text = tf.strings.strip(static[:, at])
        if words:
            found.append(tf.cast(tf.equal(text[:, None], tf.constant(words)), tf.float32))
        else:
            text = tf.where(tf.equal(text, ""), "nan", text)
            found.append(scaled(tf.strings.to_number(text)[:, None], (scale,)))
    return tf.concat(found, axis=-1)


def scaled(columns: tf.Tensor, scale: tuple[tuple[float, float], ...]) -> tf.Tensor:
    """Returns columns (…, columns) in deviations from their mean, cut to ±10; 0 where missing."""
    mean, deviation = (tf.constant(each, tf.float32) for each in zip(*scale, strict=True))
    z = (columns - mean) / deviation
    return tf.clip_by_value(tf.where(tf.math.is_nan(z), 0.0, z), -CLIP, CLIP)


def rows(
    window: dict[str, tf.Tensor], layout: Layout, context: int, block: int, horizon: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Returns a row for each target, with exactly `context` steps of history.

    The future is filled up to whole blocks, and nothing is known of what fills it.

    Args:
        window: values, past, known, times, static and series, see `served.Histories.window`.
        layout: of the training.
        context: steps to read.
        block: steps of a trained horizon.
        horizon: int32 (), steps of the future in `known` and `times`.
    """
    targets = len(layout.target_names)
    batch, time = tf.unstack(tf.shape(window["values"])[:2])
    nan = float("nan")

    def framed(array: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        array = tf.pad(array, [[0, 0], [context, 0], [0, 0]], constant_values=nan)
        array = array[:, tf.shape(array)[1] - context - last :]
        return tf.pad(array, [[0, 0], [0, block], [0, 0]], constant_values=nan)

    values = framed(window["values"], tf.constant(0))[:, :context]
    past = framed(window["past"], tf.constant(0))
    past = tf.pad(past, [[0, 0], [0, horizon], [0, 0]], constant_values=nan)
    times = window["times"]
    before = tf.cast(tf.range(-context, 0), tf.float64) * layout.step_seconds
    after = tf.cast(tf.range(1, block + 1), tf.float64) * layout.step_seconds
    times = tf.concat([times[:, :1] + before, times, times[:, -1:] + after], axis=1)
    shared = {
        "past": past,
        "known": framed(window["known"], horizon),
        "times": times[:, time:],
        "static": window["static"],
    }
    series = window["series"][:, None] * targets + tf.range(targets)
    return {
        **{name: tf.repeat(array, targets, axis=0) for name, array in shared.items()},
        "values": tf.reshape(tf.transpose(values, [0, 2, 1]), [batch * targets, context]),
        "series": tf.reshape(series, [-1]),
    }


def cut(
    found: dict[str, tf.Tensor], values: tf.Tensor, start: tf.Tensor, context: int, block: int
) -> dict[str, tf.Tensor]:
    """Returns the window of `rows` that begins `start` steps after the first.

    Args:
        found: of `rows`; of one row, it is shared by all values.
        values: float32 (batch, context), the history of that window.
        start, context, block: steps; see `rows`.
    """
    whole = context + block
    window = {"values": tf.ensure_shape(values, [None, context]), "static": found["static"]}
    for name, side in {"past": context, "known": whole, "times": whole}.items():
        part = found[name][:, start : start + side]
        window[name] = tf.ensure_shape(part, [None, side, *part.shape[2:]])
    return window
