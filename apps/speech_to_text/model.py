"""Builds the recogniser of letters, whole and in a stream.

    x_t        features, less the training data's mean, over their deviation
    h_k        recurrent layers over a strided front end, k = ⌈t / 2⌉: from x_0 … x_2k alone
    logits_k   W h_k + b, of each letter and, last, of the blank

The loss is that of connectionist temporal classification (`networks.ctc`); in the first steps of a
training only paths count that begin with blanks (`data.batches`). A BiLSTM reads in both directions
and hears no stream. The twin has three convolutions over 9 frames each in the place of
the recurrent layers.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.speech_to_text import config as configs
from apps.suite.networks import ctc, step_convolution, streaming
from apps.suite.networks.pooling import FrameMask
from apps.suite.sounds import front_end, served_features

_TWIN_LAYERS, _TWIN_FRAMES = 3, 9
SPOKEN, LAST = "spoken", "last"


@keras.saving.register_keras_serializable(package="speech_to_text")
class Letters(keras.layers.Dense):
    """Dense layer without a mask for its output, by which Keras would multiply the loss of a row.

    The loss takes the number of frames of each row instead.
    """

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask."""


def build(
    config: configs.Config,
    letters: int,
    channels: int,
    mean: np.ndarray | None = None,
    variance: np.ndarray | None = None,
) -> keras.Model:
    """Builds the model, uncompiled.

    Args:
        config: kinds and sizes.
        letters: number of the alphabet's letters.
        channels: of the features.
        mean, variance: of each channel over the training data; 0 and 1 if not given.

    Returns:
        A model of `features` float32 (batch, time, channels) and `frames` int32 (batch,), to logits
        float32 (batch, ceil(time / 2), letters + 1). What stands after `frames` changes nothing
        before it.
    """
    sizes = config.model
    features = keras.Input((None, channels), name="features")
    frames = keras.Input((), dtype="int32", name="frames")
    values = keras.layers.Normalization(
        mean=np.zeros(channels) if mean is None else np.asarray(mean, float),
        variance=np.ones(channels) if variance is None else np.asarray(variance, float),
        name="normalisation",
    )(features)
    values = front_end.ConvolutionalFrontEnd(
        sizes.convolution_filters, config.features.kind != "mfcc", name="front_end"
    )(values)
    values = keras.layers.Dropout(sizes.dropout, name="front_end_dropout")(values)
    counted = FrameMask(front_end.FRAME_STRIDE, name="counted")(values, frames)
    if sizes.layer == "convolution":
        for depth in range(_TWIN_LAYERS):
            values = step_convolution.StepConvolution(
                sizes.units, _TWIN_FRAMES, name=f"twin_{depth}"
            )(values, counted)
            values = keras.layers.Dropout(sizes.dropout, name=f"dropout_{depth}")(values)
    else:
        # Only a backward half would begin in the padding
        mask = counted if sizes.layer == "bilstm" else None
        for depth in range(sizes.layer_count):
            layer = streaming.recurrent(sizes.layer, sizes.units, depth)
            values, *_ = layer(values, mask=mask)
            values = keras.layers.Dropout(sizes.dropout, name=f"dropout_{depth}")(values)
    logits = Letters(letters + 1, name="letters")(values)
    inputs = {"features": features, "frames": frames}
    return keras.Model(inputs, logits, name="speech_to_text")


def compiled(
    network: keras.Model, optimizer: Any, config: configs.Config, mean_letters: float
) -> keras.Model:
    """Compiles a network; the loss of a text is divided by the mean number of letters."""

    def nats(targets: Any, logits: Any) -> Any:
        whole = keras.ops.cast(targets, "int32")  # Keras makes floats of all targets
        return ctc.loss(whole[:, 2:], logits, whole[:, 0], whole[:, 1]) / mean_letters

    network.compile(optimizer, nats, jit_compile=config.training.jit_compile)
    return network


class Listener:
    """Writes down streams of samples: all states are tensors in and out.

    Args:
        trained: what `build` returned, with a causal layer.
        config: its config.
        alphabet: letters by number.

    Raises:
        ValueError: a model that needs what comes later.
    """

    def __init__(
        self, trained: keras.Model, config: configs.Config, alphabet: tuple[str, ...]
    ) -> None:
        if not config.streams:
            raise ValueError("centred features, a bilstm and the twin need what comes later")
        self.trained, self.config, self.alphabet = trained, config, alphabet
        self._space = alphabet.index(" ")

    def initial_states(self, batch: int | tf.Tensor) -> streaming.States:
        """Returns the states before the first sample, float32 by name, the batch first.

        Beside those of the features and the layers, `spoken` (batch, letters) holds the letters of
        the word that is being said, padded with -1, and `last` (batch, 1) the best label of the
        newest frame: a letter that goes on after the border of a chunk is not written twice.
        """
        return {
            **served_features.initial_state(batch, self.config.audio, self.config.features),
            **streaming.initial_trunk(self.trained, batch),
            SPOKEN: tf.zeros([batch, 0]),
            LAST: tf.fill([batch, 1], float(len(self.alphabet))),
        }

    def state_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns specs of the states; rows, waiting frames, samples and letters are free."""
        return streaming.specs(self.initial_states(1), "samples", SPOKEN)

    def logits(
        self, samples: tf.Tensor, states: streaming.States
    ) -> tuple[tf.Tensor, streaming.States]:
        """Returns logits [b, new frames, letters + 1] of the next samples [b, n], and states."""
        values, after = served_features.chunk(
            samples, states, self.config.audio, self.config.features
        )
        values, new = streaming.trunk(self.trained, values, states)
        return self.trained.get_layer("letters")(values), after | new

    def __call__(
        self, samples: tf.Tensor, states: streaming.States, flush: tf.Tensor | bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, streaming.States]:
        """Writes down the next samples.

        Args:
            samples: float32 [b, n], any n.
            states: those of `initial_states`, or what the last call returned.
            flush: bool scalar: the stream ends here, and its last word with it.

        Returns:
            Text int32 [b, letters], the words that are complete now, with a space after each, and
            the tail int32 [b, letters], the beginning of a word, both padded with -1; new states.
        """
        logits, after = self.logits(samples, states)
        rows, frames = tf.shape(logits)[0], tf.shape(logits)[1]
        previous = tf.cast(states[LAST][:, 0], tf.int32)
        new = ctc.greedy(logits, tf.fill([rows], frames), previous)
        heard = tf.concat([tf.cast(states[SPOKEN], tf.int32), new], axis=1)
        heard = tf.concat(
            [heard, tf.where(flush, self._space, -1) * tf.ones([rows, 1], tf.int32)], 1
        )
        # Words are complete up to the last space; of spaces in a row, only the first one counts.
        heard = ctc.left_aligned(heard, heard >= 0)
        is_space = heard == self._space
        begins = tf.concat([tf.ones([rows, 1], tf.bool), is_space], axis=1)[:, :-1]
        spaces_after = tf.cumsum(tf.cast(is_space, tf.int32), axis=1, reverse=True)
        complete = (spaces_after > 0) & ~(is_space & begins)
        text = ctc.left_aligned(heard, complete)
        tail = ctc.left_aligned(heard, (spaces_after == 0) & (heard >= 0))
        best = tf.concat(
            [previous[:, None], tf.argmax(logits, axis=2, output_type=tf.int32)], axis=1
        )
        # One column at least: an empty row would stand for the beginning of a stream
        empty = tf.cast(tf.shape(tail)[1] == 0, tf.int32)
        kept = tf.pad(tail, [[0, 0], [0, empty]], constant_values=-1)
        after[SPOKEN] = tf.cast(kept, tf.float32)
        after[LAST] = tf.cast(best[:, -1:], tf.float32)
        return text, tail, after
