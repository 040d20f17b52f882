"""Loads tagged sentences in three parts: of files and folders, or of a set by its name."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from apps.suite import errors
from apps.suite.data import account, division, named_sets
from apps.suite.sequence_files import sentences
from apps.suite.sequence_files.sentences import Sentence
from apps.suite.sequences.config import SentenceFormatConfig
from apps.suite.texts import tag_schemes

_TAG_FEATURES = ("ner", "ner_tags", "tags", "upos", "pos")


@dataclass(frozen=True)
class Corpus:
    """Tagged sentences in three parts.

    Attributes:
        split: tells how the parts were made.
        scheme: of the tags, a name of `tag_schemes.NAMES`.
    """

    name: str
    licence: str
    source: str
    split: str
    scheme: str
    train: list[Sentence]
    validation: list[Sentence]
    test: list[Sentence]

    @property
    def parts(self) -> dict[str, list[Sentence]]:
        """Returns the parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def fingerprint(self) -> str:
        """Returns a SHA-256 of all words, tags and labels."""
        whole = [(part, *each[:3]) for part, found in self.parts.items() for each in found]
        return hashlib.sha256(repr(whole).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def tag_names(self) -> list[str]:
        """Returns the names of the model's tags; see `tag_schemes.inside_names`."""
        return tag_schemes.inside_names((each.tags for each in self.train), self.scheme)

    @property
    def unlearned(self) -> list[str]:
        """Returns tags and labels of the other parts that the train part lacks."""
        known = {*self.tag_names, *self.label_names, ""}
        others = {
            name
            for each in (*self.validation, *self.test)
            for name in (*tag_schemes.to_inside(each.tags, self.scheme), each.label)
        }
        return sorted(others - known)

    @property
    def understood(self) -> str:
        """Returns what was understood of the data, in a few lines."""
        every = [each for part in self.parts.values() for each in part]
        kinds = collections.Counter(
            span.kind
            for each in every
            for span in tag_schemes.read(each.tags, self.scheme, strict=False)
        )
        labels = [each.label for each in every if each.label]
        counts = ", ".join(f"{len(part):,} {name}" for name, part in self.parts.items())
        words = sum(len(each.words) for each in every)
        rows = [
            ("data", f"{self.name}: {len(every):,} sentences of {words:,} words"),
            ("scheme", self.scheme),
            ("tags", account.labels(sorted(kinds), kinds.elements())),
            ("labels", account.labels(sorted(set(labels)), labels) if labels else ""),
            ("parts", f"{counts}: {self.split}"),
        ]
        return account.lines(rows)

    @property
    def label_names(self) -> list[str]:
        """Returns the names of the sentences' labels; [] without any."""
        return sorted({each.label for each in self.train} - {""})


def load(name: str, settings: SentenceFormatConfig, seed: int) -> Corpus:
    """Reads the sentences of a file, a folder or a TFDS set, and divides them.

    Args:
        name: a path, or the name of a set with tokens and tags.
        settings: of the format.
        seed: another one draws other parts, where the data name none.

    Raises:
        UserError: nothing of that name, what cannot be read, too few sentences; see `checked`.
    """
    path = named_sets.own_path(name)
    if path:
        source = str(path.resolve())
        facts = path.resolve().name, "your own", source
        parts = sentences.read_parts(path, settings)
    else:
        licence, source, parts = _read_set(name, settings)
        facts = name, licence, source
    return checked(_divided(facts, parts, settings, seed), settings)


def _divided(
    facts: tuple[str, str, str],
    parts: Mapping[str, list[Sentence]],
    settings: SentenceFormatConfig,
    seed: int,
) -> Corpus:
    """Takes the parts that are missing from the train part, sentence by sentence."""
    found = {part: parts.get(part, []) for part in ("train", "validation", "test")}
    shares = {"validation": settings.validation_fraction, "test": settings.test_fraction}
    missing = [part for part in shares if not found[part]]
    whole = len(found["train"])
    for part in missing:
        train = found["train"]
        order = division.in_drawn_order(map(str, range(len(train))), seed, part)
        taken = set(map(int, order[: max(1, round(shares[part] * whole))]))
        found[part] = [each for at, each in enumerate(train) if at in taken]
        found["train"] = [each for at, each in enumerate(train) if at not in taken]
    if not found["train"]:
        raise errors.UserError(f"{facts[2]}: {whole} sentences are too few to divide; give more")
    split = "the parts that the data name"
    if missing:
        split = f"{' and '.join(missing)} drawn from train, sentence by sentence"
    scheme: str = settings.scheme
    if scheme == "auto":
        scheme = tag_schemes.find([each.tags for each in found["train"]])
    name, licence, source = facts
    return Corpus(name, licence, source, split, scheme, **found)


def checked(corpus: Corpus, settings: SentenceFormatConfig) -> Corpus:
    """Returns sentences whose tags follow their scheme, repaired where that is asked for.

    Raises:
        UserError: tags that break their scheme, all tags alike, labels of some sentences alone.
    """
    every = [each for part in corpus.parts.values() for each in part]
    without = next((each for each in every if not each.label), None)
    if without and any(each.label for each in every):
        raise errors.UserError(f"{without.place}: has no label, others have; give all one, or none")
    wrong = [
        (each, at)
        for each in every
        if (at := tag_schemes.violation(each.tags, corpus.scheme)) is not None
    ]
    if wrong and not settings.repair:
        sentence, at = wrong[0]
        raise errors.UserError(
            f"{place_of(sentence, at)}: {sentence.tags[at]} breaks the scheme {corpus.scheme}, as "
            f"in {len(wrong):,} of {len(every):,} sentences; --data_format.repair True reads such "
            "tags as conlleval does"
        )
    if len(corpus.tag_names) < 2:
        raise errors.UserError(
            f"{corpus.source}: all words have one tag; there is nothing to learn"
        )
    if not wrong:
        return corpus

    def repaired(sentence: Sentence) -> Sentence:
        spans = tag_schemes.read(sentence.tags, corpus.scheme, strict=False)
        tags = tag_schemes.write(spans, len(sentence.tags), corpus.scheme)
        return sentence._replace(tags=tuple(tags))

    train, validation, test = ([repaired(each) for each in part] for part in corpus.parts.values())
    return replace(corpus, train=train, validation=validation, test=test)


def place_of(sentence: Sentence, word: int) -> str:
    """Returns where a word of a sentence stands, for an error."""
    file, _, line = sentence.place.rpartition(":")
    if sentence.line_a_word and line.isdecimal():
        return f"{file}:{int(line) + word}"
    return f"{sentence.place}, word {word + 1} {sentence.words[word]!r}"


def _read_set(
    name: str, settings: SentenceFormatConfig
) -> tuple[str, str, dict[str, list[Sentence]]]:
    """Reads licence, source and parts of a TFDS set with tokens and tags."""
    builder = named_sets.prepare(name)
    features = builder.info.features
    wanted = [settings.tag_feature] if settings.tag_feature else _TAG_FEATURES
    tags = next((each for each in wanted if each in features), None)
    if "tokens" not in features or tags is None:
        raise errors.UserError(
            f"{name}: has no features tokens and {' or '.join(wanted)}; there are "
            f"{', '.join(features)}: choose one by --data_format.tag_feature"
        )
    names = getattr(features[tags].feature, "names", None)
    parts: dict[str, list[Sentence]] = {}
    for split in builder.info.splits:
        part = sentences.PARTS.get(split)
        if part:
            examples = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
            parts[part] = [
                Sentence(
                    tuple(word.decode() for word in example["tokens"]),
                    tuple(names[tag] if names else tag.decode() for tag in example[tags]),
                    place=f"{name} {split}:{number}",
                )
                for number, example in enumerate(examples)
                if len(example["tokens"])
            ]
    if "train" not in parts:
        raise errors.UserError(f"{name}: has no split train")
    info = builder.info
    return info.redistribution_info.license or "see source", info.homepage, parts
