"""Loads texts with their summaries in three parts, and makes batches of numbers of them."""

from __future__ import annotations

import collections
import re
import typing
from collections.abc import Mapping, Sequence

from apps.suite import errors
from apps.suite.data import division, named_sets, pair_sets
from apps.suite.data.pair_sets import Corpus
from apps.suite.texts.pair_files import Pair
from apps.summarization import article_files
from apps.summarization import config as configs

if typing.TYPE_CHECKING:
    import tensorflow as tf

    from apps.suite.sequences import pair_batches
    from apps.suite.texts import subwords

DEFAULT, FEW = "docstrings", "docstrings/few"
_SEED = 43  # beside the run's, so that no other draw repeats the batches
_FEW_PAIRS = 1_000  # a network learns little from fewer
_REPEATED = 0.05  # share of the pairs with one summary that is worth a note
_HTML = re.compile(r"<(?:p|br|div|span|a|li|b|i)\b[^>]*>", re.IGNORECASE)
_BY_MODULE = "by module: two in twenty are in the test part, one in twenty in the validation part"


def load(config: configs.Config) -> Corpus:
    """Reads the texts (sources) with summaries (targets) of `config.data`, and divides them.

    Raises:
        UserError: nothing of that name, what cannot be read, a text or a summary that is empty,
            too few pairs.
    """
    name, settings = config.data or DEFAULT, config.data_format
    path = named_sets.own_path(name)
    if path:
        found = article_files.read(path, settings)
        named = (path.resolve().name, "your own", str(path.resolve()))
    else:
        wanted = (settings.text_field, settings.summary_field)
        if wanted == configs.FIELDS:
            wanted = ("", "")
        licence, source, _, given = pair_sets.read_set(
            name, wanted, article_files.FIELDS, settings.title_field
        )
        pairs = (pair for part in given.values() for pair in part)
        found = [pair for pair in pairs if pair.source.strip() and pair.target.strip()]
        named = (name, licence, source)
    split, parts = _divided(named[2], found, config)
    if name in (DEFAULT, FEW):
        split = _BY_MODULE
    three = (parts["train"], parts["validation"], parts["test"])
    fields = ("source", "target", "title")
    return Corpus(*named, split, _notes(found, parts), *three, fields=fields)


def _divided(
    source: str, found: list[Pair], config: configs.Config
) -> tuple[str, dict[str, list[Pair]]]:
    """Takes the parts that are missing from the train part: groups, or equal texts, together."""
    settings = config.data_format
    given = [pair.part or "train" for pair in found]
    shares = {"test": settings.test_fraction, "validation": settings.validation_fraction}
    keys = [pair.group or _words(pair.source) for pair in found]
    counts = {
        part: max(1, round(share * len({*keys})))
        for part, share in shares.items()
        if part not in given
    }
    parts: dict[str, list[Pair]] = {part: [] for part in ("train", "validation", "test")}
    for pair, part in zip(found, division.by_key(keys, given, counts, config.seed), strict=True):
        parts[part].append(pair)
    for part, pairs in parts.items():
        if not pairs:
            raise errors.UserError(
                f"{source}: {len(found)} pairs leave none for the part {part}; give more"
            )
    if not counts:
        return "the parts that the data name", parts
    unit = "groups stay whole" if found[0].group else "equal texts stay together"
    return f"{' and '.join(counts)} drawn from train; {unit}", parts


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _notes(found: Sequence[Pair], parts: Mapping[str, Sequence[Pair]]) -> tuple[str, ...]:
    notes = []
    learned = {_words(pair.source) for pair in parts["train"]}
    known = [pair for pair in parts["test"] if _words(pair.source) in learned]
    if known:
        notes.append(
            f"{len(known):,} of {len(parts['test']):,} test texts stand in the train part, the "
            f"first at {known[0].place}; take them out of one"
        )
    (summary, count), *_ = collections.Counter(pair.target for pair in found).most_common(1)
    if count > _REPEATED * len(found) and count > 1:
        notes.append(f"{count:,} of {len(found):,} pairs have the summary {summary[:60]!r}")
    longer = [pair for pair in found if len(pair.target) > len(pair.source)]
    if longer:
        notes.append(
            f"{len(longer):,} summaries are longer than their texts, the first at {longer[0].place}"
        )
    marked = next((pair for pair in found if _HTML.search(pair.source)), None)
    if marked:
        notes.append(f"HTML stands in texts, the first at {marked.place}; take it out before")
    if len(found) < _FEW_PAIRS:
        notes.append(f"{len(found):,} pairs are few: expect the baselines to win")
    return tuple(notes)


def joined(pair: Pair, with_title: bool) -> str:
    """Returns what is read of a pair: "title : text", or the text."""
    return f"{pair.title} : {pair.source}" if with_title and pair.title else pair.source


def preprocess(
    texts: tf.Tensor, vocabulary: subwords.Subwords, settings: configs.TextConfig
) -> tf.Tensor:
    """Cuts string[b] into pieces int32 (b, time), 0 after the end, as the export does."""
    from apps.summarization import pieces

    return pieces.cut(texts, vocabulary, settings.most_text_pieces).ids


def encode(
    pairs: Sequence[Pair], vocabulary: subwords.Subwords, settings: configs.TextConfig
) -> pair_batches.Encoded:
    """Encodes texts, cut to the longest length, and summaries with their ends.

    `left_out` is the number of texts that were cut. Of a summary that was cut the end is not
    known, and is not learned.
    """
    import tensorflow as tf

    from apps.suite.sequences import pair_batches
    from apps.suite.texts import subwords

    texts = tf.constant([joined(pair, settings.title) for pair in pairs])
    read = vocabulary.encode(vocabulary.normalised(texts))
    written = pair_batches.with_end(tf.constant([pair.target for pair in pairs]), vocabulary)
    written = written[:, : settings.most_summary_pieces + 1]
    is_end = written == subwords.END
    is_kept = (tf.ragged.range(written.row_lengths()) < settings.most_summary_pieces) | is_end
    sources, source_starts = pair_batches.flat(read[:, : settings.most_text_pieces])
    targets, target_starts = pair_batches.flat(tf.ragged.boolean_mask(written, is_kept))
    too_long = int((read.row_lengths().numpy() > settings.most_text_pieces).sum())
    return pair_batches.Encoded(sources, targets, source_starts, target_starts, too_long)


def batches(
    encoded: pair_batches.Encoded, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Yields ({"source", "target"}, following) without end; see `pair_batches.batches`."""
    from apps.suite.sequences import pair_batches

    rows = config.training.batch_size
    return pair_batches.batches(encoded, rows, (config.seed, _SEED), first_step)
