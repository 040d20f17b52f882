"""Describes sequences by numbers: channels over a part, whole sequences, windows of steps."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.sequences import ragged
from apps.suite.tables import large_arrays

_TOGETHER = 256  # sequences or windows of one length that are described at a time


class ChannelStatistics(NamedTuple):
    """Statistics of each channel's values in a part, [channels] each."""

    counts: np.ndarray  # int64, values that are there
    mean: np.ndarray  # float64, 0 of an empty channel
    deviation: np.ndarray  # float64, above 0: 1 of a constant or empty channel


def of_channels(values: np.ndarray) -> ChannelStatistics:
    """Computes statistics of float32 [steps, channels] in blocks; NaN are left out.

    Means and squares are joined block by block (Chan, Golub and LeVeque 1983), in float64.
    """
    width = values.shape[1]
    counts, means, squares = np.zeros(width, np.int64), np.zeros(width), np.zeros(width)
    for block in large_arrays.blocks(len(values), width):
        part = values[block].astype(np.float64)
        there = ~np.isnan(part)
        added = there.sum(axis=0)
        mean = np.where(there, part, 0).sum(axis=0) / np.maximum(added, 1)
        square = np.where(there, (part - mean) ** 2, 0).sum(axis=0)
        total = np.maximum(counts + added, 1)
        change = mean - means
        squares += square + change**2 * counts * added / total
        means += change * added / total
        counts += added
    deviation = np.sqrt(squares / np.maximum(counts, 1))
    return ChannelStatistics(
        counts, means, np.where(deviation > 1e-9 * (1 + np.abs(means)), deviation, 1)
    )


STATISTICS = (
    "mean", "deviation", "minimum", "maximum", "first", "last", "slope", "roughness",
    "skewness", "missing",
)  # fmt: skip
"""Numbers that describe a channel of a sequence; `describe` returns them in this order."""


def describe(values: np.ndarray) -> np.ndarray:
    """Describes sequences of one length.

    Args:
        values: float32 [sequences, steps, channels], NaN where missing.

    Returns:
        float32 [sequences, channels · 10 + 1]: for each channel the `STATISTICS`, and at the end
        the number of steps. The slope is that of a line over the steps; the roughness is the mean
        absolute difference from step to step; a channel without a value has zeros.
    """
    values = np.asarray(values, np.float64)
    rows, steps, _ = values.shape
    there = ~np.isnan(values)
    filled = np.where(there, values, 0)
    count = np.maximum(there.sum(axis=1), 1)
    any_there = there.any(axis=1)
    mean = filled.sum(axis=1) / count
    apart = np.where(there, values - mean[:, None], 0)
    deviation = np.sqrt((apart**2).sum(axis=1) / count)
    time = np.arange(steps)[None, :, None]
    middle = np.where(there, time, 0).sum(axis=1) / count
    from_middle = np.where(there, time - middle[:, None], 0)
    slope = (apart * from_middle).sum(axis=1) / np.maximum((from_middle**2).sum(axis=1), 1e-12)
    pairs = there[:, 1:] & there[:, :-1]
    changes = np.where(pairs, np.abs(np.diff(filled, axis=1)), 0)
    roughness = changes.sum(axis=1) / np.maximum(pairs.sum(axis=1), 1)
    first = np.take_along_axis(filled, there.argmax(axis=1)[:, None], axis=1)[:, 0]
    last_place = steps - 1 - there[:, ::-1].argmax(axis=1)
    last = np.take_along_axis(filled, last_place[:, None], axis=1)[:, 0]
    cubed = (apart**3).sum(axis=1) / count
    skewness = np.divide(
        cubed, deviation**3, out=np.zeros_like(cubed), where=deviation > 1e-9 * (1 + np.abs(mean))
    )
    least = np.where(any_there, np.where(there, values, np.inf).min(axis=1), 0)
    greatest = np.where(any_there, np.where(there, values, -np.inf).max(axis=1), 0)
    missing = 1 - there.mean(axis=1)
    all_of_them = (
        mean, deviation, least, greatest, first, last, slope, roughness, skewness, missing
    )  # fmt: skip
    found = np.stack(all_of_them, axis=2).reshape(rows, -1)
    return np.concatenate([found, np.full((rows, 1), steps)], axis=1).astype(np.float32)


def of_sequences(sequences: ragged.Sequences, last_steps: int = 0) -> np.ndarray:
    """Describes each sequence, or its last steps: see `of_ends`."""
    return of_ends(sequences, sequences.starts[1:] - 1, last_steps)


def of_ends(sequences: ragged.Sequences, rows: np.ndarray, last_steps: int = 0) -> np.ndarray:
    """Describes sequences up to some of their steps: see `describe`.

    Args:
        sequences: none of them empty.
        rows: of the steps that are read last, int64 [ends].
        last_steps: steps that are read before each end, with it; 0 = all of its sequence.

    Returns:
        float32 [ends, numbers]; the last number is that of the steps of the sequence so far.
    """
    starts = sequences.starts[np.searchsorted(sequences.starts, rows, side="right") - 1]
    lengths = rows - starts + 1
    kept = np.minimum(lengths, last_steps) if last_steps else lengths
    numbers = len(STATISTICS) * sequences.values.shape[1] + 1
    found = np.empty((len(rows), numbers), np.float32)
    for steps in np.unique(kept):
        same = np.flatnonzero(kept == steps)
        for part in np.split(same, range(_TOGETHER, len(same), _TOGETHER)):
            places = rows[part][:, None] + np.arange(1 - steps, 1)
            found[part] = describe(np.asarray(sequences.values[places]))
    found[:, -1] = lengths
    return found


def of_windows(
    sequences: ragged.Sequences, window_steps: int, stride_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Describes windows of steps around every `stride_steps`th step of each sequence.

    Steps beyond the ends of a sequence are missing.

    Returns:
        float32 [windows, numbers], and the row of the step in each window's middle, int64
        [windows], in rising order.
    """
    numbers, rows = [], []
    half = window_steps // 2
    for index, length in enumerate(sequences.lengths):
        edge = np.full((half, sequences.values.shape[1]), np.nan, np.float32)
        tail = np.full((window_steps - half, sequences.values.shape[1]), np.nan, np.float32)
        padded = np.concatenate([edge, sequences.at(index), tail])
        middles = np.arange(min(stride_steps // 2, length - 1), length, stride_steps)
        windows = np.lib.stride_tricks.sliding_window_view(padded, window_steps, axis=0)
        numbers += [
            describe(windows[part].transpose(0, 2, 1))
            for part in np.split(middles, range(_TOGETHER, len(middles), _TOGETHER))
        ]
        rows.append(sequences.starts[index] + middles)
    return np.concatenate(numbers), np.concatenate(rows)


def nearest_window(sequences: ragged.Sequences, middles: np.ndarray) -> np.ndarray:
    """Returns for each step the number of the window whose middle is nearest, int64 [steps].

    Args:
        sequences: with at least one window each.
        middles: rows of the middles, as `of_windows` returns them.
    """
    every = np.arange(len(sequences.values))
    after = np.clip(np.searchsorted(middles, every), 0, len(middles) - 1)
    before = np.maximum(after - 1, 0)
    number = np.repeat(np.arange(len(sequences)), sequences.lengths)
    nearer = np.abs(middles[before] - every) <= np.abs(middles[after] - every)
    same = number[middles[before]] == number
    return np.where((nearer & same) | (number[middles[after]] != number), before, after)


def nearest(sequences: ragged.Sequences, asked: ragged.Sequences, most: int = 2_000) -> int:
    """Returns the number of the sequence that is nearest to one that is asked for.

    Distance is counted in the numbers of `describe`, in deviations of each over the sequences.

    Args:
        sequences: of which the first `most` are looked at.
        asked: one sequence.
        most: sequences.
    """
    numbers = of_sequences(sequences.taken(np.arange(min(most, len(sequences)))))
    deviation = np.where(numbers.std(axis=0) > 0, numbers.std(axis=0), 1)
    return int((((numbers - of_sequences(asked)) / deviation) ** 2).sum(axis=1).argmin())


def by_size(
    sequences: ragged.Sequences, scores: np.ndarray, bins: int = 4
) -> list[tuple[str, int, float]]:
    """Returns size, number and mean score of sequences in bins with about as many of them each.

    Args:
        sequences: or texts, whose size is counted in words.
        scores: of each, such as 1 where its answer is right, float [sequences].
        bins: how many, at most.
    """
    sizes = sequences.sizes
    edges = np.unique(np.quantile(sizes, np.linspace(0, 1, bins + 1)).round().astype(int))
    found = []
    for low, high in itertools.pairwise(edges):
        last = high == edges[-1]
        here = (sizes >= low) & ((sizes <= high) if last else (sizes < high))
        if here.any():
            name = f"{low} to {high if last else high - 1}"
            found.append((name, int(here.sum()), float(np.nanmean(scores[here]))))
    return found or [(str(edges[0]), len(scores), float(np.mean(scores)))]


def beginnings(sequences: ragged.Sequences, most: int = 8) -> list[int]:
    """Returns numbers of first steps or words, evenly by their ratio: 1 to the longest one."""
    longest = max(1, int(np.max(sequences.sizes)))
    return sorted({max(1, round(each)) for each in np.geomspace(1, longest, most)})


def refuse_empty(sequences: ragged.Sequences, source: str) -> None:
    """Raises UserError for an empty sequence, and for a channel without any value."""
    lengths = sequences.lengths
    if (lengths == 0).any():
        name = sequences.names[int((lengths == 0).argmax())]
        raise errors.UserError(f"{source}: {name} has no step; remove it")
    if sequences.channel_names:
        counts = of_channels(sequences.values).counts
        if not counts.all():
            channel = sequences.channel_names[int((counts == 0).argmax())]
            raise errors.UserError(
                f"{source}: column {channel} has no value; leave it out with "
                f"--data_format.ignored_columns {channel}"
            )
