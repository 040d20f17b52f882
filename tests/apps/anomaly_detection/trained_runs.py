"""Runs of a few training steps on waves with known events, for tests that only read them."""

import contextlib
import dataclasses
import datetime
import io

import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import train

STEPS = 800
STEP = datetime.timedelta(minutes=10)
START = datetime.datetime(2024, 1, 1)
EVENTS = ((640, 650), (720, 724))  # in the test part, the last 30 %


def write_csv(file, labelled=True, seed=0, steps=STEPS):
    """Two waves; in each event the column `flow` leaves its wave."""
    random = np.random.default_rng(seed)
    place = np.arange(steps)
    flow = 10 + 3 * np.sin(place / 12) + random.normal(0, 0.1, steps)
    heat = 50 + 5 * np.cos(place / 30) + random.normal(0, 0.2, steps)
    label = np.zeros(steps, int)
    for start, end in EVENTS:
        flow[start:end] += 9
        label[start:end] = 1
    lines = ["time,flow,heat" + (",label" if labelled else "")]
    for at in range(steps):
        cells = [(START + at * STEP).isoformat(), f"{flow[at]:.4f}", f"{heat[at]:.4f}"]
        lines.append(",".join([*cells, *([str(label[at])] if labelled else [])]))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return file


def config(data, kind="forecaster", **groups):
    made = configs.Config(
        preset="tiny",
        data=str(data),
        model=configs.ModelConfig(kind=kind, units=6, code_units=3, window_steps=24),
        training=configs.TrainingConfig(
            batch_size=4, burn_in_steps=8, steps=4, steps_per_checkpoint=2
        ),
    )
    return dataclasses.replace(made, **groups)


def trained(folder, data, **options):
    """Trains and evaluates into `folder`; returns what was printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        train.train(config(data, **options), folder)
    return printed.getvalue()
