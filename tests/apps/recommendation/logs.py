"""Small logs as files, and the dataset that is read of them."""

import csv
import dataclasses

import numpy as np

from apps.recommendation import config as configs
from apps.recommendation import data

LEAVE_LAST_OUT = configs.SplitConfig(kind="leave_last_out")


def write_csv(file, rows, header=("user", "item", "time"), **options):
    """The rows with a header, quoted where csv needs it; returns the file."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, **options)
        writer.writerow(header)
        writer.writerows(rows)
    return file


def load(file, **groups):
    """The dataset of a file, with the tiny preset and these groups of the config."""
    config = dataclasses.replace(configs.PRESETS["tiny"], data=str(file), **groups)
    return data.load(config)


def drawn(events=2_000, users=60, items=40, days=50, seed=0):
    """Rows (user, item, time) in no order, several a moment, some of them twice."""
    draw = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, items + 1)
    return [
        (f"user {user}", f"item {item}", int(day) * 86_400 + 1_600_000_000)
        for user, item, day in zip(
            draw.integers(users, size=events),
            draw.choice(items, events, p=popularity / popularity.sum()),
            draw.integers(days, size=events),
            strict=True,
        )
    ]


def names(dataset, codes):
    """Item names of codes, "" of 0."""
    return [dataset.item_names[code - 1] if code else "" for code in codes]
