"""Brings requests of named series to the common scale, in the graph of an export."""

from __future__ import annotations

import collections

import numpy as np
import tensorflow as tf

from apps.anomaly_detection import trained_model
from apps.suite.serving import limits

_PATH = "(?s)^.*/"


class ServedScales:
    """Scales a row of a request by the train part of its series; see `series_scales`.

    A name is known by its path, or by its last part alone where only one series ends so. A row of
    another series is taken as it is, on the scale that all series have in common.

    Args:
        trained: a model with scales of several series.

    Attributes:
        saved: what has to be saved for the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        names, scales = [*trained.scales], trained.scales.values()
        last = [name.rpartition("/")[2] for name in names]
        counts = collections.Counter(last)
        alone = {name: at for at, name in enumerate(last) if counts[name] == 1}
        self._by_name = _table({name: at for at, name in enumerate(names)})
        self._by_last = _table(alone or {names[0]: 0})
        self._mean = tf.constant([scale.mean for scale in scales], tf.float64)
        self._deviation = tf.constant([scale.deviation for scale in scales], tf.float64)
        self._level = tf.constant([scale.level for scale in scales], tf.float32)
        scaler = trained.network.get_layer("scaling")
        self._common = np.asarray(scaler.mean, np.float64), np.asarray(scaler.deviation, np.float64)
        self.saved = [self._by_name, self._by_last]

    def brought(
        self, values: tf.Tensor, series: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns values on the common scale, the level of each row's scores, and what is known.

        Args:
            values: float32 [rows, time, features], NaN where missing.
            series: string [rows], the names.

        Returns:
            float32 [rows, time, features]; float32 [rows], 1 for other series; bool [rows].
        """
        series = limits.checked(
            series,
            tf.equal(tf.shape(series)[0], tf.shape(values)[0]),
            "series: has to name the series of each row of values",
        )
        found = self._by_name.lookup(series)
        by_last = self._by_last.lookup(tf.strings.regex_replace(series, _PATH, ""))
        found = tf.where(found < 0, by_last, found)
        is_known, place = found >= 0, tf.maximum(found, 0)
        mean, deviation = (
            tf.gather(each, place)[:, None] for each in (self._mean, self._deviation)
        )
        common_mean, common_deviation = self._common
        moved = (tf.cast(values, tf.float64) - mean) * (common_deviation / deviation) + common_mean
        values = tf.where(is_known[:, None, None], tf.cast(moved, tf.float32), values)
        level = tf.where(is_known, tf.gather(self._level, place), 1.0)
        return values, level, is_known


def _table(places: dict[str, int]) -> tf.lookup.StaticHashTable:
    keys = tf.constant([*places], tf.string)
    values = tf.constant([*places.values()], tf.int64)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
