"""Streams training examples: altered sequences, or texts, with their targets."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.suite.sequences import alteration, batches, ragged, sequence_statistics
from apps.suite.texts import words


class Examples(NamedTuple):
    """Sequences or texts with their targets.

    Attributes:
        sequences: of numbers, or texts.
        targets: [sequences, …], or [steps, …] where `by_step`.
        by_step: each step has a target of its own.
        nothing: the target of a step after the end of a sequence.
        paced: targets of sequences are times, which grow as a sequence is drawn out; it is cut
            to its old length.
        turned: targets of steps are triples x, y, z, which turn as the channels do.
        members: networks that learn side by side.
        fold_of: number of the member that does not learn from a sequence, int [sequences].
        target_names: of targets of steps that are numbers.
    """

    sequences: ragged.Sequences
    targets: np.ndarray
    by_step: bool
    nothing: float
    paced: bool = False
    turned: bool = False
    members: int = 1
    fold_of: np.ndarray | None = None
    target_names: tuple[str, ...] = ()


def endless(
    examples: Examples,
    settings: alteration.AlterationConfig,
    vocabulary: words.Vocabulary | None,
    *,
    batch_size: int,
    seed: tuple[int, int],
    first_step: int = 0,
    longest_steps: int = 0,
    sort: bool = True,
) -> tf.data.Dataset:
    """Streams (inputs of the network, targets) without end, from step `first_step` on.

    Sequences are sorted into buckets of length. A batch is a function of its number and the seed
    alone.

    Args:
        examples: to draw from.
        settings: kinds of alterations; texts are not altered, their network hides words itself.
        vocabulary: of texts.
        batch_size, seed, sort: see `batches.Buckets`.
        first_step: number of the first batch, in a training that goes on.
        longest_steps: most steps of an example, cut at random; 0 = whole sequences.

    Returns:
        Inputs float32 (batch, time, channels), NaN after the end, or those of the vocabulary;
        targets (batch, …), or (batch, time, …) where `by_step`; of several members
        (batch, members, …), `nothing` where one does not learn from the sequence.
    """
    sequences, targets = examples.sequences, examples.targets
    texts = sequences.texts
    lengths = np.array([len(text) for text in texts]) if len(texts) else sequences.lengths
    if longest_steps:
        lengths = np.minimum(lengths, longest_steps)
    buckets = batches.Buckets(lengths, batch_size, seed, sort)
    deviation = sequence_statistics.of_channels(sequences.values).deviation
    cuts = alteration.AlterationConfig(shortest_share=settings.shortest_share)
    turns = alteration.AlterationConfig(rotation_degrees=settings.rotation_degrees)
    degrees = 0.0 if examples.turned else settings.rotation_degrees
    channels = len(sequences.channel_names)
    mirror = alteration.mirror(settings, (*sequences.channel_names, *examples.target_names))
    others = dataclasses.replace(settings, shortest_share=1.0, rotation_degrees=degrees)

    def text_batch(chosen: np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
        del draw
        return [texts[chosen], _of_members(examples, chosen, targets[chosen])]

    def batch(chosen: np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
        arrays, wanted = [], []
        for index in chosen:
            rows = _cut(sequences.rows(index), longest_steps, draw)
            # Cut apart from the rest, so that a change of length is one of pace
            array, of_steps = alteration.altered(
                np.asarray(sequences.values[rows]),
                targets[rows] if examples.by_step else None,
                cuts,
                deviation,
                draw,
            )
            steps = len(array)
            if settings.mirrored_channels and draw.random() < 0.5:
                array = array * mirror[:channels]
                if of_steps is not None and examples.target_names:
                    of_steps = of_steps * mirror[channels:]
            if of_steps is not None and examples.turned:
                both = np.concatenate([array, of_steps], axis=1)
                both, _ = alteration.altered(both, None, turns, deviation, draw)
                array, of_steps = both[:, : array.shape[1]], both[:, array.shape[1] :]
            array, of_steps = alteration.altered(array, of_steps, others, deviation, draw)
            if of_steps is None:
                of_steps = targets[index]
            if examples.paced:
                of_steps = of_steps * (len(array) / steps)
                whole = rows.stop - rows.start  # a longer copy would give its pace away
                array = array[_cut(slice(0, len(array)), whole, draw)]
            arrays.append(array)
            wanted.append(of_steps)
        made = ragged.of_arrays(arrays, ("",) * len(arrays), sequences.channel_names)
        every = np.arange(len(arrays))
        values = batches.padded(made, every)
        if not examples.by_step:
            return [values, _of_members(examples, chosen, np.stack(wanted))]
        fill: Any = targets.dtype.type(examples.nothing)
        found = batches.filled(np.concatenate(wanted), made.starts, every, fill)
        return [values, _of_members(examples, chosen, found)]

    kind = tf.int32 if np.issubdtype(targets.dtype, np.integer) else tf.float32
    sides: list[int | None] = [examples.members] if examples.members > 1 else []
    sides += [None] if examples.by_step else []
    wanted_as = tf.TensorSpec([batch_size, *sides, *targets.shape[1:]], kind)
    if vocabulary is not None:
        specs = [tf.TensorSpec([batch_size], tf.string), wanted_as]
        stream = batches.endless(buckets, text_batch, specs, first_step)
        return stream.map(lambda text, target: (vocabulary.inputs(text), target))
    specs = [tf.TensorSpec([batch_size, None, len(sequences.channel_names)]), wanted_as]
    return batches.endless(buckets, batch, specs, first_step)


def _of_members(examples: Examples, chosen: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns targets (batch, members, …) of (batch, …), or these for one network."""
    if examples.members == 1 or examples.fold_of is None:
        return targets
    found = np.repeat(targets[:, None], examples.members, axis=1)
    found[examples.fold_of[chosen][:, None] == np.arange(examples.members)] = examples.nothing
    return found


def _cut(rows: slice, longest: int, draw: np.random.Generator) -> slice:
    """Returns rows of a sequence, or as many as `longest` at a drawn place."""
    if not longest or rows.stop - rows.start <= longest:
        return rows
    first = int(draw.integers(rows.start, rows.stop - longest + 1))
    return slice(first, first + longest)
