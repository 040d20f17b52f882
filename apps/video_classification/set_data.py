"""Samples the videos of TFDS sets once, in stored order."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from apps.suite import errors
from apps.suite.commands import progress
from apps.suite.data import labelled_files, named_sets
from apps.suite.runs import cache
from apps.suite.videos import clip_store, fitting, sampling
from apps.suite.videos.config import ClipConfig
from apps.video_classification import clips

_VERSION = 2  # raise it whenever the same set gives other numbers than before
_GROUPS = ("group", "scene", "actor")  # features that say what belongs together; the first there is


def find(
    name: str, config: ClipConfig, clips_per_video: int
) -> tuple[clips.Source, clip_store.Store]:
    """Returns the videos of a TFDS set with a `video` and a `label` feature, and their clips.

    A `group`, `scene` or `actor` feature says what must not be on two sides. The splits train,
    validation and test are the parts; other splits are left alone. Frames are read one video at a
    time; the first call writes the sampled ones into the cache folder, where later ones find them.

    Raises:
        UserError: no such set, not one of labelled videos, or one without the split train.
    """
    builder = named_sets.prepare_with(name, "video", "label")
    features, info = builder.info.features, builder.info
    if "train" not in info.splits:
        raise errors.UserError(f"{name}: has no split train, only {', '.join(info.splits)}")
    folder = cache.folder("video_clips") / _key(builder, config, clips_per_video)
    with cache.locked(folder):
        store = clip_store.read(folder, config)
        if store is None:
            sampled = _sampled(builder, name, config, clips_per_video)
            total = sum(info.splits[part].num_examples for part in _parts(builder))
            clip_store.write(folder, progress.watched(sampled, f"{name}: reading videos", total))
            store = clip_store.read(folder, config)
            assert store is not None
    counts: dict[str, int] = {}
    videos = []
    facts = (store.facts[field].tolist() for field in ("part", "label", "group"))
    for part, label, group in zip(*facts, strict=True):
        name_of_video = f"{part}/{counts.get(part, 0):05d}"
        videos.append(labelled_files.Example(name_of_video, label, group, part))
        counts[part] = counts.get(part, 0) + 1
    whole = {"train", "test"} <= set(counts)
    names = features["label"].names if hasattr(features["label"], "names") else None
    source = clips.Source(
        name=name,
        licence=info.redistribution_info.license or "see source",
        source=info.homepage or info.full_name,
        videos=tuple(videos),
        label_names=tuple(names or sorted({video.label for video in videos})),
        divided_by=f"the splits of {info.full_name}" if whole else "",
        digests=(hashlib.sha256("\n".join(_facts(builder)).encode()).hexdigest(),),
    )
    return source, store


def _parts(builder: Any) -> list[str]:
    return [part for part in labelled_files.PARTS if part in builder.info.splits]


def _facts(builder: Any) -> list[str]:
    """Returns the facts that identify a set: its version, and the sizes of its splits."""
    found = [builder.info.full_name]
    for name, split in sorted(builder.info.splits.items()):
        found.append(f"{name} {split.num_examples} {split.num_bytes} {split.shard_lengths}")
    return found


def _key(builder: Any, config: ClipConfig, clips_per_video: int) -> str:
    """Returns the SHA-256 of all values that decide the sampled frames, with the files' dates."""
    files = sorted(file for file in Path(builder.data_path).iterdir() if file.is_file())
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    decisive = {
        "version": _VERSION,
        "set": _facts(builder),
        "files": stats,
        "clips": sampling.decisive(config, clips_per_video),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]


def _sampled(
    builder: Any, name: str, config: ClipConfig, clips_per_video: int
) -> Iterator[clip_store.Sampled]:
    import tensorflow_datasets as tfds

    features = builder.info.features
    group = next((feature for feature in _GROUPS if feature in features), None)
    wanted = {feature: True for feature in ("video", "label", group) if feature}
    for part in _parts(builder):
        examples = builder.as_dataset(
            split=part, shuffle_files=False, decoders=tfds.decode.PartialDecoding(wanted)
        )
        for number, example in enumerate(examples.as_numpy_iterator()):
            frames = example["video"]
            if frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
                raise errors.UserError(
                    f"{name}: {part}/{number:05d} is of the shape {frames.shape}; "
                    "(frames, height, width, 3) with at least one frame is needed"
                )
            if frames.dtype != np.uint8:
                raise errors.UserError(
                    f"{name}: {part}/{number:05d} holds {frames.dtype}, uint8 is needed"
                )
            rate = sampling.ASSUMED_FRAMES_PER_SECOND  # sets hold frames without their times
            chosen = sampling.sample(len(frames), rate, config, clips_per_video)
            small = {i: fitting.fit(frames[i], config) for i in np.unique(chosen.indices).tolist()}
            facts = {
                "part": part,
                "label": _text(features["label"], example["label"]),
                "group": _text(features[group], example[group]) if group else "",
            }
            yield clip_store.Sampled(
                fitting.stacked(small, chosen, config),
                chosen.length,
                facts,
            )


def _text(feature: Any, value: Any) -> str:
    if hasattr(feature, "int2str") and feature.num_classes:
        return str(feature.int2str(int(value)))
    return value.decode() if isinstance(value, bytes) else str(value)
