"""Loads clips in three parts, preprocesses them in TensorFlow, and batches them."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow as tf

from apps.suite import errors
from apps.suite.data import division, labelled_files, named_sets
from apps.suite.videos import clip_store, preprocessing
from apps.video_classification import batches as example_batches
from apps.video_classification import clips as parts_of_data
from apps.video_classification import config as configs
from apps.video_classification import set_data

DEFAULT = "moving_digits"


def load(config: configs.Config) -> parts_of_data.Corpus:
    """Finds the videos of `config.data`, samples their frames, and divides them.

    `config.data` is a folder or a csv of the user's own (see `clips.find_files`), or the name
    of a TFDS set with videos and labels (see `set_data.find`); files come first. The
    division is the data's own, else by group, else by file (see `division.by_group`).

    Videos that are learned have `clips.clips_per_video` clips, others
    `evaluation.clips_per_video`. The frames are on disk, in the cache folder, and mapped into
    memory.

    Raises:
        UserError: nothing of that name, or data that cannot be learned: the message names the
            file, line or label.
    """
    many = {
        "train": config.clips.clips_per_video,
        "validation": config.evaluation.clips_per_video,
        "test": config.evaluation.clips_per_video,
    }
    if config.training.learn_from_validation:
        many["validation"] = many["train"]
    found = {count: _find(config, count) for count in sorted(set(many.values()))}
    source = found[many["train"]][0]
    stores = {part: found[count][1] for part, count in many.items()}
    whole = np.unique(stores["train"].video)  # what could be decoded
    videos = [source.videos[number] for number in whole]
    parts, split = division.by_group(
        videos,
        source.divided_by,
        config.own,
        {"test": config.clips.test_fraction, "validation": config.clips.validation_fraction},
        config.seed,
        unit="videos",
    )
    _check(videos, parts, source.source)
    held = {
        part: _clips(source, stores[part], whole[[each == part for each in parts]])
        for part in labelled_files.PARTS
    }
    seconds = stores["train"].facts.get("seconds", np.zeros(0))
    reasons = stores["train"].facts.get("reason", np.array([""] * len(source.videos)))
    return parts_of_data.Corpus(
        name=source.name,
        licence=source.licence,
        source=source.source,
        fingerprint=_fingerprint(source, held),
        split=split,
        label_names=source.label_names,
        **held,
        counts={part: len(clips.names) for part, clips in held.items()},
        skipped=tuple(
            f"{video.name}: {reason}"
            for video, reason in zip(source.videos, reasons.tolist(), strict=True)
            if reason
        ),
        seconds=tuple(seconds[seconds > 0].tolist()),
        unread=source.unread,
        notes=source.notes,
    )


def preprocess(
    frames: tf.Tensor, counts: tf.Tensor, config: configs.Config
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns one clip of each video by `preprocessing.preprocess`."""
    return preprocessing.preprocess(frames, counts, config.clips)


def batches(
    clips: parts_of_data.Clips, classes: int, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Returns an endless stream of (inputs of the model, labels): see `batches.endless`."""
    return example_batches.endless(clips, classes, config, first_step)


def _find(
    config: configs.Config, clips_per_video: int
) -> tuple[parts_of_data.Source, clip_store.Store]:
    name = config.data or DEFAULT
    path = named_sets.own_path(name)
    if path:
        source = parts_of_data.find_files(path, config.own)
        return source, clip_store.decoded(
            source, config.clips, clips_per_video, skip_unreadable=config.own.skip_unreadable
        )
    return set_data.find(name, config.clips, clips_per_video)


def _clips(
    source: parts_of_data.Source, store: clip_store.Store, videos: np.ndarray
) -> parts_of_data.Clips:
    """Returns the clips of these videos, ascending numbers in the source."""
    rows = np.flatnonzero(np.isin(store.video, videos))
    video = np.searchsorted(videos, store.video[rows]).astype(np.int32)
    chosen = [source.videos[number] for number in videos]
    number_of = {name: number for number, name in enumerate(source.label_names)}
    labels = np.array([number_of[each.label] for each in chosen], np.int32)
    groups = tuple(each.group for each in chosen)
    return parts_of_data.Clips(
        store=store.frames,
        rows=rows,
        lengths=store.lengths[rows],
        labels=labels[video],
        video=video,
        names=tuple(each.name for each in chosen),
        groups=groups if any(groups) else None,
    )


def _check(videos: list[labelled_files.Example], parts: list[str], source: str) -> None:
    """Raises UserError if the data cannot be learned or measured."""
    labels = {
        name: {video.label for video, part in zip(videos, parts, strict=True) if part == name}
        for name in labelled_files.PARTS
    }
    if len(labels["train"]) < 2:
        only = ", ".join(map(repr, labels["train"])) or "none"
        raise errors.UserError(
            f"{source}: two labels or more are needed, the train part has {only}; "
            "add videos of another"
        )
    for name in ("validation", "test"):
        if not labels[name]:
            raise errors.UserError(f"{source}: no video in the part {name}")
        unseen = sorted(labels[name] - labels["train"])
        if unseen:
            pairs = zip(videos, parts, strict=True)
            which = next(v.name for v, part in pairs if (v.label, part) == (unseen[0], name))
            raise errors.UserError(
                f"{source}: label {unseen[0]!r} is in {name} ({which}) and not in train; add "
                "videos of it that are of other groups, or remove it"
            )


def _fingerprint(source: parts_of_data.Source, held: dict[str, parts_of_data.Clips]) -> str:
    """Returns the SHA-256 of the names in each part and of all content."""
    digest = hashlib.sha256("\n".join(source.digests).encode())
    for part, clips in held.items():
        labels = clips.video_labels.tolist()
        groups = clips.groups or [""] * len(labels)
        for name, label, group in zip(clips.names, labels, groups, strict=True):
            digest.update(f"{part}\n{name}\n{source.label_names[label]}\n{group}\0".encode())
    return digest.hexdigest()
