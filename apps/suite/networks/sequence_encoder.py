"""Encodes sequences of unequal length: one vector a sequence, or one a step.

    x_t                     normalised channels, 0 where missing, with indicators (`SequenceInputs`)
    x_t, mean(x)_t          with running means beside (`RunningMeans`), where asked for
    x_l                     instead their correlation at lag l (`Autocorrelation`), where asked for
    z                       convolutions and pooling over time of x, where there are any
    y_t = recurrent(z)_t    one layer or several, in one direction or both
    s = summary(y)          one vector of the steps that count, or y_t itself for each step

A step without any value does not count. Neither padding on either side nor the other rows of a
batch change an answer; where steps are pooled, `sequence_inputs.left_aligned` comes before.

A network whose options say that it `streams` also reads a sequence chunk by chunk (`Stream`), and
answers as it does for the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

import lstm_layers
from apps.suite.networks import autocorrelation, streaming
from apps.suite.networks.config import EncoderConfig
from apps.suite.networks.sequence_inputs import RunningMeans, SequenceInputs
from apps.suite.networks.step_convolution import StepConvolution, StepPooling, StepRepetition
from apps.suite.networks.step_summary import StepSummary


def encode(
    values: Any,
    config: EncoderConfig,
    *,
    per_step: bool,
    mean: Sequence[float] | None = None,
    deviation: Sequence[float] | None = None,
    indicators: bool = False,
) -> Any:
    """Adds the encoder of numeric sequences to a functional model.

    Args:
        values: a Keras input, float32 (batch, time, channels), NaN after the end and where missing.
        config: kind and sizes.
        per_step: one vector for each step and not one for the sequence.
        mean, deviation: of each channel over the train part; 0 and 1 where they are not given.
        indicators: tells the network which values were missing: for data in which some are.

    Returns:
        Vectors float32 (batch, width), or (batch, time, width) where `per_step`; those of steps
        that do not count mean nothing.
    """
    filled, counted = SequenceInputs(
        config.normalisation, mean, deviation, indicators, name="sequence_inputs"
    )(values)
    if config.running_mean_steps:
        means = RunningMeans(config.running_mean_steps, indicators, name="running_means")
        filled = means(filled, counted)
    if config.lag_count:
        if per_step:
            raise ValueError("model.lag_count reads no steps: it is for one answer a sequence")
        lags = autocorrelation.lags(
            config.shortest_lag_steps, config.longest_lag_steps, config.lag_count
        )
        read = autocorrelation.Autocorrelation(lags, name="autocorrelation")
        filled, counted = read(filled, counted)
    return encode_vectors(filled, counted, config, per_step=per_step)


def encode_vectors(filled: Any, counted: Any, config: EncoderConfig, *, per_step: bool) -> Any:
    """Adds all of the encoder but its first line, for vectors of steps of another source.

    Args:
        filled: float32 (batch, time, features), without NaN.
        counted: bool (batch, time), False at steps that do not count.
        config, per_step: see `encode`.

    Returns:
        See `encode`.
    """
    windows: list[Any] = []  # what the windows of each pooling were made of
    for place in range(max(config.convolution_count, config.pool_steps > 1)):
        if place < config.convolution_count:
            filled = StepConvolution(
                config.convolution_filters,
                config.convolution_steps,
                config.layer != "bilstm",
                name=f"convolution_{place}",
            )(filled, counted)
        if config.pool_steps > 1:
            windows.append(filled)
            pool = StepPooling(config.pool_steps, config.pool, name=f"pool_{place}")
            filled, counted = pool(filled, counted)
    if config.input_dropout:
        filled = keras.layers.Dropout(config.input_dropout, name="input_dropout")(filled)
    ends = config.layer == "bilstm" and config.pooling == "last" and not per_step
    for depth in range(config.layer_count):
        top = depth == config.layer_count - 1
        outputs = _recurrent(config, depth, whole=not (top and ends))(filled, mask=counted)
        filled = outputs if config.layer == "bilstm" else outputs[0]
        filled = keras.layers.Dropout(config.dropout, name=f"dropout_{depth}")(filled)
    if per_step:
        for place, before in reversed(list(enumerate(windows))):
            back = StepRepetition(config.pool_steps, name=f"repetition_{place}")
            filled = back(filled, before)
        return filled
    return filled if ends else StepSummary(config.pooling, name="summary")(filled, counted)


def _recurrent(config: EncoderConfig, depth: int, whole: bool) -> keras.Layer:
    """Builds one layer; those of one direction also return their states, for streams.

    Args:
        config: kind and units.
        depth: number of layers below it.
        whole: whether it returns all steps, or one vector of both ends.
    """
    name = f"recurrent_{depth}"
    if config.layer == "bilstm":
        return lstm_layers.BiLSTM(config.units, return_sequences=whole, name=name)
    return lstm_layers.layer_of_kind(
        config.layer, units=config.units, return_sequences=True, return_state=True, name=name
    )


class Stream:
    """Reads sequences chunk by chunk with the layers of a model that `encode` is a part of.

    Args:
        trained: the model.
        config: of its encoder.

    Raises:
        ValueError: options of which a part needs later steps.
    """

    def __init__(self, trained: keras.Model, config: EncoderConfig) -> None:
        if not config.streams:
            raise ValueError(
                "a bilstm, pooled steps and normalisation by sequence need what comes later"
            )
        self._layers = {layer.name: layer for layer in trained.layers}
        self._recurrent = streaming.recurrent_layers(trained)
        self._convolutions = [
            self._layers[f"convolution_{place}"] for place in range(config.convolution_count)
        ]
        self._means = self._layers.get("running_means")
        self._summary = self._layers.get("summary")

    def initial_states(self, batch: int | tf.Tensor) -> streaming.States:
        """Returns the states before the first step, float32 (batch, …) by name.

        `convolution_0` (batch, steps - 1, channels), …: steps that later outputs read again.
        `running_means` (batch, …): their sums. `recurrent_0_h`, `recurrent_0_c` (not of a GRU), …:
        (batch, units). `summary_…`: what the summary has seen. The sizes depend on the model alone.
        """
        states = {layer.name: layer.initial_leftover(batch) for layer in self._convolutions}
        if self._means is not None:
            states[self._means.name] = self._means.initial_sums(batch)
        for layer in self._recurrent:
            for name, size in zip(streaming.state_names(layer), layer.state_size, strict=True):
                states[name] = tf.zeros((batch, size))
        if self._summary is not None:
            for name, state in self._summary.initial_states(batch).items():
                states[f"summary_{name}"] = state
        return states

    def advance(
        self, values: tf.Tensor, states: streaming.States
    ) -> tuple[tf.Tensor, streaming.States]:
        """Reads the next steps.

        Args:
            values: float32 (batch, steps, channels), at least one step; one without a value
                changes nothing.
            states: of `initial_states`, or of the last call.

        Returns:
            Vectors float32 (batch, steps, width): what `encode` returns for each step or, with a
            summary, for the sequence up to each step; and the new states.
        """
        filled, counted = self._layers["sequence_inputs"](values)
        if self._means is None:
            return self.advance_vectors(filled, counted, states)
        name = self._means.name
        filled, sums = self._means.chunk(filled, counted, states[name])
        vectors, after = self.advance_vectors(filled, counted, states)
        return vectors, {**after, name: sums}

    def advance_vectors(
        self, filled: tf.Tensor, counted: tf.Tensor, states: streaming.States
    ) -> tuple[tf.Tensor, streaming.States]:
        """Reads the next steps of a model that begins with `encode_vectors`; see `advance`."""
        after: streaming.States = {}
        for layer in self._convolutions:
            filled, after[layer.name] = layer.chunk(filled, counted, states[layer.name])
        for layer in self._recurrent:
            names = streaming.state_names(layer)
            given = [states[name] for name in names]
            filled, *new = layer(filled, initial_state=given, mask=counted)
            after.update(zip(names, new, strict=True))
        if self._summary is None:
            return filled, after
        prefix = "summary_"
        before = {
            name.removeprefix(prefix): state
            for name, state in states.items()
            if name.startswith(prefix)
        }
        filled, new_summary = self._summary.advance(filled, counted, before)
        return filled, {
            **after,
            **{f"{prefix}{name}": state for name, state in new_summary.items()},
        }
