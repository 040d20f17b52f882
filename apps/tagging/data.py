"""Loads tagged sentences in three parts, and makes batches of numbers of them."""

from __future__ import annotations

import itertools
import re
import typing
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.suite.data import named_sets
from apps.suite.sequence_files import sentence_sets
from apps.suite.sequence_files.sentence_sets import Corpus
from apps.suite.sequence_files.sentences import Sentence
from apps.suite.sequences import alteration
from apps.suite.texts import tag_schemes
from apps.tagging import config as configs

if typing.TYPE_CHECKING:
    import tensorflow as tf

    from apps.suite.texts import words as vocabularies

DEFAULT = "king_james_bible"
FEW = "king_james_bible/few"  # every twentieth chapter, for a quick try
MARKS = ",.:;?!"
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_MOST_VERSES = 6  # that are read together in training
_SEED = 41  # beside the run's, so that no other draw repeats the batches


def load(config: configs.Config) -> Corpus:
    """Reads the sentences of `config.data`, and divides them.

    Raises:
        UserError: see `sentence_sets.load` and `sentence_sets.checked`.
    """
    name = config.data or DEFAULT
    if name in (DEFAULT, FEW) and not Path(name).exists():
        return sentence_sets.checked(_punctuation(name), config.data_format)
    return sentence_sets.load(name, config.data_format, config.seed)


def _punctuation(name: str) -> Corpus:
    """Returns the words of the King James Bible, each with the mark that follows it.

    A sentence is a verse, in the train part one to six verses that follow each other, so that
    marks between verses are learned as well. The mark after a sentence's last word is not known:
    the cut gives it away. Every fifth chapter is in the test part, every twentieth in the
    validation part.
    """
    builder, draw = named_sets.prepare(DEFAULT), np.random.default_rng(_SEED)
    chapters = builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator()
    parts: dict[str, list[Sentence]] = {"train": [], "validation": [], "test": []}
    for number, chapter in enumerate(chapters):
        if name == FEW and (number > 400 or number % 20 not in (0, 4, 10)):
            continue
        part = "test" if number % 5 == 4 else "validation" if number % 20 == 10 else "train"
        title, *verses = chapter["text"].decode().strip().split("\n")
        at = 1  # after an empty line
        while at < len(verses):
            end = at + (int(draw.integers(1, _MOST_VERSES + 1)) if part == "train" else 1)
            text = "\n".join(verses[at:end])
            found = list(_WORD.finditer(text))
            if len(found) > 1:
                gaps = [text[one.end() : other.start()] for one, other in itertools.pairwise(found)]
                marks = [next((mark for mark in gap if mark in MARKS), "O") for gap in gaps]
                words = tuple(each.group() for each in found)
                parts[part].append(Sentence(words, (*marks, ""), place=f"{title}:{at}"))
            at = end
    return Corpus(
        name,
        builder.info.redistribution_info.license or "see source",
        builder.info.homepage,
        "by chapter: every fifth is in the test part, every twentieth in the validation part",
        "plain",
        **parts,
    )


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
        for tag in tag_schemes.to_inside(each.tags, corpus.scheme)
    )
    return Encoded(
        words.numpy()[:, 0],
        letters.numpy()[:, 0],
        np.fromiter(tags, np.int32, len(flat)),
        np.cumsum([0, *(len(each.words) for each in sentences)]),
        np.array([label.get(each.label, -1) for each in sentences], np.int32),
    )


def batches(
    encoded: Encoded,
    config: configs.Config,
    has_label: bool,
    first_step: int = 0,
    tag_names: Sequence[str] = (),
) -> tf.data.Dataset:
    """Yields batches without end: {"word_ids", "letter_ids"}, and tags (b, time), -1 after the end.

    With `has_label`, the targets are (tags, labels). A step is a function of the seed and its
    number alone. With `tag_names` of a scheme with spans, spans are replaced by others.
    """
    import tensorflow as tf

    from apps.suite.sequences import batches as buckets
    from apps.suite.texts import words as vocabularies

    settings, counts = config.training, np.bincount(encoded.words)
    rows, share = settings.batch_size, settings.swapped_spans
    swaps = _swaps(encoded, tag_names, share) if share and tag_names else None

    def make(chosen: np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
        found, labels = encoded, encoded.labels[chosen]
        if swaps:
            drawn = swaps.drawn(chosen, draw)
            words, letters, tags = (array[np.concatenate(drawn)] for array in encoded[:3])
            found = Encoded(words, letters, tags, np.cumsum([0, *map(len, drawn)]), labels)
            chosen = np.arange(rows)
        words, letters, tags = padded(found, chosen)
        if settings.rare_dropout:
            hidden = draw.random(words.shape) * (1 + counts[words] / settings.rare_dropout) < 1
            words = np.where(hidden & (words != 0), vocabularies.UNKNOWN, words)
        return [words, letters, tags, labels]

    specs = [tf.TensorSpec([rows, *[None] * rank], tf.int32) for rank in (1, 2, 1, 0)]
    order = buckets.Buckets(np.diff(encoded.starts), rows, (config.seed, _SEED))

    def named(words: tf.Tensor, letters: tf.Tensor, tags: tf.Tensor, label: tf.Tensor) -> tuple:
        return {"word_ids": words, "letter_ids": letters}, (tags, label) if has_label else tags

    return buckets.endless(order, make, specs, first_step).map(named)


def _swaps(encoded: Encoded, tag_names: Sequence[str], share: float) -> alteration.SpanSwaps:
    """Returns what replaces spans by others with other letters."""
    names = [*tag_names, "O"]  # the last of a word whose tag is not known
    spans = []
    for first, end in itertools.pairwise(encoded.starts.tolist()):
        tags = [names[tag] for tag in encoded.tags[first:end]]
        found = tag_schemes.read(tags, tag_schemes.INSIDE, strict=False)
        spans.append([(first + start, first + stop, kind) for start, stop, kind in found])
    return alteration.SpanSwaps(encoded.starts, spans, encoded.letters, share)


def padded(encoded: Encoded, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns words (n, time), letters (n, time, letters) and tags (n, time) of some sentences."""
    from apps.suite.sequences import batches as buckets

    words, letters, tags = (
        buckets.filled(array, encoded.starts, chosen, fill)
        for array, fill in ((encoded.words, 0), (encoded.letters, 0), (encoded.tags, -1))
    )
    longest = int((letters != 0).any(axis=(0, 1)).sum())
    return words, letters[:, :, : max(1, longest)], tags
