"""Alters training sequences, so that a network learns what does not matter."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from pydantic.dataclasses import dataclass

from apps.suite import errors
from apps.suite.runs import config as fields


@dataclass(frozen=True)
class AlterationConfig:
    """Options of `altered`; the defaults alter nothing."""

    noise_deviations: fields.Amount = 0.0  # normal noise, in deviations of each channel
    level_deviations: fields.Amount = 0.0  # shift of a whole sequence, likewise, for each channel
    scale_deviation: fields.Amount = 0.0  # deviation of a factor, for each sequence and channel
    speed_deviation: fields.Share = 0.0  # deviation of the pace's logarithm, by interpolation
    shortest_share: fields.Probability = 1.0  # least share of a sequence that a random cut leaves
    rotation_degrees: fields.Amount = 0.0  # most, around a drawn axis; channels are triples x, y, z
    missing_share: fields.Share = 0.0  # share of the values that are made missing
    # Channels, and targets by step, that change their sign where left and right change places, as
    # half of the sequences do; none = off
    mirrored_channels: tuple[str, ...] = ()


def altered(
    values: np.ndarray,
    labels: np.ndarray | None,
    settings: AlterationConfig,
    deviation: np.ndarray,
    draw: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns an altered copy of a sequence, and of its labels by step.

    Args:
        values: float32 [steps, channels], NaN where missing.
        labels: [steps], or None where the sequence has one label.
        settings: kinds and strengths.
        deviation: of each channel over the train part, [channels].
        draw: makes the random numbers.
    """
    values = np.array(values, np.float32)
    if settings.shortest_share < 1 and len(values) > 1:
        kept = max(1, round(len(values) * draw.uniform(settings.shortest_share, 1)))
        first = int(draw.integers(len(values) - kept + 1))
        values = values[first : first + kept]
        labels = None if labels is None else labels[first : first + kept]
    if settings.speed_deviation and len(values) > 1:
        count = max(2, round(len(values) * float(np.exp(draw.normal(0, settings.speed_deviation)))))
        places = np.linspace(0, len(values) - 1, count)
        before = np.floor(places).astype(int)
        after = np.minimum(before + 1, len(values) - 1)
        share = (places - before)[:, None].astype(np.float32)
        values = values[before] * (1 - share) + values[after] * share
        labels = None if labels is None else labels[np.rint(places).astype(int)]
    channels = values.shape[1]
    if settings.rotation_degrees and channels % 3 == 0:
        turn = _rotation(draw, settings.rotation_degrees).astype(np.float32)
        values = (values.reshape(len(values), -1, 3) @ turn.T).reshape(values.shape)
    if settings.scale_deviation:
        factors = np.asarray(draw.normal(1, settings.scale_deviation, channels), np.float32)
        values = values * factors
    if settings.level_deviations:
        shift = np.asarray(draw.normal(size=channels)) * (settings.level_deviations * deviation)
        values = values + shift.astype(np.float32)
    if settings.noise_deviations:
        noise = draw.normal(size=values.shape) * (settings.noise_deviations * deviation)
        values = values + noise.astype(np.float32)
    if settings.missing_share:
        values = np.where(draw.random(values.shape) < settings.missing_share, np.nan, values)
    return values.astype(np.float32), labels


def mirror(settings: AlterationConfig, names: Sequence[str]) -> np.ndarray:
    """Returns -1 for what changes its sign in a mirror, else 1, float32 [names].

    Args:
        settings: name it.
        names: of the channels, and of the targets that a step has.

    Raises:
        UserError: it names something else.
    """
    for name in settings.mirrored_channels:
        if name not in names:
            raise errors.UserError(
                f"alteration.mirrored_channels: {name} is none of {', '.join(names)}; name others, "
                "or none"
            )
    return np.array([-1.0 if name in settings.mirrored_channels else 1.0 for name in names], "f4")


def _rotation(draw: np.random.Generator, most_degrees: float) -> np.ndarray:
    """Returns a rotation around a drawn axis, [3, 3] (Rodrigues' formula)."""
    axis = draw.normal(size=3)
    x, y, z = axis / np.linalg.norm(axis)
    angle = np.radians(draw.uniform(-most_degrees, most_degrees))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


class SpanSwaps:
    """Replaces spans of sequences by other spans of their type (Dai and Adel 2020).

    Args:
        starts: of the sequences, see `ragged.Sequences`.
        spans: of each sequence in order: first row, the one after the last, and type.
        rows: [steps, …], by which spans are told apart.
        share: of the spans that are replaced.
    """

    def __init__(
        self,
        starts: np.ndarray,
        spans: Sequence[Sequence[tuple[int, int, str]]],
        rows: np.ndarray,
        share: float,
    ) -> None:
        self._starts, self._spans, self._share = starts, spans, share
        others: dict[str, dict[bytes, tuple[int, int]]] = {}
        for start, end, kind in itertools.chain.from_iterable(spans):
            others.setdefault(kind, {})[rows[start:end].tobytes()] = start, end
        self._others = {kind: list(found.values()) for kind, found in others.items()}

    def drawn(self, chosen: np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
        """Returns the rows of the chosen sequences, with some of their spans replaced."""
        found = []
        for sequence in chosen:
            at, end = self._starts[sequence : sequence + 2]
            pieces = []
            for start, stop, kind in self._spans[sequence]:
                others, taken = self._others[kind], (start, stop)
                if draw.random() < self._share:
                    taken = others[draw.integers(len(others))]
                pieces += [np.arange(at, start), np.arange(*taken)]
                at = stop
            found.append(np.concatenate([*pieces, np.arange(at, end)]))
        return found
