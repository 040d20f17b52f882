"""Facts about the training data that turn a raw window into the numbers a network reads."""

from __future__ import annotations

import collections
import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.forecasting import config as configs
from apps.suite import errors
from apps.suite.panels import panel as panels
from apps.suite.tables import cells, seasons

_DAY, _WEEK = 86_400, 604_800
_MOST_LOOKED_AT = 50  # series that are asked for their season


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

    def least_history(self, config: configs.Config) -> int:
        """Returns the steps before an origin that is learned from: less says little."""
        wanted = max(2 * self.season, config.forecast.horizon_steps)
        return min(config.model.context_steps, wanted)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def from_dict(values: dict[str, Any]) -> Layout:
    """Returns the layout that JSON made of `to_dict`; TypeError or KeyError for another."""

    def tuples(value: Any) -> Any:
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    return Layout(**{name: tuples(value) for name, value in values.items()})


def of_training(panel: panels.Panel, config: configs.Config) -> Layout:
    """Looks at the train parts of all series.

    Raises:
        UserError: no target value in any train part.
    """
    parts = [one.target[: one.train_end] for one in panel.series]
    if config.model.log:
        _check_positive(panel)
    spreads = [float(np.nanstd(part)) for part in parts if np.isfinite(part).any()]
    if not spreads:
        raise errors.UserError(
            f"{panel.source}: {', '.join(panel.target_names)} has no value in the train part; "
            "name another column with --data_format.target"
        )
    season = config.model.season_steps
    if season is None:
        season = panel.season if panel.season is not None else _season(panel)
    season = season if 1 < season <= config.model.context_steps else 0
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
        location=config.model.location or ("mean" if season else "last"),
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
