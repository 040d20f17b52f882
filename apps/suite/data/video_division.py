"""Divides videos into train, validation and test; a group is never on two sides."""

import warnings
from collections.abc import Sequence

import numpy as np

from apps.suite import errors
from apps.video_classification.clips import PARTS, Video
from apps.video_classification.config import Config


def divide(videos: Sequence[Video], divided_by: str, config: Config) -> tuple[list[str], str]:
    """The part of each video, and a sentence that says how it came to be.

    What the data say stands, except with `own.folds`: then fold number `own.fold` of all videos is
    the test part. A part that the data lack is taken from train (test first), of all videos the
    share that `clips` says, so that labels are spread alike and groups stay whole; videos without
    a group are groups by themselves.

    Raises:
        UserError: a group that the data put into two parts, groups of some videos and not of
            others, or too few of them.
    """
    grouped = [bool(video.group) for video in videos]
    if any(grouped) and not all(grouped):
        without = videos[grouped.index(False)].name
        raise errors.UserError(
            f"{without}: has no group, others have one; give every video one, or none"
        )
    parts = [video.part or "train" for video in videos]
    if config.own.folds:
        fold, folds = config.own.fold, config.own.folds
        found = _folds(videos, list(range(len(videos))), folds, config.seed)
        parts = ["test" if number in found[fold] else "train" for number in range(len(videos))]
        how = f"fold {fold + 1} of {folds}, "
        if config.own.validation_fold:
            following = found[(fold + 1) % len(found)]
            parts = [
                "validation" if number in following else each for number, each in enumerate(parts)
            ]
        else:
            share = config.clips.validation_fraction
            parts = _taken(videos, parts, "validation", share, config.seed)
    else:
        for part, share in (
            ("test", config.clips.test_fraction),
            ("validation", config.clips.validation_fraction),
        ):
            if part not in parts:
                parts = _taken(videos, parts, part, share, config.seed)
        how = f"{divided_by}; what they lack " if divided_by else ""
        if divided_by and {video.part for video in videos} >= set(PARTS):
            return _checked(videos, parts), f"{divided_by}: {_counts(videos, parts)}"
    if any(grouped):
        sentence = f"{how}by group: {_counts(videos, parts)}"
    else:
        sentence = (
            f"{how}by file, as there are no groups: {_counts(videos, parts)}; "
            "clips of one scene may be on two sides"
        )
    return _checked(videos, parts), sentence


def _taken(
    videos: Sequence[Video], parts: list[str], part: str, share: float, seed: int
) -> list[str]:
    """The parts, with the share of all videos moved from train to `part`."""
    places = [number for number, each in enumerate(parts) if each == "train"]
    if not share or not places:
        return parts
    folds = max(2, round(len(places) / (share * len(videos))))
    chosen = _folds(videos, places, folds, seed)[0]
    return [part if number in chosen else each for number, each in enumerate(parts)]


def _folds(
    videos: Sequence[Video], places: list[int], folds: int, seed: int
) -> list[frozenset[int]]:
    """The places in so many parts of about the same labels, no group in two of them."""
    from sklearn.model_selection import StratifiedGroupKFold

    labels = [videos[place].label for place in places]
    groups = [videos[place].group or str(place) for place in places]
    different = len(set(groups))
    if different < 2:
        raise errors.UserError(
            f"all videos are of one group, {groups[0]!r}: give more groups, or a column part"
        )
    most = max(labels.count(label) for label in set(labels))
    folds = min(folds, different, most)
    if folds < 2:
        raise errors.UserError(
            f"{len(places)} videos of {len(set(labels))} labels are too few to divide; add some"
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of labels that are rarer than folds
        found = list(splitter.split(np.zeros(len(places)), labels, groups))
    return [frozenset(places[place] for place in test) for _, test in found]


def _checked(videos: Sequence[Video], parts: list[str]) -> list[str]:
    """The parts. UserError if a group is in two of them."""
    part_of: dict[str, tuple[str, str]] = {}
    for video, part in zip(videos, parts, strict=True):
        if not video.group:
            continue
        first, name = part_of.setdefault(video.group, (part, video.name))
        if first != part:
            raise errors.UserError(
                f"group {video.group!r} is on two sides: {name} in {first}, {video.name} in "
                f"{part}; a group belongs in one part"
            )
    return parts


def _counts(videos: Sequence[Video], parts: list[str]) -> str:
    """`12 groups (40 videos) train, …` or `40 videos train, …`"""
    found = []
    for part in PARTS:
        mine = [video for video, each in zip(videos, parts, strict=True) if each == part]
        groups = {video.group for video in mine} - {""}
        count = f"{len(mine):,} videos"
        found.append(f"{len(groups):,} groups ({count}) {part}" if groups else f"{count} {part}")
    return ", ".join(found)
