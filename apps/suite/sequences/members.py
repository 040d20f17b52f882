"""Joins networks that learn side by side, the members, into one that answers their mean.

    y = Σ_k f_k(x) / N      logits, or mean and quantiles, averaged inside the model

The train and the validation part are put together and cut into folds (`parts.folds`). Member k
does not learn from fold k: its answers to that fold validate it, and all but a fold of the
examples teach each member. Members begin with weights of their own and see the same batches, so
that one training, with one checkpoint, makes all of them.

Sources: cross-validation committees, Krogh and Vedelsby, "Neural network ensembles, cross
validation, and active learning", 1995.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from apps.suite.distribution import distribution
from apps.suite.export import trained_run
from apps.suite.networks import sequence_encoder, streaming
from apps.suite.networks.config import EncoderConfig
from apps.suite.runs import run_folder
from apps.suite.sequences import encoded_inputs, parts, ragged, sequence_statistics
from apps.suite.training import history, learning

_PREFIX = "member_"


def joined(build: Callable[[int], keras.Model], count: int) -> tuple[keras.Model, keras.Model]:
    """Builds members, and returns the network that learns and the one that answers.

    Args:
        build: makes a member, of one output; its number changes the seeds of its draws.
        count: of the members. One is both networks by itself.

    Returns:
        A model of the members' inputs to all of their outputs (batch, members, …), and one to
        their mean (batch, …), whose output layer is named like theirs. Both hold the same weights.
    """
    if count == 1:
        alone = build(0)
        return alone, alone
    found = [build(number) for number in range(count)]
    task, head = found[0].name, found[0].output_names[0]
    for number, member in enumerate(found):
        member.name = f"{_PREFIX}{number}"
    inputs = keras.tree.map_structure(
        lambda each: keras.Input(each.shape[1:], dtype=each.dtype, name=each.name), found[0].input
    )
    outputs = [member(inputs) for member in found]
    learner = keras.Model(inputs, Stacked(name="members")(outputs), name=f"{task}_members")
    return learner, keras.Model(inputs, keras.layers.Average(name=head)(outputs), name=task)


class Learned(NamedTuple):
    """Record of a training, and a function that answers the validation part by what it saved."""

    record: history.History
    answers: Callable[[], np.ndarray]


def learn(
    corpus: parts.Corpus[Any],
    config: Any,
    folder: run_folder.RunFolder[Any],
    to_learn: str,
    *,
    build: Callable[[Any, encoded_inputs.Inputs], keras.Model],
    loss: Any,
    batches: Callable[..., tf.data.Dataset],
    scorer: Callable[..., Callable[[ragged.Sequences], np.ndarray]],
    measured: Callable[[np.ndarray], Mapping[str, float]],
    monitor: str = "validation_loss",
) -> Learned:
    """Builds members for the examples of a corpus, and trains them into a run folder.

    model.keras has the weights of the best validation, and words.txt and letters.txt the words of
    texts.

    Args:
        corpus: of the task.
        config: of the task, with the groups `text` and `training`, and a seed.
        folder: of the run.
        to_learn: names what is learned, in the line that is printed.
        build: makes a member of a config and of its inputs.
        loss: of the network that learns.
        batches: streams them, see a task's `data.batches`.
        scorer: makes a function that answers sequences, of a network and its `vocabulary`.
        measured: returns the metrics of answers to the validation part.
        monitor: the metric that chooses the weights.
    """
    vocabulary, examples = corpus.vocabulary(config.text), corpus.learning
    if vocabulary is not None and distribution.is_chief():
        vocabulary.save(folder.path)
    values = examples.learned.sequences.values
    learned = sequence_statistics.of_channels(values)
    missing = bool((learned.counts < len(values)).any())
    given = encoded_inputs.Inputs(
        values.shape[1], learned, missing, vocabulary, examples.learned.sequences
    )

    settings = config.training
    with distribution.scope():
        network, answering = joined(
            lambda number: build(of_member(config, number), given),
            config.model.networks(settings.members),
        )
        learning.compiled(network, settings, loss)
    print(
        f"{corpus.name}: {len(examples.learned.sequences):,} training sequences, {len(values):,} "
        f"rows; to learn: {to_learn}; {network.count_params():,} parameters; "
        f"{settings.steps:,} steps"
    )

    def answers(of_network: keras.Model) -> Callable[[], np.ndarray]:
        return held_out(of_network, examples, functools.partial(scorer, vocabulary=vocabulary))

    score = answers(network)
    record = learning.learn(
        network,
        lambda first_step: batches(corpus, config, vocabulary, first_step),
        settings,
        folder,
        lambda: measured(score()),
        saved=answering,
        monitor=monitor,
    )
    return Learned(record, lambda: answers(trained_run.model(folder))())


def of_member(config: Any, number: int) -> Any:
    """Returns the config of a member: with a seed of its own, and random convolutions or none.

    The member after those that the config counts reads random convolutions, no other does. In a
    loss of their own they are not outrun by layers that learn the examples by heart.
    """
    kernels = config.model.random_kernels if number == config.training.members else 0
    model = dataclasses.replace(config.model, random_kernels=kernels)
    return dataclasses.replace(config, seed=config.seed + number, model=model)


@keras.saving.register_keras_serializable(package="lstm_tasks")
class Stacked(keras.layers.Layer):
    """Puts outputs (batch, …) side by side: (batch, members, …)."""

    def build(self, *_: Any) -> None:
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the loss knows what counts."""

    def call(self, outputs: Sequence[Any]) -> Any:
        return ops.stack(outputs, axis=1)

    def compute_output_shape(self, shapes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        return (shapes[0][0], len(shapes), *shapes[0][1:])


def of(network: keras.Model) -> list[keras.Model]:
    """Returns the members of a network; a network without any is its own only member."""
    found = [layer for layer in network.layers if layer.name.startswith(_PREFIX)]
    return found or [network]


def held_out(
    network: keras.Model,
    folds: parts.Folds[Any],
    scorer: Callable[[keras.Model], Callable[[ragged.Sequences], np.ndarray]],
) -> Callable[[], np.ndarray]:
    """Returns a function that answers the validation part, each sequence by its member.

    Args:
        network: of `joined`, with the weights that it has at the time of the call.
        folds: whose validation part is answered, in its order.
        scorer: makes a function that answers sequences by a network.
    """
    asked = []
    for number, member in enumerate(of(network)):
        chosen = np.flatnonzero(folds.member_of == number)
        if len(chosen):
            asked.append((scorer(member), folds.validation.sequences.taken(chosen)))
    return lambda: np.concatenate([score(sequences) for score, sequences in asked])


class Stream:
    """Reads chunks with the stream of each member, see `sequence_encoder.Stream`.

    Vectors are (members, batch, steps, width); the states' names begin with the member's.
    """

    def __init__(self, streams: Sequence[sequence_encoder.Stream]) -> None:
        self._streams = {f"{_PREFIX}{number}_": each for number, each in enumerate(streams)}

    def initial_states(self, batch: int | tf.Tensor) -> streaming.States:
        """Returns the states before the first step."""
        return {
            prefix + name: state
            for prefix, stream in self._streams.items()
            for name, state in stream.initial_states(batch).items()
        }

    def advance(
        self, values: tf.Tensor, states: streaming.States
    ) -> tuple[tf.Tensor, streaming.States]:
        """Reads the next steps, and returns the vectors of all members and the new states."""
        vectors: list[tf.Tensor] = []
        after: streaming.States = {}
        for prefix, stream in self._streams.items():
            own = {
                name.removeprefix(prefix): state
                for name, state in states.items()
                if name.startswith(prefix)
            }
            found, new = stream.advance(values, own)
            vectors.append(found)
            after |= {prefix + name: state for name, state in new.items()}
        return tf.stack(vectors), after


def stream_of(
    network: keras.Model, config: EncoderConfig, whole: bool
) -> sequence_encoder.Stream | Stream | None:
    """Returns the stream of a network, None where it needs later steps, as do texts (`whole`)."""
    if whole or not config.streams:
        return None
    streams = [sequence_encoder.Stream(member, config) for member in of(network)]
    return streams[0] if len(streams) == 1 else Stream(streams)


def step_outputs(network: keras.Model, head: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from the vectors of the network's stream to the outputs of its head."""
    heads = [member.get_layer(head) for member in of(network)]
    if len(heads) == 1:
        return heads[0]

    def mean(vectors: tf.Tensor) -> tf.Tensor:
        return tf.add_n([layer(vectors[at]) for at, layer in enumerate(heads)]) / len(heads)

    return mean
