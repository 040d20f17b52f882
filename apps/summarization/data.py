"""Loads texts with their summaries in three parts, and makes batches of numbers of them."""

from __future__ import annotations

import collections
import hashlib
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.suite import errors
from apps.suite.data import division, named_sets
from apps.suite.texts import pair_files
from apps.summarization import article_files
from apps.summarization import config as configs
from apps.summarization.article_files import Pair

if typing.TYPE_CHECKING:
    import tensorflow as tf

    from apps.suite.sequences import pair_batches
    from apps.suite.texts import subwords

DEFAULT, FEW = "docstrings", "docstrings/few"
_SEED = 43  # beside the run's, so that no other draw repeats the batches
_FEW_PAIRS = 1_000  # a network learns little from fewer
_REPEATED = 0.05  # share of the pairs with one summary that is worth a note
_HTML = re.compile(r"<(?:p|br|div|span|a|li|b|i)\b[^>]*>", re.IGNORECASE)


@dataclass(frozen=True)
class Corpus:
    """Texts with summaries, in three parts.

    Attributes:
        split: tells how the parts were made.
        notes: what was found in the data and might surprise, a sentence each.
    """

    name: str
    licence: str
    source: str
    split: str
    notes: tuple[str, ...]
    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]

    @property
    def parts(self) -> dict[str, list[Pair]]:
        """Returns the parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def fingerprint(self) -> str:
        """Returns a SHA-256 of all texts, summaries and titles."""
        whole = [(part, *each[:3]) for part, found in self.parts.items() for each in found]
        return hashlib.sha256(repr(whole).encode("utf-8", "surrogatepass")).hexdigest()


def load(config: configs.Config) -> Corpus:
    """Reads the pairs of `config.data`, and divides them.

    Raises:
        UserError: nothing of that name, what cannot be read, a text or a summary that is empty,
            too few pairs.
    """
    name = config.data or DEFAULT
    path = Path(name).expanduser()
    if path.exists():
        found = article_files.read(path, config.data_format)
        named = (path.resolve().name, "your own", str(path.resolve()))
    elif path.suffix or name.startswith((".", "/", "~")):
        raise errors.UserError(f"{name}: no such file or folder")
    else:
        licence, source, found = _read_set(name, config.data_format)
        named = (name, licence, source)
    split, parts = _divided(named[2], found, config)
    if name in (DEFAULT, FEW):
        split = (
            "by module: two in twenty are in the test part, one in twenty in the validation part"
        )
    notes = _notes(found, parts)
    return Corpus(*named, split, notes, parts["train"], parts["validation"], parts["test"])


def _read_set(name: str, settings: configs.DataFormatConfig) -> tuple[str, str, list[Pair]]:
    """Reads licence, source and pairs of a TFDS set with texts and summaries."""
    builder = named_sets.prepare(name)
    info = builder.info
    fields: tuple[str, ...] = (settings.text_field, settings.summary_field)
    if not set(fields) <= set(info.features):
        fields = info.supervised_keys or ()
    if len(fields) != 2 or not set(fields) <= set(info.features):
        raise errors.UserError(
            f"{name}: has no features {settings.text_field} and {settings.summary_field}; there "
            f"are {', '.join(info.features)}: give --data_format.text_field and "
            "--data_format.summary_field"
        )
    found = []
    for split in info.splits:
        part = pair_files.PARTS.get(split)
        if part:
            examples = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
            for number, row in enumerate(examples):
                text, summary = (row[field].decode() for field in fields)
                title = row.get(settings.title_field, b"").decode()
                if text.strip() and summary.strip():
                    group = row.get("group", b"").decode()
                    place = f"{name} {split}:{number}"
                    found.append(Pair(text, summary, title, group, part, place))
    return info.redistribution_info.license or "see source", info.homepage, found


def _divided(
    source: str, found: list[Pair], config: configs.Config
) -> tuple[str, dict[str, list[Pair]]]:
    """Takes the parts that are missing from the train part: groups, or equal texts, together."""
    settings = config.data_format
    part_of = [pair.part or "train" for pair in found]
    shares = {"test": settings.test_fraction, "validation": settings.validation_fraction}
    missing = [part for part in shares if part not in part_of]
    groups = [pair.group or _words(pair.text) for pair in found]
    for part in missing:
        mine = {group for group, each in zip(groups, part_of, strict=True) if each == "train"}
        order = division.in_drawn_order(mine, config.seed, part)
        taken = set(order[: max(1, round(shares[part] * len({*groups})))])
        part_of = [
            part if each == "train" and group in taken else each
            for each, group in zip(part_of, groups, strict=True)
        ]
    parts: dict[str, list[Pair]] = {part: [] for part in ("train", "validation", "test")}
    for pair, part in zip(found, part_of, strict=True):
        parts[part].append(pair)
    for part, pairs in parts.items():
        if not pairs:
            raise errors.UserError(
                f"{source}: {len(found)} pairs leave none for the part {part}; give more"
            )
    if not missing:
        return "the parts that the data name", parts
    unit = "groups stay whole" if found[0].group else "equal texts stay together"
    return f"{' and '.join(missing)} drawn from train; {unit}", parts


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _notes(found: Sequence[Pair], parts: Mapping[str, Sequence[Pair]]) -> tuple[str, ...]:
    notes = []
    learned = {_words(pair.text) for pair in parts["train"]}
    known = [pair for pair in parts["test"] if _words(pair.text) in learned]
    if known:
        notes.append(
            f"{len(known):,} of {len(parts['test']):,} test texts stand in the train part, the "
            f"first at {known[0].place}; take them out of one"
        )
    (summary, count), *_ = collections.Counter(pair.summary for pair in found).most_common(1)
    if count > _REPEATED * len(found) and count > 1:
        notes.append(f"{count:,} of {len(found):,} pairs have the summary {summary[:60]!r}")
    longer = [pair for pair in found if len(pair.summary) > len(pair.text)]
    if longer:
        notes.append(
            f"{len(longer):,} summaries are longer than their texts, the first at {longer[0].place}"
        )
    marked = next((pair for pair in found if _HTML.search(pair.text)), None)
    if marked:
        notes.append(f"HTML stands in texts, the first at {marked.place}; take it out before")
    if len(found) < _FEW_PAIRS:
        notes.append(f"{len(found):,} pairs are few: expect the baselines to win")
    return tuple(notes)


def joined(pair: Pair, with_title: bool) -> str:
    """Returns what is read of a pair: "title : text", or the text."""
    return f"{pair.title} : {pair.text}" if with_title and pair.title else pair.text


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
    from apps.summarization import pieces

    most = (settings.most_text_pieces, settings.most_summary_pieces)
    texts = [joined(pair, settings.title) for pair in pairs]
    found = [
        pieces.cut(tf.constant(given), vocabulary, longest)
        for given, longest in zip((texts, [pair.summary for pair in pairs]), most, strict=True)
    ]
    lengths = [each.lengths.numpy() for each in found]
    sources, targets = (each.ids.numpy() for each in found)
    targets = np.pad(targets, [(0, 0), (0, 1)])
    is_whole = lengths[1] <= most[1]
    read, written = (np.minimum(*each) for each in zip(lengths, most, strict=True))
    targets[np.arange(len(targets)), written] = np.where(is_whole, subwords.END, 0)
    flat, starts = [], []
    for ids, ends in ((sources, read), (targets, written + is_whole)):
        flat.append(ids[np.arange(ids.shape[1]) < ends[:, None]])
        starts.append(np.cumsum([0, *ends]))
    too_long = int((lengths[0] > most[0]).sum())
    return pair_batches.Encoded(flat[0], flat[1], starts[0], starts[1], too_long)


def batches(
    encoded: pair_batches.Encoded, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Yields ({"source", "target"}, following) without end; see `pair_batches.batches`."""
    from apps.suite.sequences import pair_batches

    rows = config.training.batch_size
    return pair_batches.batches(encoded, rows, (config.seed, _SEED), first_step)
