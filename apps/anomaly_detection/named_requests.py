"""Requests that name the series of each row, and what the model is to read of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import series_scales, trained_model


class Sent(NamedTuple):
    """Values of a request; where their series are named, what they are on the common scale."""

    values: np.ndarray
    series: tuple[str, ...] = ()
    ready: np.ndarray | None = None
    levels: np.ndarray | None = None

    @property
    def read(self) -> np.ndarray:
        """Returns the values on the scale of the network."""
        return self.values if self.ready is None else self.ready

    def name(self, signature: str) -> str:
        """Returns the signature that takes the request, by the one without names."""
        of_stream = "stream_of_series" if signature == "stream" else "of_series"
        return of_stream if self.series else signature

    def inputs(self, steps: slice = slice(None)) -> dict[str, np.ndarray]:
        """Returns the inputs of some steps."""
        named = {"series": np.array([each.encode() for each in self.series], object)}
        return {"values": self.values[:, steps], **(named if self.series else {})}

    def told(self, trained: trained_model.TrainedModel) -> dict[str, np.ndarray]:
        """Returns the answers about the names."""
        known = np.array([name in trained.scales for name in self.series], bool)
        return {"is_known": known} if self.series else {}

    def levelled(self, scores: np.ndarray) -> np.ndarray:
        """Returns scores [rows, …] divided by the levels of their series."""
        if self.levels is None:
            return scores
        return scores / self.levels.reshape(-1, *[1] * (scores.ndim - 1))


def of_series(trained: trained_model.TrainedModel, values: np.ndarray) -> Sent:
    """Takes values to the scales of series; the last of several rows is one of no training."""
    scaling, names = trained.network.get_layer("scaling"), [*trained.scales]
    mean, deviation = np.asarray(scaling.mean), np.asarray(scaling.deviation)
    sent, ready, levels = values.copy(), values.copy(), np.ones(len(values), np.float32)
    series = [names[row % len(names)] for row in range(len(values))]
    if len(series) > 1:
        series[-1] = "no series of the training"
    for row, name in enumerate(series):
        if name in trained.scales:
            scale = trained.scales[name]
            own = np.array(scale.deviation) * ((values[row] - mean) / deviation)
            sent[row] = own + np.array(scale.mean)
            ready[row] = series_scales.moved(sent[row], scale, mean, deviation)
            levels[row] = scale.level
    return Sent(sent, tuple(series), ready, levels)
