"""Small files of series, as a user would bring them, and configs that suit their size."""

import dataclasses
import datetime

import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import data

START = datetime.datetime(2024, 3, 1, tzinfo=datetime.UTC)


def config(path, *, window_steps=8, burn_in_steps=2, **data_format):
    tiny = configs.PRESETS["tiny"]
    return dataclasses.replace(
        tiny,
        data=str(path),
        model=dataclasses.replace(tiny.model, window_steps=window_steps),
        training=dataclasses.replace(tiny.training, burn_in_steps=burn_in_steps),
        data_format=configs.DataFormatConfig(**data_format),
    )


def load(path, **settings):
    return data.load(config(path, **settings))


def times(count, step_seconds=300):
    """ISO times in UTC without an offset."""
    step = datetime.timedelta(seconds=step_seconds)
    return [f"{START + at * step:%Y-%m-%d %H:%M:%S}" for at in range(count)]


def seconds(count, step_seconds=300):
    return START.timestamp() + np.arange(count) * step_seconds


def rows(header, *columns):
    """The text of a csv file."""
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([header, *lines]) + "\n"


def written(folder, text, name="mine.csv"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file
