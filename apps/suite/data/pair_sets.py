"""Loads pairs of texts from files and named sets, and divides them by different sources."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.data import division, named_sets
from apps.suite.texts import pair_files
from apps.suite.texts.pair_files import Notes, Pair

_UNLIKE, _SHORT = 9, 20  # ratio of lengths that is suspicious, from a length on, in characters
_FEW = 1_000  # pairs below which a stored translation is hard to beat
_LEAST = 10  # sources that can be divided
_COPIES = 0.5  # share of equal pairs with which both sides are of one language


class Rules(NamedTuple):
    """Options of `load`.

    Attributes:
        languages: names that the data have for sources and targets, "" for their first and second.
        shares: of the sources in the parts `test` and `validation`, where the data have none.
        most: sources of a part that is drawn.
        seed: of the draw.
        reverse: targets become sources.
        allow_copies: pairs with one text on both sides may be most of all.
        drop_unlike: leaves out pairs of very unlike lengths.
    """

    languages: tuple[str, str]
    shares: Mapping[str, float]
    most: int
    seed: int
    reverse: bool = False
    allow_copies: bool = False
    drop_unlike: bool = False


class Question(NamedTuple):
    """A source and all its targets in a part."""

    source: str
    targets: list[str]


def by_source(pairs: Sequence[Pair]) -> list[Question]:
    """Returns each source once, with all its targets, in the order of the pairs."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        found.setdefault(pair.source, []).append(pair.target)
    return [Question(*each) for each in found.items()]


@dataclass(frozen=True)
class Corpus:
    """Pairs of texts in three parts.

    Attributes:
        split: tells how the parts were made.
        notes: tells what was left out, and what to know of the pairs.
        languages: of sources and targets, "" where the data name none.
        fields: of a pair, that are learned from.
    """

    name: str
    licence: str
    source: str
    split: str
    notes: tuple[str, ...]
    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]
    languages: tuple[str, str] = ("", "")
    fields: tuple[str, ...] = ("source", "target")

    @property
    def parts(self) -> dict[str, list[Pair]]:
        """Returns the parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def fingerprint(self) -> str:
        """Returns a SHA-256 of all pairs, by the fields that are learned from."""
        whole = [
            (part, *(getattr(each, field) for field in self.fields))
            for part, found in self.parts.items()
            for each in found
        ]
        return hashlib.sha256(repr(whole).encode("utf-8", "surrogatepass")).hexdigest()


def load(name: str, rules: Rules) -> Corpus:
    """Reads the pairs of a name, normalises and divides them; no source is in two parts.

    Args:
        name: file, two files `a.en+a.fr`, folder, or TFDS set with two texts.
        rules: see there.

    Raises:
        UserError: nothing of that name, what cannot be read, the same language on both sides, too
            few pairs.
    """
    halves, notes, languages = pair_files.halves(name), Notes(), rules.languages
    path = Path(name).expanduser() if halves else named_sets.own_path(name)
    if path:
        for half in halves or ():
            if not half.is_file():
                raise errors.UserError(f"{half}: no such file")
        languages = pair_files.languages_of(name, languages)
        parts = pair_files.read(name, languages, notes)
        title, licence, source = path.name, "your own", str(path.resolve())
    else:
        licence, source, languages, parts = read_set(name, languages, pair_files.LANGUAGES)
        title = name
    if rules.reverse:
        languages = (languages[1], languages[0])
        parts = {
            part: [each._replace(source=each.target, target=each.source) for each in found]
            for part, found in parts.items()
        }
    parts = _normalised(parts, notes, drop_unlike=rules.drop_unlike)
    divided, split = _divided(parts, rules, notes, source)
    corpus = Corpus(
        title,
        licence,
        source,
        split,
        tuple(_told(notes, divided)),
        divided["train"],
        divided["validation"],
        divided["test"],
        languages,
    )
    equal = sum(pair.source == pair.target for pair in corpus.train)
    if equal > _COPIES * len(corpus.train) and not rules.allow_copies:
        raise errors.UserError(
            f"{source}: {equal:,} of {len(corpus.train):,} training pairs have the same text on "
            "both sides, as if of one language; --data_format.allow_copies True learns from them"
        )
    return corpus


def read_set(
    name: str, wanted: tuple[str, str], options: str, title: str = ""
) -> tuple[str, str, tuple[str, str], dict[str, list[Pair]]]:
    """Reads licence, source, names of the texts, and parts of a TFDS set with two texts.

    Args:
        name: of the set.
        wanted: names of sources and targets; "" for those that the set is for.
        options: by which a user gives these names.
        title: name of a title, which need not be there; neither need a `group`.

    Raises:
        UserError: no such set, no such texts in it, or no part train.
    """
    builder = named_sets.prepare(name)
    info = builder.info
    texts = [
        each
        for each, kind in info.features.items()
        if kind.shape == () and kind.np_dtype == np.object_
    ]
    keys = info.supervised_keys
    first, second = keys[:2] if keys and set(keys[:2]) <= set(texts) else (*texts, "", "")[:2]
    chosen = (wanted[0] or first, wanted[1] or second)
    if not set(chosen) <= set(texts) or chosen[0] == chosen[1]:
        raise errors.UserError(
            f"{name}: has no texts {chosen[0]!r} and {chosen[1]!r}; there are "
            f"{', '.join(texts) or 'none'}: choose by {options}"
        )
    read = [each for each in (*chosen, title, "group") if each in texts]
    parts: dict[str, list[Pair]] = {}
    for split in info.splits:
        part = pair_files.PARTS.get(split)
        if part:
            examples = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
            parts.setdefault(part, []).extend(
                pair_files.of_row(
                    {each: example[each].decode() for each in read} | {"part": part},
                    f"{name} {split}:{at}",
                    chosen,
                    options,
                    title,
                )
                for at, example in enumerate(examples)
            )
    if "train" not in parts:
        raise errors.UserError(f"{name}: has no split train")
    return info.redistribution_info.license or "see source", info.homepage, chosen, parts


def _normalised(
    parts: dict[str, list[Pair]], notes: Notes, *, drop_unlike: bool
) -> dict[str, list[Pair]]:
    """Returns the pairs in the form that the graph reads, each once in its part."""
    import tensorflow as tf

    from apps.suite.texts import normal_form

    form = normal_form.NormalForm()
    found: dict[str, list[Pair]] = {}
    for part, pairs in parts.items():
        sides = [
            [text.decode() for text in form(tf.constant([each[side] for each in pairs])).numpy()]
            for side in (0, 1)
        ]
        seen: set[tuple[str, str]] = set()
        found[part] = []
        for pair, source, target in zip(pairs, *sides, strict=True):
            lengths = sorted((len(source), len(target)))
            if not lengths[0]:
                notes["with one empty side"] += 1
            elif (source, target) in seen:
                notes["that come twice"] += 1
            elif drop_unlike and lengths[1] > max(_SHORT, _UNLIKE * lengths[0]):
                notes["of very unlike lengths"] += 1
            else:
                seen.add((source, target))
                found[part].append(pair._replace(source=source, target=target))
    return found


def _divided(
    parts: dict[str, list[Pair]], rules: Rules, notes: Notes, source: str
) -> tuple[dict[str, list[Pair]], str]:
    """Takes missing parts from train, whole sources; keeps each source in one part."""
    found = {part: list(parts.get(part, [])) for part in ("train", "validation", "test")}
    found["train"] = parts.get("", []) + found["train"]
    missing = [part for part in ("test", "validation") if not found[part]]
    # What is held out must not be learned from: a later part gives way to an earlier one
    held: set[str] = set()
    for part in ("test", "validation", "train"):
        kept = [each for each in found[part] if each.source not in held]
        taken_out = len(found[part]) - len(kept)
        if taken_out:
            notes[f"of {part}, whose source is held out"] += taken_out
        found[part] = kept
        held |= {each.source for each in kept}
    sources = list(dict.fromkeys(each.source for each in found["train"]))
    if len(sources) < _LEAST:
        raise errors.UserError(
            f"{source}: {len(sources)} different sources are too few to learn from; give more pairs"
        )
    counts = {
        part: max(1, min(round(rules.shares[part] * len(sources)), rules.most)) for part in missing
    }
    train, found["train"] = found["train"], []
    keys, parts_of = [each.source for each in train], ["train"] * len(train)
    for pair, part in zip(train, division.by_key(keys, parts_of, counts, rules.seed), strict=True):
        found[part].append(pair)
    split = "the parts that the data name"
    if missing:
        split = f"{' and '.join(sorted(missing))} drawn from train by different sources"
    return found, split


def _told(notes: Notes, parts: dict[str, list[Pair]]) -> list[str]:
    """Writes the notes, and what else is to be known of the pairs."""
    told = [f"{count:,} pairs left out {why}" for why, count in notes.most_common()]
    train = parts["train"]
    unlike = sum(
        max(map(len, pair[:2])) > max(_SHORT, _UNLIKE * min(map(len, pair[:2]))) for pair in train
    )
    if unlike:
        told.append(
            f"{unlike:,} training pairs have very unlike lengths; --data_format.drop_unlike True "
            "leaves them out"
        )
    if len(train) < _FEW:
        told.append(
            f"{len(train):,} training pairs are few: a stored translation may be better than any "
            "network"
        )
    targets = {pair.target for pair in train}
    both = sum(pair.target in targets for pair in parts["test"])
    if both:
        told.append(
            f"{both:,} of {len(parts['test']):,} test targets stand in train with another source; "
            "the others are reported apart"
        )
    return told
