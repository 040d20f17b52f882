"""Handwritten digits of scikit-learn in motion: the label is how they move, not what they are."""

import dataclasses
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

_PARTS = {"train": 1_200, "validation": 300, "test": 297}  # digits' images, none in two parts


@dataclasses.dataclass(kw_only=True)
class MovingDigitsConfig(tfds.core.BuilderConfig):
    """Clips of each motion by split."""

    clips: dict[str, int]


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a clip; nothing is downloaded. The same clips every time."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Nine motions."}
    BUILDER_CONFIGS: ClassVar[list[MovingDigitsConfig]] = [
        MovingDigitsConfig(
            name="full",
            description="Nine motions, 4,500 clips.",
            clips={"train": 360, "validation": 60, "test": 80},
        ),
        MovingDigitsConfig(
            name="small",
            description="Nine motions, 360 clips: for tests.",
            clips={"train": 24, "validation": 6, "test": 10},
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        clip = _module("render_clip")
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "video": tfds.features.Tensor(
                        shape=(clip.FRAMES, clip.SIZE, clip.SIZE, 3),
                        dtype=np.uint8,
                        encoding=tfds.features.Encoding.BYTES,
                    ),
                    "label": tfds.features.ClassLabel(names=list(clip.MOTIONS)),
                    "digit": tfds.features.ClassLabel(num_classes=10),
                    "image": np.int32,
                    "distractor": np.bool_,
                    "occluded": np.bool_,
                }
            ),
            supervised_keys=("video", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            license="CC BY 4.0 (Alpaydin and Kaynak 1998, Optical Recognition of Handwritten "
            "Digits, UCI; as scikit-learn ships it)",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the digits come with an installed package
        return {part: self._generate_examples(part) for part in _PARTS}

    def _generate_examples(self, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (number, example), the motions in turn."""
        from sklearn import datasets

        clip = _module("render_clip")
        digits = datasets.load_digits()
        images = _images_of(part, len(digits.target))
        for number in range(self.builder_config.clips[part] * len(clip.MOTIONS)):
            name = f"moving_digits/{self.builder_config.name}/{part}/{number}"
            random = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
            chosen, other = random.choice(images, 2, replace=False)
            motion = clip.MOTIONS[number % len(clip.MOTIONS)]
            rendered = clip.render(motion, digits.images[chosen], digits.images[other], random)
            yield (
                number,
                {
                    "video": rendered.frames,
                    "label": motion,
                    "digit": int(digits.target[chosen]),
                    "image": int(chosen),
                    "distractor": rendered.distractor,
                    "occluded": rendered.occluded,
                },
            )


def _images_of(part: str, count: int) -> np.ndarray:
    """Numbers of the images that the digits of a part are drawn from."""
    order = np.random.default_rng(20_261_124).permutation(count)
    ends = np.cumsum(list(_PARTS.values()))
    place = list(_PARTS).index(part)
    return np.sort(order[ends[place] - _PARTS[part] : ends[place]])


def _module(name: str) -> ModuleType:
    """A file of this folder, which is no package."""
    full = f"moving_digits_{name}"
    if full not in sys.modules:
        file = Path(__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(full, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]
