"""Exercises of the shoulder as a smartwatch measured them, read from the seglearn package."""

import hashlib
import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

SUBJECTS = {"train": range(1, 7), "validation": range(7, 9), "test": range(9, 11)}
CROP_SECONDS = 4
CROP_STRIDE_SECONDS = 1
_SMALL_SHARE = 16


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a sequence; splits by subject; nothing is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "The 140 recordings of seglearn 1.2.5."}
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        tfds.core.BuilderConfig(
            name="sessions",
            description="Seven exercises one after the other: the exercise of each step.",
        ),
        tfds.core.BuilderConfig(
            name="gyroscope",
            description="Turning rates of each step, from the accelerations of a recording.",
        ),
        tfds.core.BuilderConfig(
            name="tempo", description="Seconds per repetition, from four seconds."
        ),
        tfds.core.BuilderConfig(
            name="tempo_small", description=f"Every {_SMALL_SHARE}th example of tempo, for trials."
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        watch = _watch_file()
        channels = watch.CHANNELS[:3] if self.builder_config.name == "gyroscope" else watch.CHANNELS
        features = {
            "sequence": tfds.features.Text(),
            "subject": tfds.features.Text(),
            "values": tfds.features.Tensor(shape=(None, len(channels)), dtype=np.float32),
        }
        metadata = {"channels": list(channels), "steps_per_second": watch.STEPS_PER_SECOND}
        match self.builder_config.name:
            case "sessions":
                features["label"] = tfds.features.Sequence(
                    tfds.features.ClassLabel(names=watch.EXERCISES)
                )
            case "gyroscope":
                features["target"] = tfds.features.Tensor(shape=(None, 3), dtype=np.float32)
                metadata["targets"] = list(watch.CHANNELS[3:])
            case _:
                features["target"] = tfds.features.Tensor(shape=(1,), dtype=np.float32)
                metadata["targets"] = ["seconds_per_repetition"]
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/dmbee/seglearn",
            license="BSD-3-Clause (the package, which brings the recordings)",
            metadata=tfds.core.MetadataDict(metadata),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the recordings come with an installed package
        recordings = _watch_file().recordings()
        return {
            part: self._generate_examples([row for row in recordings if row.subject in people])
            for part, people in SUBJECTS.items()
        }

    def _generate_examples(self, recordings: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (place, example), by subject, side and exercise."""
        match self.builder_config.name:
            case "sessions":
                yield from enumerate(_sessions(recordings))
            case "gyroscope":
                yield from enumerate(_gyroscope(recordings))
            case "tempo":
                yield from enumerate(_tempo(recordings))
            case _:
                yield from itertools.islice(enumerate(_tempo(recordings)), 0, None, _SMALL_SHARE)


def _sessions(recordings: list[Any]) -> Iterator[dict[str, Any]]:
    """Yields the seven recordings of one subject's arm joined in a drawn order."""
    for subject, side in sorted({(row.subject, row.side) for row in recordings}):
        own = [row for row in recordings if (row.subject, row.side) == (subject, side)]
        name = f"subject {subject:02d}, {side}"
        order = np.random.default_rng(_seed(name)).permutation(len(own))
        yield {
            "sequence": name,
            "subject": str(subject),
            "values": np.concatenate([own[at].values for at in order]),
            "label": np.concatenate(
                [np.full(len(own[at].values), own[at].exercise, np.int64) for at in order]
            ),
        }


def _gyroscope(recordings: list[Any]) -> Iterator[dict[str, Any]]:
    for row in recordings:
        yield {
            "sequence": row.name,
            "subject": str(row.subject),
            "values": row.values[:, :3],
            "target": row.values[:, 3:],
        }


def _tempo(recordings: list[Any]) -> Iterator[dict[str, Any]]:
    """Yields crops of one length, since the length of a whole recording gives its tempo away."""
    watch = _watch_file()
    steps = CROP_SECONDS * watch.STEPS_PER_SECOND
    stride = CROP_STRIDE_SECONDS * watch.STEPS_PER_SECOND
    for row in recordings:
        seconds = len(row.values) / watch.STEPS_PER_SECOND / watch.REPETITIONS
        for start in range(0, len(row.values) - steps + 1, stride):
            yield {
                "sequence": f"{row.name}, from step {start}",
                "subject": str(row.subject),
                "values": row.values[start : start + steps],
                "target": np.array([seconds], np.float32),
            }


def _seed(name: str) -> int:
    """Returns the same number for a name on every machine and in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")


def _watch_file() -> ModuleType:
    """Returns the module beside this file; the folder is not a package."""
    full = "watch_exercises_watch_file"
    if full not in sys.modules:
        file = Path(__file__).with_name("watch_file.py")
        spec = importlib.util.spec_from_file_location(full, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]
