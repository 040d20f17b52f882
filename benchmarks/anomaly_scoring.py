"""Times the scoring of series on one core, beside the bare recurrence of PyTorch and of Keras.

The detector of the default preset (64 units of peephole LSTM, one step ahead) reads 64 series of
one column side by side: gaps filled, values scaled, predictions, residuals, scores and each
column's part in them, with and without a season of 336 steps before. The peers, `torch.nn.LSTM` and
`keras.layers.LSTM`, do less: an LSTM without peepholes of as many units over the values, and a
linear layer; nothing is scaled, filled or scored. Weights are random: nothing is learned here.

    python benchmarks/anomaly_scoring.py
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from paired import compare, pin_to_one_core

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import detector as detectors
from apps.anomaly_detection import model, score_stream, scoring, thresholds, trained_model
from apps.suite.tables import series

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


PAIRS = 9
SEASON_STEPS = 336


def many_series(rows: int, steps: int) -> list[series.Series]:
    """Waves with noise, of which nothing is missing."""
    draw = np.random.default_rng(0)
    place = np.arange(steps)[:, None]
    return [
        series.Series(
            name=str(row),
            times=np.arange(steps, dtype=np.float64),
            dated=False,
            step_seconds=1.0,
            values=(np.sin(place / 8) + draw.normal(0, 0.1, (steps, 1))).astype(np.float32),
            observed=np.ones((steps, 1), np.bool_),
            labels=None,
            train_end=steps // 2,
            validation_end=3 * steps // 4,
        )
        for row in range(rows)
    ]


def detector(season_steps: int) -> trained_model.TrainedModel:
    """The default preset's, untrained."""
    preset = configs.PRESETS["default"]
    sizes = dataclasses.replace(preset.model, season_steps=season_steps)
    config = dataclasses.replace(preset, model=sizes)
    network = model.build_network(config, 1, 1)
    ones = np.ones(detectors.residual_stream(network, config).errors, np.float32)
    level = np.array([1.0, 3.0], np.float32)
    return trained_model.TrainedModel(
        network,
        config,
        score_stream.Normaliser(0 * ones, ones, ones[:1], level),
        thresholds.Threshold(1.0, "quantile", 1.0),
        ("value",),
        1,
        1.0,
    )


def torch_lstm(values: np.ndarray, units: int) -> Callable[[], object]:
    """The forward pass of PyTorch's layer over (series, time, 1)."""
    import torch

    torch.set_num_threads(1)
    layer, linear = torch.nn.LSTM(1, units, batch_first=True), torch.nn.Linear(units, 1)
    given = torch.from_numpy(values)

    def score() -> object:
        with torch.inference_mode():
            return linear(layer(given)[0])

    return score


def keras_lstm(values: np.ndarray, units: int) -> Callable[[], object]:
    """The forward pass of Keras's layer over (series, time, 1), as a graph."""
    layer, linear = keras.layers.LSTM(units, return_sequences=True), keras.layers.Dense(1)
    given = tf.constant(values)
    return tf.function(lambda: linear(layer(given)), autograph=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=64, help="read side by side")
    parser.add_argument("--steps", type=int, default=2_048, help="of each series")
    options = parser.parse_args(arguments)
    core = pin_to_one_core()
    print(f"one core{f', number {core}' if core >= 0 else ''}; medians of {PAIRS} pairs")
    print(f"{options.series} series of {options.steps:,} steps, one column")
    made = many_series(options.series, options.steps)
    values = np.stack([one.values for one in made])
    units = configs.PRESETS["default"].model.units
    peers = {
        "torch.nn.LSTM": torch_lstm(values, units),
        "keras.layers.LSTM": keras_lstm(values, units),
    }
    print(f"{'detector':<24}{'rows/s':>12}  {'peer':<20}{'rows/s':>12}{'time, ours to theirs':>24}")
    for season in (0, SEASON_STEPS):
        trained = detector(season)
        for name, peer in peers.items():
            found = compare(lambda: scoring.score_all(trained, made), peer, PAIRS)  # noqa: B023
            ours, theirs = (values.size / found.ours * 1e3, values.size / found.theirs * 1e3)
            title = f"season of {season} steps" if season else "without a season"
            print(f"{title:<24}{ours:>12,.0f}  {name:<20}{theirs:>12,.0f}{found.ratio:>24.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
