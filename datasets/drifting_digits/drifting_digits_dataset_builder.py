"""Handwritten digits of scikit-learn that drift over clutter, with a box for each in each frame."""

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
class DriftingDigitsConfig(tfds.core.BuilderConfig):
    """Clips by split."""

    clips: dict[str, int]


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a clip; nothing is downloaded. The same clips every time."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "One to four digits, failed frames."}
    BUILDER_CONFIGS: ClassVar[list[DriftingDigitsConfig]] = [
        DriftingDigitsConfig(
            name="full",
            description="3,900 clips.",
            clips={"train": 3_000, "validation": 400, "test": 500},
        ),
        DriftingDigitsConfig(
            name="small",
            description="56 clips: for tests.",
            clips={"train": 32, "validation": 8, "test": 16},
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        clip = _module("render_clip")
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "video": tfds.features.Tensor(
                        shape=(clip.FRAMES, clip.SIZE, clip.SIZE, 1),
                        dtype=np.uint8,
                        encoding=tfds.features.Encoding.BYTES,
                    ),
                    "failed": tfds.features.Tensor(shape=(clip.FRAMES,), dtype=np.int64),
                    "objects": tfds.features.Sequence(
                        {
                            "frame": np.int32,
                            "track": np.int32,
                            "label": tfds.features.ClassLabel(num_classes=10),
                            "box": tfds.features.Tensor(shape=(4,), dtype=np.float32),
                            "hidden": np.bool_,
                        }
                    ),
                }
            ),
            homepage="https://archive.ics.uci.edu/dataset/80",
            license="CC BY 4.0 (Alpaydin and Kaynak 1998, Optical Recognition of Handwritten "
            "Digits, UCI; as scikit-learn ships it)",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the digits come with an installed package
        return {part: self._generate_examples(part) for part in _PARTS}

    def _generate_examples(self, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (number, example)."""
        from sklearn import datasets

        clip = _module("render_clip")
        digits = datasets.load_digits()
        images = _images_of(part, len(digits.target))
        for number in range(self.builder_config.clips[part]):
            name = f"drifting_digits/{self.builder_config.name}/{part}/{number}"
            random = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
            count, pieces = random.integers(1, clip.MOST_DIGITS + 1), random.integers(1, 4)
            chosen = random.choice(images, count + pieces, replace=False)
            rendered = clip.render(
                digits.images[chosen[:count]], digits.images[chosen[count:]], random
            )
            objects = [
                {
                    "frame": frame,
                    "track": track,
                    "label": int(digits.target[image]),
                    "box": rendered.boxes[track, frame],
                    "hidden": bool(rendered.hidden[track, frame]),
                }
                for frame in range(clip.FRAMES)
                for track, image in enumerate(chosen[:count])
            ]
            yield (
                number,
                {"video": rendered.frames, "failed": rendered.failed, "objects": objects},
            )


def _images_of(part: str, count: int) -> np.ndarray:
    """Numbers of the images that the digits of a part are drawn from."""
    order = np.random.default_rng(20_261_124).permutation(count)
    ends = np.cumsum(list(_PARTS.values()))
    place = list(_PARTS).index(part)
    return np.sort(order[ends[place] - _PARTS[part] : ends[place]])


def _module(name: str) -> ModuleType:
    """A file of this folder, which is no package."""
    full = f"drifting_digits_{name}"
    if full not in sys.modules:
        file = Path(__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(full, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]
