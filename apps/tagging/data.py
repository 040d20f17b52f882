"""Loads tagged sentences in three parts, and makes batches of numbers of them."""

from __future__ import annotations

import hashlib
import itertools
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from apps.suite import errors
from apps.suite.data import division, named_sets
from apps.tagging import config as configs
from apps.tagging import schemes, sentence_files
from apps.tagging.sentence_files import Sentence

if typing.TYPE_CHECKING:
    import tensorflow as tf

    from apps.suite.texts import words as vocabularies

DEFAULT = "king_james_bible"
FEW = "king_james_bible/few"  # every twentieth chapter, for a quick try
MARKS = ",.:;?!"
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_TAG_FEATURES = ("ner", "ner_tags", "tags", "upos", "pos")
_SEED = 41  # beside the run's, so that no other draw repeats the batches


@dataclass(frozen=True)
class Corpus:
    """Tagged sentences in three parts.

    Attributes:
        split: tells how the parts were made.
        scheme: of the tags, a name of `schemes.NAMES`.
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
        """Returns the names of the model's tags; see `schemes.inside_names`."""
        return schemes.inside_names((each.tags for each in self.train), self.scheme)

    @property
    def label_names(self) -> list[str]:
        """Returns the names of the sentences' labels; [] without any."""
        return sorted({each.label for each in self.train} - {""})


def load(config: configs.Config) -> Corpus:
    """Reads the sentences of `config.data`, and divides them.

    Raises:
        UserError: nothing of that name, what cannot be read, tags that break their scheme, too few
            sentences.
    """
    name = config.data or DEFAULT
    path = Path(name).expanduser()
    if name in (DEFAULT, FEW) and not path.exists():
        corpus = _punctuation(name)
    elif path.exists():
        parts = sentence_files.read_parts(path, config.data_format)
        corpus = _divided(path.resolve().name, "your own", str(path.resolve()), parts, config)
    elif path.suffix or name.startswith((".", "/", "~")):
        raise errors.UserError(f"{name}: no such file or folder")
    else:
        licence, source, parts = _read_set(name, config.data_format)
        corpus = _divided(name, licence, source, parts, config)
    return _checked(corpus, config.data_format)


def _punctuation(name: str) -> Corpus:
    """Returns the words of the King James Bible, each with the mark that follows it.

    A sentence is a verse. The mark after its last word is not known: the cut gives it away. Every
    fifth chapter is in the test part, every twentieth in the validation part.
    """
    builder = named_sets.prepare(DEFAULT)
    chapters = builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator()
    parts: dict[str, list[Sentence]] = {"train": [], "validation": [], "test": []}
    for number, chapter in enumerate(chapters):
        if name == FEW and number % 20 not in (0, 4, 10):
            continue
        part = "test" if number % 5 == 4 else "validation" if number % 20 == 10 else "train"
        if name == FEW and number > 400:
            break
        title, *verses = chapter["text"].decode().split("\n")
        for verse, text in enumerate(verses):
            found = list(_WORD.finditer(text))
            if len(found) > 1:
                gaps = [text[one.end() : other.start()] for one, other in itertools.pairwise(found)]
                marks = [next((mark for mark in gap if mark in MARKS), "O") for gap in gaps]
                words = tuple(each.group() for each in found)
                parts[part].append(Sentence(words, (*marks, ""), place=f"{title}:{verse}"))
    return Corpus(
        name,
        builder.info.redistribution_info.license or "see source",
        builder.info.homepage,
        "by chapter: every fifth is in the test part, every twentieth in the validation part",
        "plain",
        **parts,
    )


def _divided(
    name: str,
    licence: str,
    source: str,
    parts: Mapping[str, list[Sentence]],
    config: configs.Config,
) -> Corpus:
    """Takes the parts that are missing from the train part, sentence by sentence."""
    settings = config.data_format
    found = {part: parts.get(part, []) for part in ("train", "validation", "test")}
    shares = {"validation": settings.validation_fraction, "test": settings.test_fraction}
    missing = [part for part in shares if not found[part]]
    whole = len(found["train"])
    for part in missing:
        train = found["train"]
        order = division.in_drawn_order(map(str, range(len(train))), config.seed, part)
        taken = set(map(int, order[: max(1, round(shares[part] * whole))]))
        found[part] = [each for at, each in enumerate(train) if at in taken]
        found["train"] = [each for at, each in enumerate(train) if at not in taken]
    if not found["train"]:
        raise errors.UserError(f"{source}: {whole} sentences are too few to divide; give more")
    split = "the parts that the data name"
    if missing:
        split = f"{' and '.join(missing)} drawn from train, sentence by sentence"
    scheme: str = settings.scheme
    if scheme == "auto":
        scheme = schemes.find([each.tags for each in found["train"]])
    return Corpus(name, licence, source, split, scheme, **found)


def _checked(corpus: Corpus, settings: configs.DataFormatConfig) -> Corpus:
    """Repairs tags or refuses them, and refuses sentences of which only some have a label."""
    every = [each for part in corpus.parts.values() for each in part]
    without = next((each for each in every if not each.label), None)
    if without and any(each.label for each in every):
        raise errors.UserError(f"{without.place}: has no label, others have; give all one, or none")
    wrong = [
        (each, at)
        for each in every
        if (at := schemes.violation(each.tags, corpus.scheme)) is not None
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
        spans = schemes.read(sentence.tags, corpus.scheme, strict=False)
        tags = schemes.write(spans, len(sentence.tags), corpus.scheme)
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
    name: str, settings: configs.DataFormatConfig
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
        part = sentence_files.PARTS.get(split)
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


class Encoded(typing.NamedTuple):
    """Sentences as numbers, one after the other.

    Attributes:
        words: int32 [words].
        letters: int32 [words, letters], 0 after a word's end.
        tags: int32 [words], of the model's tags; -1 where the tag is not known.
        starts: int64 [sentences + 1], the first word of each sentence, and the end.
        labels: int32 [sentences], -1 where the label is not known; zeros without labels.
    """

    words: np.ndarray
    letters: np.ndarray
    tags: np.ndarray
    starts: np.ndarray
    labels: np.ndarray


def preprocess(
    tokens: tf.Tensor, vocabulary: vocabularies.Vocabulary
) -> tuple[tf.Tensor, tf.Tensor]:
    """Encodes words string (b, time), "" after the end, by the operations of the export.

    Returns:
        Word ids int32 (b, time) and letter ids int32 (b, time, letters), 0 for padding.
    """
    return vocabulary.encode_words(tokens)


def encode(
    sentences: Sequence[Sentence],
    corpus: Corpus,
    vocabulary: vocabularies.Vocabulary,
) -> Encoded:
    """Encodes sentences with tags and labels."""
    import tensorflow as tf

    flat = np.array([word.encode() for each in sentences for word in each.words], object)
    words, letters = preprocess(tf.constant(flat[:, None]), vocabulary)
    number = {name: at for at, name in enumerate(corpus.tag_names)}
    label = {name: at for at, name in enumerate(corpus.label_names or [""])}
    tags = (
        number.get(tag, -1)
        for each in sentences
        for tag in schemes.to_inside(each.tags, corpus.scheme)
    )
    return Encoded(
        words.numpy()[:, 0],
        letters.numpy()[:, 0],
        np.fromiter(tags, np.int32, len(flat)),
        np.cumsum([0, *(len(each.words) for each in sentences)]),
        np.array([label.get(each.label, -1) for each in sentences], np.int32),
    )


def batches(
    encoded: Encoded, config: configs.Config, has_label: bool, first_step: int = 0
) -> tf.data.Dataset:
    """Yields batches without end: {"word_ids", "letter_ids"}, and tags (b, time), -1 after the end.

    With `has_label`, the targets are (tags, labels). A step is a function of the seed and its
    number alone.
    """
    import tensorflow as tf

    from apps.suite.sequences import batches as buckets

    lengths, rows = np.diff(encoded.starts), config.training.batch_size

    def make(chosen: np.ndarray, _: np.random.Generator) -> list[np.ndarray]:
        return [*padded(encoded, chosen), encoded.labels[chosen]]

    specs = [tf.TensorSpec([rows, *[None] * rank], tf.int32) for rank in (1, 2, 1, 0)]
    order = buckets.Buckets(lengths, rows, (config.seed, _SEED))

    def named(words: tf.Tensor, letters: tf.Tensor, tags: tf.Tensor, label: tf.Tensor) -> tuple:
        return {"word_ids": words, "letter_ids": letters}, (tags, label) if has_label else tags

    return buckets.endless(order, make, specs, first_step).map(named)


def padded(encoded: Encoded, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns words (n, time), letters (n, time, letters) and tags (n, time) of some sentences."""
    from apps.suite.sequences import batches as buckets

    words, letters, tags = (
        buckets.filled(array, encoded.starts, chosen, fill)
        for array, fill in ((encoded.words, 0), (encoded.letters, 0), (encoded.tags, -1))
    )
    longest = int((letters != 0).any(axis=(0, 1)).sum())
    return words, letters[:, :, : max(1, longest)], tags


def seen_words(sentences: Iterable[Sentence]) -> set[str]:
    """Returns the words of sentences, in small letters."""
    return {word.lower() for each in sentences for word in each.words}
