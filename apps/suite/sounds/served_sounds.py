"""Checks the sounds and states of a request in the graph, and makes sounds for example requests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from apps.suite.serving import limits

_LOUDEST = 32.0  # above it, somebody sent 16-bit numbers; a little over 1 is a loud sound


def at_least_one_row(rows: tf.Tensor) -> tf.Tensor:
    """Returns the rows [b, …], or one row of zeros: fused convolutions refuse an empty batch."""
    missing = tf.cast(tf.shape(rows)[0] == 0, tf.int32)
    return tf.pad(rows, [[0, missing], *[[0, 0]] * (rows.shape.rank - 1)])


def within(samples: tf.Tensor, least: int, most: int, name: str) -> tf.Tensor:
    """Returns samples [b, n] after a check of how many they are.

    Args:
        samples: of a request.
        least: samples that a row counts as at least.
        most: highest product of rows and samples.
        name: of the input.
    """
    rows, count = tf.unstack(tf.shape(samples))
    told = f"{name}: rows times samples, of each row {least} at least"
    return limits.at_most(samples, [rows, tf.maximum(count, least)], most, told)


def sound(samples: tf.Tensor, name: str) -> tf.Tensor:
    """Returns the samples of an input after a check of their values."""
    samples = tf.debugging.check_numerics(samples, f"{name}: a sample is not a finite number")
    loudest = tf.reduce_max(tf.abs(samples))
    told = f"{name}: samples go from -1 to 1; divide 16-bit ones by 32768. Here is one of"
    return limits.checked(samples, loudest <= _LOUDEST, told, loudest)


def state(state: tf.Tensor, rows: tf.Tensor, most: int, name: str) -> tf.Tensor:
    """Returns a stream's state [b, n] after checks of its sides and values.

    Args:
        state: as a request holds it.
        rows: of the chunk.
        most: highest product of the state's sides.
        name: of the state.
    """
    state = limits.of_rows(state, rows, name, "chunk")
    state = limits.at_most(state, tf.unstack(tf.shape(state)), most, f"{name}: rows times numbers")
    return limits.finite(state, name)


class Listener(Protocol):
    """Hears streams, whose states are tensors in and out."""

    def initial_states(self, batch: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the states before the first sample, by name, the batch first."""
        ...

    def state_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns specs of the states."""
        ...


def stream_signature(function: Any, listener: Listener, **further: tf.TensorSpec) -> Any:
    """Traces a signature of `chunk` float32 [b, n], the states as rows, and further inputs."""
    names = ("chunk", *listener.initial_states(1))
    given = {name: tf.TensorSpec([None, None], tf.float32, name) for name in names}
    return tf.function(function, autograph=False).get_concrete_function(**given, **further)


def states_before(
    given: Mapping[str, tf.Tensor], rows: tf.Tensor, listener: Listener, most: int
) -> dict[str, tf.Tensor]:
    """Returns the states of a stream as its listener takes them; see `state` and `unpacked`.

    Args:
        given: rows of a request, by the states' names.
        rows: of the chunk; none counts as one.
        listener: of the stream.
        most: highest product of a state's sides.
    """
    first, specs = listener.initial_states(tf.maximum(rows, 1)), listener.state_specs()
    return {
        name: unpacked(
            at_least_one_row(state(given[name], rows, most, name)), start, specs[name].shape
        )
        for name, start in first.items()
    }


def states_after(after: Mapping[str, tf.Tensor], rows: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the new states as rows of numbers, so many rows."""
    return {name: packed(state)[:rows] for name, state in after.items()}


def files(wav: tf.Tensor, least: int, most: Mapping[str, int]) -> tf.Tensor:
    """Returns the bytes of files, string [b], after checks of their sizes and number.

    Args:
        wav: as a request holds them.
        least: samples that a file counts as at least.
        most: bounds `bytes_of_all_files` and `rows_times_samples`.
    """
    sizes = tf.cast(tf.strings.length(wav), tf.int64)
    told = "wav: bytes of all files together"
    wav = limits.at_most(wav, [tf.reduce_sum(sizes)], most["bytes_of_all_files"], told)
    told = f"wav: files times {least} samples, which each counts at least"
    return limits.at_most(wav, [tf.size(wav), least], most["rows_times_samples"], told)


def mono(wav: tf.Tensor, wanted_hz: int) -> tf.Tensor:
    """Returns the samples of a WAV file's bytes, float32 [1, n]: the mean of its channels."""
    samples, rate_hz = tf.audio.decode_wav(wav)
    told = ["wav: the sample rate has to be", wanted_hz, "Hz, and is", rate_hz]
    return limits.checked(tf.reduce_mean(samples, axis=1)[None], rate_hz == wanted_hz, *told)


def packed(state: tf.Tensor) -> tf.Tensor:
    """Flattens a state to rows of numbers: [b, …] to [b, n]."""
    sizes = tf.shape(state)
    return tf.reshape(state, [sizes[0], tf.reduce_prod(sizes[1:])])


def unpacked(rows: tf.Tensor, first: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Undoes `packed`; empty rows stand for the `first` state, before any sample.

    Args:
        rows: float32 [b, n].
        first: initial state of b streams.
        shape: of the state; its side after the batch may be of any length.
    """
    begins = tf.shape(rows)[1] == 0
    start = packed(first)
    rows = tf.concat([start[:, : tf.where(begins, tf.shape(start)[1], 0)], rows], axis=1)
    inner = shape.as_list()[1:]
    if inner[0] is None:
        inner[0] = tf.shape(rows)[1] // math.prod(inner[1:])
    return tf.reshape(rows, [tf.shape(rows)[0], *inner])


def example(rate_hz: int, samples: int, draw: np.random.Generator) -> np.ndarray:
    """Synthesises a rising tone with overtones over noise, float32 [samples]."""
    times = np.arange(samples) / rate_hz
    phase = 2 * np.pi * (draw.uniform(80, 200) * times + draw.uniform(50, 200) * times**2)
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 8))
    loudness = np.clip(np.sin(np.pi * times / max(times[-1], 1e-3)), 0, 1)
    return (0.2 * tone * loudness + draw.normal(0, 0.01, samples)).astype(np.float32)
