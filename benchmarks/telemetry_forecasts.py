"""The channels of the SMAP and MSL benchmark, and a forecaster for each of them."""

from __future__ import annotations

import ast
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import config as configs
from apps.suite.tables import series

CONFIG = configs.Config(
    model=configs.ModelConfig(horizon_steps=10, season_steps=0),
    training=configs.TrainingConfig(
        batch_size=32, hidden_fraction=0.0, steps=200, steps_per_checkpoint=200
    ),
)
_KINDS = ("telemetry", "commands")


class Channel(NamedTuple):
    """One channel: the telemetry, which is scored, and the commands, which are only read.

    Attributes:
        mission: SMAP or MSL.
        values: float32 [time, 1 + commands], its train part and behind it its test part.
        train_steps: of the train part.
        events: the labelled ranges [start, end) of the test part, sorted.
    """

    name: str
    mission: str
    values: np.ndarray
    train_steps: int
    events: list[tuple[int, int]]

    @property
    def test(self) -> np.ndarray:
        """The telemetry of the test part, float32 [time]."""
        return self.values[self.train_steps :, 0]

    @property
    def labels(self) -> np.ndarray:
        """bool [time] of the test part."""
        labels = np.zeros(len(self.test), bool)
        for start, end in self.events:
            labels[start:end] = True
        return labels


class Errors(NamedTuple):
    """What was observed less what was said one step before; float32 [time], as telemetry."""

    train: np.ndarray
    test: np.ndarray


def read(folder: Path) -> list[Channel]:
    """All channels, those of SMAP first; missing commands are columns of 0."""
    events: dict[str, list[tuple[int, int]]] = {}
    with (folder / "labeled_anomalies.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):  # a channel may have two lines
            ranges = ast.literal_eval(row["anomaly_sequences"])
            found = [(first, last + 1) for first, last in ranges]  # their last step is in them
            events.setdefault(row["chan_id"], []).extend(found)
    channels = []
    for mission in ("SMAP", "MSL"):
        with np.load(folder / f"{mission}.npz") as arrays:
            for name in sorted({key.split("_")[0] for key in arrays}):
                parts = [
                    np.column_stack([arrays[f"{name}_{part}_{kind}"] for kind in _KINDS])
                    for part in ("train", "test")
                ]
                values = np.concatenate(parts).astype(np.float32)
                channels.append(Channel(name, mission, values, len(parts[0]), sorted(events[name])))
    width = max(channel.values.shape[1] for channel in channels)
    return [
        channel._replace(
            values=np.pad(channel.values, [(0, 0), (0, width - channel.values.shape[1])])
        )
        for channel in channels
    ]


def collection(channel: Channel) -> series.Collection:
    """A channel as the app knows it: all steps before the test part are to train on."""
    time, width = channel.values.shape
    one = series.Series(
        name=channel.name,
        times=np.arange(time, dtype=np.float64),
        dated=False,
        step_seconds=1.0,
        values=channel.values,
        observed=np.ones((time, width), bool),
        labels=None,
        train_end=channel.train_steps,
        validation_end=channel.train_steps,
    )
    names = ("telemetry", *(f"command {place}" for place in range(1, width)))
    return series.Collection(channel.mission, "", "", "", "as published", names, 1, (one,))


def forecast(channels: Sequence[Channel], config: configs.Config) -> dict[str, Errors]:
    """Trains one forecaster for each channel, all from the same first weights, by one graph.

    The part of a forecast that holds the last value is fixed at 0: a forecast that follows a fault
    within a step has an error at its ends alone.
    """
    import tensorflow as tf

    from apps.anomaly_detection import data, model
    from apps.suite.tables import scaling
    from apps.suite.training import checkpoints, fit, optimizer

    fit.seed_everything(config.seed)
    learner = model.build(config, channels[0].values.shape[1], 1)
    network = learner.network
    held = network.get_layer("outlook").held
    held.assign(np.zeros(held.shape))
    held.trainable = False
    learner.compile(optimizer.optimizer(config.training))
    learner.optimizer.build(learner.trainable_variables)
    first_weights = checkpoints.collect(learner, [])

    @tf.function(reduce_retracing=True)
    def one_step_ahead(values: tf.Tensor) -> tf.Tensor:
        states = [tf.zeros((1, *state.shape[1:])) for state in network.inputs[2:]]
        return network([values, tf.ones_like(values), *states], training=False)[0][0, :, 0, 0]

    found = {}
    for channel in channels:
        made = collection(channel)
        statistics = scaling.statistics_of_training(made.series)
        checkpoints.restore(learner, [], first_weights, Path(channel.name))
        network.get_layer("scaling").fit(statistics.mean, statistics.deviation)
        batches = data.batches(made, config).map(lambda values, observed: ((values, observed),))
        learner.fit(batches, steps_per_epoch=config.training.steps, shuffle=False, verbose=0)
        errors = []
        for values in np.split(channel.values, [channel.train_steps]):
            said = one_step_ahead(tf.constant(values[None])).numpy()[:-1]
            said = said * statistics.deviation[0] + statistics.mean[0]
            errors.append(np.concatenate([[0.0], values[1:, 0] - said]).astype(np.float32))
        found[channel.name] = Errors(*errors)
    return found
