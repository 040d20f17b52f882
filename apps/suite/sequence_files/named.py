"""Finds sequences and texts by what names them: a path, or a set of ours or of the TFDS catalogue.

A set holds `values` (steps, channels), or a sequence of numbers by name, or a text; and a label or
a target, one for the sequence or one for each step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.sequences import ragged

VALUES, TEXT = "values", "text"
_TEXTS = (TEXT, "sentence", "review_body", "description")
_GROUPS = ("subject", "speaker", "group", "participant", "user")
_NAMES = ("sequence", "id", "idx")
_PARTS = {"train": "train", "validation": "validation", "valid": "validation", "test": "test"}


class NamedSet(NamedTuple):
    """Sequences of a set; the column `wanted` is in their `words` or `numbers`."""

    name: str
    sequences: ragged.Sequences
    licence: str
    source: str
    names: tuple[str, ...] = ()  # of the labels in the set's order, or of the targets
    steps_per_second: float = 0.0  # 0 where the set does not say it


def found(name: str, wanted: str, own: Callable[[Path], ragged.Sequences]) -> NamedSet:
    """Returns the sequences of a path, which `own` reads, or those of a set: see `read`.

    Raises:
        UserError: no such file, folder or set, and as `own` and `read`.
    """
    path = named_sets.own_path(name)
    if path is None:
        return read(name, wanted)
    return NamedSet(path.resolve().name, own(path), "your own data", str(path.resolve()))


def read(name: str, wanted: str) -> NamedSet:
    """Prepares and reads a set.

    Args:
        name: of the set, as in `named_sets.prepare`.
        wanted: name of the feature that is read, a class or a number; for "label" in a set without
            it, its only class.

    Raises:
        UserError: no such set; no sequence or text in it, or no label or target.
    """
    builder = named_sets.prepare(name)
    features = builder.info.features
    feature, classes = _label(name, features, wanted)
    content = _content(name, features, feature)
    parts = [split for split in builder.info.splits if split in _PARTS]
    if "train" not in parts:
        there = ", ".join(builder.info.splits)
        raise errors.UserError(f"{name}: has no part train; it has {there}")
    group = next((each for each in _GROUPS if each in features), "")
    own_name = next((each for each in _NAMES if each in features), "")
    names, groups, of_part, arrays, texts, labels = [], [], [], [], [], []
    for split in parts:
        stream = builder.as_dataset(split=split, shuffle_files=False)
        for place, example in enumerate(stream.as_numpy_iterator()):
            label = np.asarray(example[feature])
            if classes and label.min(initial=0) < 0:
                continue  # TFDS marks examples without a label so, in hidden test parts
            names.append(f"{split}/{_plain(example[own_name]) if own_name else place}")
            groups.append(_plain(example[group]) if group else "")
            of_part.append(_PARTS[split])
            labels.append(label)
            if content in (TEXT, *_TEXTS):
                texts.append(_plain(example[content]))
            else:
                arrays.append(_array(example[content]))
    if not names:
        raise errors.UserError(f"{name}: no labelled example in it")
    if len(set(names)) < len(names):
        names = [f"{each} #{place}" for place, each in enumerate(names)]
    lengths = np.array([len(array) for array in arrays] or np.ones(len(texts)), np.int64)
    return NamedSet(
        name,
        ragged.Sequences(
            names=tuple(names),
            channel_names=() if texts else _channels(builder, features, content, arrays[0]),
            values=np.concatenate(arrays) if arrays else np.zeros((len(texts), 0), np.float32),
            starts=ragged.starts_of(lengths),
            groups=tuple(groups) if group else None,
            parts=tuple(of_part),
            **_columns(wanted, classes, labels, lengths, texts),
        ),
        licence=builder.info.redistribution_info.license or "not stated by the set",
        source=builder.info.homepage or name,
        names=classes or _targets(builder, wanted, labels[0]),
        steps_per_second=float((builder.info.metadata or {}).get("steps_per_second", 0.0)),
    )


def _label(name: str, features: Any, wanted: str) -> tuple[str, tuple[str, ...]]:
    """Returns the feature's name, and the names of its classes; () of a target."""
    import tensorflow_datasets as tfds

    def classes(feature: Any) -> tuple[str, ...]:
        inner = getattr(feature, "feature", feature)
        return tuple(inner.names) if isinstance(inner, tfds.features.ClassLabel) else ()

    found = [wanted] if wanted in features else []
    if not found and wanted == "label":
        found = [each for each in features if classes(features[each])]
    if len(found) != 1:
        raise errors.UserError(
            f"{name}: name its {wanted} with --target.column; it has {', '.join(features)}"
        )
    names = classes(features[found[0]])
    if wanted == "label" and not names:
        raise errors.UserError(f"{name}: its feature {found[0]} is not a label with names")
    return found[0], names


def _targets(builder: Any, wanted: str, target: np.ndarray) -> tuple[str, ...]:
    count = int(np.prod(target.shape[1:]))
    if count == 1:
        return (wanted,)
    known = (builder.info.metadata or {}).get("targets")
    return tuple(known or [f"{wanted} {number + 1}" for number in range(count)])


def _content(name: str, features: Any, label: str) -> str:
    import tensorflow_datasets as tfds

    for each in (VALUES, *_TEXTS):
        if each in features and each != label:
            return each
    for each, feature in features.items():
        if each != label and isinstance(feature, tfds.features.Sequence):
            inner = feature.feature
            is_table = isinstance(inner, tfds.features.FeaturesDict)
            if is_table and any(map(_is_number, inner.values())):
                return str(each)
    texts = [each for each in features if isinstance(features[each], tfds.features.Text)]
    if len(texts) == 1:
        return str(texts[0])
    raise errors.UserError(
        f"{name}: no sequence of numbers and no text in it; it has {', '.join(features)}"
    )


def _is_number(feature: Any) -> bool:
    return feature.shape == () and feature.np_dtype.kind == "f"


def _array(example: Any) -> np.ndarray:
    """Returns float32 [steps, channels]."""
    if isinstance(example, dict):
        floats = [column for column in example.values() if column.dtype.kind == "f"]
        return np.stack(floats, axis=1).astype(np.float32)
    array = np.asarray(example, np.float32)
    return array[:, None] if array.ndim == 1 else array.reshape(len(array), -1)


def _channels(builder: Any, features: Any, content: str, array: np.ndarray) -> tuple[str, ...]:
    named = (builder.info.metadata or {}).get("channels")
    inner = getattr(features[content], "feature", None)
    if named is None and inner is not None and hasattr(inner, "items"):
        named = [each for each, feature in inner.items() if _is_number(feature)]
    return tuple(named or [f"channel {number + 1}" for number in range(array.shape[1])])


def _columns(
    wanted: str,
    classes: tuple[str, ...],
    labels: list[np.ndarray],
    lengths: np.ndarray,
    texts: list[str],
) -> dict[str, Any]:
    """Returns the columns of labels or targets and of texts, with a row for each step."""
    rows = np.concatenate(
        [
            label if label.ndim else np.full(length, label)
            for label, length in zip(labels, lengths, strict=True)
        ]
    )
    words = {TEXT: ragged.words_of(texts, lengths)} if texts else {}
    if classes:
        words[wanted] = ragged.Words(rows.astype(np.int32), classes)
    return {"words": words, "numbers": {} if classes else {wanted: rows.astype(np.float64)}}


def _plain(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
