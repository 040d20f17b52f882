"""The items of a run in a file beside its model: names, titles and counts, ordered by code."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps import errors, json_files

NAME = "items.json"


class Items(NamedTuple):
    """Item of code c at place c - 1: what it is called, and its events in the train part."""

    names: tuple[str, ...]
    titles: tuple[str, ...] | None
    counts: np.ndarray  # int64 (items,)


def write(folder: Path, items: Items) -> None:
    """Writes `items.json` into a run folder."""
    titles = None if items.titles is None else list(items.titles)
    values = {"names": list(items.names), "titles": titles, "counts": items.counts.tolist()}
    json_files.write(folder / NAME, values)


def read(folder: Path) -> Items:
    """What `write` wrote; UserError where the file is missing or damaged."""
    file = folder / NAME
    values = json_files.read(file)
    try:
        names, titles, counts = values["names"], values["titles"], values["counts"]
        if not len(names) == len(counts) == len(names if titles is None else titles):
            raise ValueError("lists of different lengths")
        titles = None if titles is None else tuple(map(str, titles))
        return Items(tuple(map(str, names)), titles, np.array(counts, np.int64))
    except (KeyError, TypeError, ValueError) as error:
        raise errors.UserError(f"{file}: is damaged; train the model again") from error
