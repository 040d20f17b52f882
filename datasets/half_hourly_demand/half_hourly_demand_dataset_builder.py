"""Electricity demand by half-hours from the pmdarima package, with faults made into its last weeks.

A step is a half-hour. The faults are drawn once, by a fixed seed, and only in the test part.
"""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

KINDS = (
    "spike",
    "level shift",
    "drift",
    "flatline",
    "dropout",
    "changed season",
    "noise burst",
)
STEP_SECONDS = 1800
DAY_STEPS = 48
WEEK_STEPS = 7 * DAY_STEPS
FAULTS = 14  # two of each kind
# Monday, 5 June 2000, midnight in London, where clocks were an hour ahead of UTC
_START = datetime.datetime(2000, 6, 4, 23, tzinfo=datetime.UTC)
_PARTS = {  # in weeks from the start
    "train": (0, 6),
    "validation": (6, 8),
    "test": (8, 12),
}
# Least and most of: steps it lasts, as a share of a day; size, in deviations of the series
_RANGES = {
    "spike": ((0.02, 0.04), (0.3, 0.9)),
    "level shift": ((0.15, 0.4), (0.25, 0.7)),
    "drift": ((0.4, 0.6), (0.4, 0.9)),
    "flatline": ((0.12, 0.3), (0.0, 0.0)),
    "dropout": ((0.04, 0.15), (0.0, 0.0)),
    "changed season": (
        (0.25, 0.45),
        (0.08, 0.2),
    ),  # size: how late, as a share of a day
    "noise burst": ((0.15, 0.35), (0.08, 0.25)),
}


class Fault(NamedTuple):
    """One fault, in steps [start, end) of one column."""

    kind: str
    start: int
    end: int
    column: int


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a split; the splits follow each other, and nothing is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "The 4,032 half-hours of pmdarima 2.1.1, 14 faults in the last 1,344."
    }

    def _info(self) -> tfds.core.DatasetInfo:
        fault = {"kind": tfds.features.Text(), "start": np.int64, "end": np.int64}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "series": tfds.features.Text(),
                    "time": tfds.features.Tensor(shape=(None,), dtype=np.int64),
                    "values": tfds.features.Tensor(shape=(None, 1), dtype=np.float32),
                    "label": tfds.features.Tensor(shape=(None,), dtype=np.bool_),
                    "faults": tfds.features.Sequence(fault),
                }
            ),
            homepage="https://github.com/alkaline-ml/pmdarima",
            license="Package MIT; series published by J. W. Taylor (2003) with his paper",
            metadata=tfds.core.MetadataDict({"columns": ["demand_megawatts"]}),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the series comes with an installed package
        try:
            from pmdarima import datasets
        except ImportError as error:
            raise RuntimeError(
                "the embedded series needs the package pmdarima (extra `anomaly`)"
            ) from error
        whole = datasets.load_taylor(dtype=np.float32)[:, None]
        return {part: self._generate_examples(part, whole) for part in _PARTS}

    def _generate_examples(
        self, part: str, whole: np.ndarray
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields the one example of a part."""
        start, end = (weeks * WEEK_STEPS for weeks in _PARTS[part])
        values = whole[start:end].copy()
        faults = []
        if part == "test":
            deviations = whole[: _PARTS["train"][1] * WEEK_STEPS].std(axis=0)
            faults = self.inject(values, deviations, DAY_STEPS, FAULTS, seed=0)
        label = np.zeros(len(values), np.bool_)
        for fault in faults:
            label[fault.start : fault.end] = True
        times = int(_START.timestamp()) + np.arange(start, end, dtype=np.int64) * STEP_SECONDS
        yield (
            part,
            {
                "series": "demand",
                "time": times,
                "values": values,
                "label": label,
                "faults": [
                    {"kind": fault.kind, "start": fault.start, "end": fault.end} for fault in faults
                ],
            },
        )

    @staticmethod
    def inject(
        values: np.ndarray,
        deviations: Sequence[float] | np.ndarray,
        day_steps: int,
        count: int,
        seed: int,
    ) -> list[Fault]:
        """Makes `count` faults into `values`, float [time, columns], in place.

        Each lies in a stretch of time of its own, in a column of its own drawing; the kinds take
        turns in a drawn order, so that they come equally often.

        Args:
            deviations: of each column, the unit of the faults' sizes.
            day_steps: steps of the season that lengths are measured by, at least 4.
            count: faults; fewer are made where there is no room for a day and a half each.
            seed: decides everything else.

        Returns:
            The faults in the order of time.
        """
        random = np.random.default_rng(seed)
        count = min(count, len(values) * 2 // (3 * day_steps))
        kinds = [kind for _ in range(-(-count // len(KINDS))) for kind in random.permutation(KINDS)]
        borders = np.arange(count + 1) * len(values) // max(count, 1)
        faults = []
        for at, kind in enumerate(kinds[:count]):
            lengths, sizes = _RANGES[kind]
            steps = max(1, round(random.uniform(*lengths) * day_steps))
            # Half a day of usual values before each at least, which some kinds continue
            first, last = borders[at] + day_steps // 2, borders[at + 1] - steps
            start = int(random.integers(first, last, endpoint=True))
            column = int(random.integers(values.shape[1]))
            size = random.uniform(*sizes)
            part = values[:, column]
            fault = Fault(str(kind), start, start + steps, column)
            part[start : fault.end] = _faulty(
                part, fault, size, float(deviations[column]), day_steps, random
            )
            faults.append(fault)
        return faults


def _faulty(
    values: np.ndarray,
    fault: Fault,
    size: float,
    deviation: float,
    day_steps: int,
    random: np.random.Generator,
) -> np.ndarray:
    """What a column reads during a fault, float [steps]; `values`, float [time], is as it was."""
    usual = values[fault.start : fault.end].copy()
    steps = len(usual)
    change = size * deviation * random.choice([-1.0, 1.0])
    match fault.kind:
        case "spike" | "level shift":
            return usual + change
        case "drift":
            return usual + change * np.linspace(0.0, 1.0, steps)
        case "flatline":
            return np.full(steps, values[fault.start - 1])
        case "dropout":
            return np.zeros(steps)
        case "changed season":
            late = max(1, round(size * day_steps))
            return values[fault.start - late : fault.end - late].copy()
        case _:
            return usual + random.normal(0.0, size * deviation, steps)
