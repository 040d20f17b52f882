"""Loads series, scales them, and cuts them into the stretches that a model is trained on."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import labels
from apps.suite import errors
from apps.suite.tables import reader, scaling, seasons, series, series_files

DEFAULT = "half_hourly_demand"


def load(config: configs.Config) -> series.Collection:
    """Reads the series of `config.data`.

    `config.data` is a csv or parquet file, a folder of them, or the name of a TFDS set; a path
    that exists comes first. See `series_files` for the formats. Files larger than memory become
    mapped arrays (`steps`). With `data_format.injected_faults`, test parts without labels get
    faults.

    Raises:
        UserError: nothing of that name, or data that cannot be learned from, with place and reason.
    """
    settings = config.data_format
    name = config.data or DEFAULT
    path = Path(name).expanduser()
    if path.exists() or reader.suffix(path) or name.startswith((".", "/", "~")):
        labels_of = None
        if settings.labels:
            labels_of = labels.WindowLabels(Path(settings.labels).expanduser(), settings).of
        collection = series_files.read(path, settings, labels_of)
    else:
        collection = series_files.read_named(name)
    advice = "give more rows, or smaller model.window_steps and training.burn_in_steps"
    series.check_parts(collection, (config.stretch_steps, 2, 2), advice)
    if not _can_be_measured(collection):
        raise errors.UserError(
            f"{collection.source}: no labelled anomaly in the test part, and fewer than "
            f"{labels.LEAST_STEPS} steps there to make faults into; give labels, more rows, or a "
            "larger data_format.test_fraction"
        )
    found = scaling.check_statistics(collection, settings.constant_columns == "keep")
    if settings.injected_faults:
        collection = labels.injected(
            collection, found.deviation, settings.injected_faults, config.seed
        )
    return collection


def _can_be_measured(collection: series.Collection) -> bool:
    """Returns true if a test part has a labelled event, or room for faults that are made."""
    longest = max(len(one) - one.validation_end for one in collection.series)
    return longest >= labels.LEAST_STEPS or any(
        one.labels is not None and bool(one.labels[one.validation_end :].any())
        for one in collection.series
    )


def preprocess(
    values: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor, clip_deviations: float
) -> tf.Tensor:
    """Returns (values - mean) / deviation, cut to ±clip_deviations; a missing value becomes 0.

    Args:
        values: float32 [..., features], NaN where missing.
        mean, deviation: float32 [features].
        clip_deviations: above 0.
    """
    return scaling.scaled(values, mean, deviation, clip_deviations)


def with_season(config: configs.Config, collection: series.Collection) -> configs.Config:
    """Returns the config with a number for `model.season_steps`; 0 unless it is a forecaster's.

    None becomes the season that the train parts show (`seasons.of_training`).
    """
    season = 0
    if config.model.kind == "forecaster":
        if config.model.season_steps is not None:
            return config
        least = config.model.horizon_steps
        season = seasons.of_training(collection, least, config.stretch_steps)
    model = dataclasses.replace(config.model, season_steps=season)
    return dataclasses.replace(config, model=model)


def batches(
    collection: series.Collection, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Streams (values float32, observed bool), [batch, stretch, features] each, without end.

    A row is `config.stretch_steps` consecutive steps of one series' train part. A longer series
    gives more of them, one that is too short gives none, and every stretch is equally likely.
    Values are in the units of the data, 0 where not observed. A step is a function of its number
    and the seed alone: a stream that begins at `first_step` continues another one exactly.

    Raises:
        ValueError: all series are too short.
    """
    length, rows = config.stretch_steps, config.training.batch_size
    width = len(collection.feature_names)
    places = [max(0, one.train_end - length + 1) for one in collection.series]
    starts = np.cumsum([0, *places])
    if not starts[-1]:
        raise ValueError(f"no series of {collection.name} has a train part of {length} steps")

    def draw(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng([config.seed, int(step)])
        values = np.empty((rows, length, width), np.float32)
        observed = np.empty((rows, length, width), np.bool_)
        for row, place in enumerate(random.integers(starts[-1], size=rows)):
            at = int(np.searchsorted(starts, place, side="right")) - 1
            one, begin = collection.series[at], int(place - starts[at])
            values[row] = one.values[begin : begin + length]
            observed[row] = one.observed[begin : begin + length]
        return values, observed

    def stretches(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Python only picks rows out of arrays, which may be larger than memory
        drawn = tf.numpy_function(draw, [step], (tf.float32, tf.bool))
        shape = [rows, length, width]
        return tf.ensure_shape(drawn[0], shape), tf.ensure_shape(drawn[1], shape)

    return tf.data.Dataset.counter(first_step).map(stretches).prefetch(2)
