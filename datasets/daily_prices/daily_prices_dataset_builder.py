"""Daily prices of a share, from the pmdarima package: a series that nobody forecasts well."""

import csv
import datetime
import importlib.util
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

_PACKAGE, _VERSION = "pmdarima", "2.1.1"
_ARCHIVE = Path("datasets", "data", "msft.tar.gz")
_PAST = ("Open", "High", "Low", "Volume")
_YEAR_DAYS = 252


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example, the whole series by trading days; nothing is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": f"The 7,983 days of pmdarima {_VERSION}."}

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "series": tfds.features.Text(),
                    "time": tfds.features.Tensor(shape=(None,), dtype=np.int64),
                    "target": tfds.features.Tensor(shape=(None, 1), dtype=np.float32),
                    "past": tfds.features.Tensor(shape=(None, len(_PAST)), dtype=np.float32),
                    "validation_steps": np.int64,
                    "test_steps": np.int64,
                }
            ),
            homepage="https://github.com/alkaline-ml/pmdarima",
            license="Package MIT",
            metadata=tfds.core.MetadataDict(
                {"target": ["close"], "past": [name.lower() for name in _PAST], "known": [],
                 "dated": True}
            ),
        )  # fmt: skip

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the series comes with an installed package
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with tarfile.open(_archive()) as archive:
            (name,) = archive.getnames()
            file = archive.extractfile(name)
            assert file is not None
            rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))
        days = [datetime.datetime.fromisoformat(f"{row['Date']}T00:00:00+00:00") for row in rows]
        yield (
            "msft",
            {
                "series": "msft",
                "time": np.array([round(day.timestamp()) for day in days], np.int64),
                "target": np.array([[row["Close"]] for row in rows], np.float32),
                "past": np.array([[row[name] for name in _PAST] for row in rows], np.float32),
                "validation_steps": _YEAR_DAYS,
                "test_steps": 2 * _YEAR_DAYS,
            },
        )


def _archive() -> Path:
    """The table among the installed files; the package is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / _ARCHIVE).is_file():
            return Path(folder) / _ARCHIVE
    raise FileNotFoundError(
        f"the prices are in the package {_PACKAGE}, which is not installed: "
        f"pip install {_PACKAGE}=={_VERSION}, or give data of your own"
    )
