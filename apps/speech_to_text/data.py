"""Loads recordings with transcripts in three parts, checks them, and batches their features."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.speech_to_text import config as configs
from apps.speech_to_text import transcripts, utterances
from apps.suite import errors
from apps.suite.commands import progress
from apps.suite.data import account, corpora, division, labelled_files, named_sets, sound_places
from apps.suite.networks import ctc
from apps.suite.sequences import batches as sequence_batches
from apps.suite.sequences import ragged
from apps.suite.sounds import (
    feature_cache,
    front_end,
    served_features,
    sound_files,
    spec_augment,
)
from apps.suite.sounds import features as sound_features

DEFAULT = "spoken_sentences"
STRIDE = front_end.FRAME_STRIDE
"""Frames of features to one frame of letters."""
_ORDER, _MASKS = range(2)  # what a seed is for
_SHORTEST_SECONDS = 0.05
_LISTENED = 1_000  # recordings of a data set whose samples are looked at
_SILENT_PEAK = 1e-3  # -60 dB: nothing is said
_CLIPPED_LEVEL, _CLIPPED_SHARE = 0.999, 1e-3  # of the samples, from which on it is heard


class Part(sound_places.Clips[utterances.Utterance]):
    """Recordings of a part."""

    @property
    def texts(self) -> list[str]:
        """Returns the transcripts, normalised, in letters of the alphabet."""
        return [each.text for each in self.recordings]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus(corpora.Corpus[Part]):
    """A data set, divided; the transcripts are normalised and in letters of the alphabet."""

    alphabet: tuple[str, ...]
    seconds: tuple[float, ...]


def load(config: configs.Config) -> Corpus:
    """Finds the recordings of `config.data`, divides them, and checks all that can be checked.

    `config.data` is a folder or a list of the user's own (`utterances.find_files`), or the name of
    a TFDS set; files come first. The division is the data's own, else by speaker, else by
    recording, recordings of the same text together.

    Raises:
        UserError: nothing of that name, or data that cannot be learned: names the recording.
    """
    name, rate = config.data or DEFAULT, config.audio.sample_rate_hz
    path = named_sets.own_path(name)
    source = utterances.find_files(path, rate) if path else utterances.find_set(name, rate)
    with progress.working("looking at the recordings"):
        seconds = source.reader.seconds(source.places)
    most = sound_files.LONGEST_CLIP_SECONDS
    source, seconds = _left_out(
        source,
        seconds,
        [at for at, length in enumerate(seconds) if length > most],
        f"are longer than {most:g} s and left out; cut them to learn from them",
    )
    source = _said(source, [transcripts.normalised(e.text, config.text) for e in source.recordings])
    for each, length in zip(source.recordings, seconds, strict=True):
        if not each.text:
            raise errors.UserError(
                f"{each.name}: its transcript has no letters; write it or drop it"
            )
        if length < _SHORTEST_SECONDS:
            raise errors.UserError(f"{each.name}: has only {length:.3f} s of sound; remove it")
    source, split = _divided(source, config)
    pairs = zip(source.recordings, source.parts, strict=True)
    in_train = [each for each, part in pairs if part == "train"]
    alphabet = transcripts.alphabet_of(in_train, config.text, source.source)
    source = _said(source, transcripts.fitted(source.recordings, alphabet, config.text.outside))
    short = _too_short(source.recordings, seconds, alphabet, config)
    if short and config.text.too_short == "refuse":
        others = f" ({len(short):,} recordings are so)" if len(short) > 1 else ""
        raise errors.UserError(
            f"{next(iter(short.values()))}{others}; mend the transcript, take a smaller "
            "--features.hop_milliseconds, or leave such out with --text.too_short drop"
        )
    source, seconds = _left_out(
        source, seconds, list(short), "have fewer frames than their texts need and are left out"
    )
    made = {}
    for part in labelled_files.PARTS:
        rows = [at for at, each in enumerate(source.parts) if each == part]
        if not rows:
            raise errors.UserError(f"{source.source}: no recording is in the part {part}")
        recordings = tuple(source.recordings[at] for at in rows)
        made[part] = Part(recordings, tuple(source.places[at] for at in rows), source.reader)
    digest = hashlib.sha256("".join(alphabet).encode())
    with progress.working("reading the recordings"):
        sound_places.add_content(digest, made)
        levels = _levels(source, rate)
    return Corpus(
        name=source.name,
        licence=source.licence,
        source=source.source,
        fingerprint=digest.hexdigest(),
        split=split,
        alphabet=alphabet,
        seconds=tuple(seconds),
        notes=(*source.notes, *levels),
        **made,
    )


def told(corpus: Corpus) -> str:
    """Returns in a few lines what a training understood of its recordings."""
    counts = ", ".join(f"{len(part.recordings):,} {name}" for name, part in corpus.parts.items())
    everybody = [each for part in corpus.parts.values() for each in part.recordings]
    speakers = {each.speaker for each in everybody} - {""}
    words = {word for each in everybody for word in each.text.split()}
    letters = "".join(corpus.alphabet).replace(" ", "")
    return account.lines(
        [
            (
                "data",
                f"{corpus.name}: {len(everybody):,} recordings, {sum(corpus.seconds) / 3600:.2f} h",
            ),
            ("lengths", account.spread(corpus.seconds, "s")),
            ("parts", f"{counts}; {corpus.split}"),
            ("speakers", f"{len(speakers):,}" if speakers else "not known"),
            ("alphabet", f"{len(corpus.alphabet)} letters: {letters} and the blank between words"),
            ("words", f"{len(words):,} different ones"),
            *(("note", note) for note in corpus.notes),
        ]
    )


def preprocess(waveforms: tf.Tensor, config: configs.Config) -> tf.Tensor:
    """Computes features, float32 [b, frames, channels], of sounds, float32 [b, samples]."""
    return served_features.whole(waveforms, config.audio, config.features)


def feature_frames(samples: Any, config: configs.Config) -> Any:
    """Returns how many whole frames of features so many samples hold: a number or a tensor."""
    sizes = sound_features.frame_sizes(config.audio, config.features)
    if config.features.centre:
        return 1 + samples // sizes.hop
    # A window is longer than a hop: fewer samples than a window give no number above 0
    return (samples - sizes.window + sizes.hop) // sizes.hop


def letter_frames(frames: np.ndarray) -> np.ndarray:
    """Returns how many frames of letters so many frames of features give: ceil(frames / 2)."""
    return -(-np.asarray(frames) // STRIDE)


class Examples(NamedTuple):
    """Features of a part with the labels of their texts.

    Attributes:
        features: of recordings and their altered copies.
        labels: letters of all examples, one after the other.
        label_starts: where those of an example begin, int64 [examples + 1].
        spare: frames that an example has above those that its text needs, int32 [examples].
    """

    features: feature_cache.FeatureSet
    labels: np.ndarray
    label_starts: np.ndarray
    spare: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Returns the numbers of the examples that have frames enough for their text."""
        return np.flatnonzero(self.spare >= 0)


def examples(features: feature_cache.FeatureSet, part: Part, alphabet: Sequence[str]) -> Examples:
    """Joins the features of a part with the labels of its texts."""
    texts = [transcripts.numbered(text, alphabet) for text in part.texts]
    of_each = [texts[recording] for recording in features.recordings]
    labels = np.concatenate([np.array(each, np.int32) for each in of_each])
    starts = ragged.starts_of(np.array([len(each) for each in of_each]))
    needed = np.array([ctc.least_frames(each) for each in of_each])
    spare = letter_frames(np.diff(features.starts)) - needed
    return Examples(features, labels, starts, spare.astype(np.int32))


def featured(corpus: Corpus, part: str, config: configs.Config, copies: int = 0) -> Examples:
    """Returns a part of a corpus with its features, which are computed once and kept."""
    found = feature_cache.extracted(
        corpus.parts[part],
        [""],
        config,
        fingerprint=corpus.fingerprint,
        title=part,
        copies=copies,
    )
    return examples(found, corpus.parts[part], corpus.alphabet)


def batches(
    learned: Examples, config: configs.Config, fill: np.ndarray, first_step: int = 0
) -> tf.data.Dataset:
    """Returns an endless stream of batches, which depends on seed and step alone.

    Recordings of about equal length stand in a batch. Masks, warps, filters and tempos are
    drawn anew in every step.

    Args:
        learned: of the training part, with copies.
        config: batch size, seed and masks.
        fill: what a mask puts in the place of each channel, (channels,).
        first_step: where the stream begins.

    Returns:
        A data set of (inputs, targets): `features` float32 (batch, time, channels) and `frames`
        int32 (batch,); targets int32 (batch, 2 + labels), the frames of letters of each row, those
        at its beginning that must write nothing, then its labels, padded with -1.
    """
    features, rows = learned.features, config.training.batch_size
    lengths, kept = np.diff(features.starts), learned.kept
    channels = features.frames.shape[1]
    buckets = sequence_batches.Buckets(lengths[kept], rows, (config.seed, _ORDER))
    altered = spec_augment.SpecAugment(config.audio, config.features, config.augmentation, fill)
    frame_seconds = STRIDE * config.features.hop_milliseconds / 1000
    opening = round(config.training.opening_seconds / frame_seconds)
    opening_steps = round(config.training.steps * config.training.opening_fraction)

    def make(chosen: np.ndarray, _: np.random.Generator) -> Sequence[np.ndarray]:
        return padded(learned, kept[chosen])

    specs = [
        tf.TensorSpec([rows, None, channels], tf.float32),
        tf.TensorSpec([rows], tf.int32),
        tf.TensorSpec([rows, None], tf.int32),
    ]

    def masked(
        step: tf.Tensor, batch: tuple[tf.Tensor, ...]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        values, frames, targets = batch
        steps, spare = targets[:, :1], targets[:, 1:2]
        drawn = tf.stack([tf.constant(config.seed * 2 + _MASKS, tf.int64), step])
        least = (steps - spare)[:, 0] * STRIDE  # frames that the text needs
        values, frames = altered(values, frames, drawn, tf.minimum(frames, least))
        changed = (frames[:, None] + STRIDE - 1) // STRIDE
        steps, spare = changed, spare + changed - steps
        first = tf.where(step < opening_steps, tf.minimum(spare, opening), 0)
        targets = tf.concat([steps, first, targets[:, 2:]], axis=1)
        return {"features": values, "frames": frames}, targets

    steps = tf.data.Dataset.counter(first_step)
    stream = sequence_batches.endless(buckets, make, specs, first_step)
    return tf.data.Dataset.zip(steps, stream).map(lambda step, batch: masked(step, batch))


def padded(learned: Examples, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns features, frames and targets of the chosen examples, as `batches` describes them.

    The frames at the beginning are all that the text can spare.
    """
    features = learned.features
    frames = np.diff(features.starts)[chosen].astype(np.int32)
    values = sequence_batches.filled(features.frames, features.starts, chosen, np.float32(0))
    labels = sequence_batches.filled(learned.labels, learned.label_starts, chosen, np.int32(-1))
    steps = letter_frames(frames).astype(np.int32)
    return values, frames, np.column_stack([steps, learned.spare[chosen], labels])


def _said(source: utterances.Source, texts: Sequence[str]) -> utterances.Source:
    """Returns a source with other texts, one for each recording."""
    pairs = zip(source.recordings, texts, strict=True)
    recordings = tuple(each._replace(text=text) for each, text in pairs)
    return dataclasses.replace(source, recordings=recordings)


def _left_out(
    source: utterances.Source, seconds: Sequence[float], rows: Sequence[int], why: str
) -> tuple[utterances.Source, list[float]]:
    """Returns a source and its lengths without some recordings, which a note of it names."""
    if not rows:
        return source, list(seconds)
    kept = sorted({*range(len(seconds))} - {*rows})
    if not kept:
        raise errors.UserError(f"{source.source}: all recordings {why}")
    names = [source.recordings[at].name for at in rows]
    source = dataclasses.replace(
        source,
        recordings=tuple(source.recordings[at] for at in kept),
        places=tuple(source.places[at] for at in kept),
        parts=tuple(source.parts[at] for at in kept),
        notes=(*source.notes, _some(names, f"of {len(seconds):,} recordings", why)),
    )
    return source, [seconds[at] for at in kept]


def _divided(source: utterances.Source, config: configs.Config) -> tuple[utterances.Source, str]:
    """Gives each recording a part, by speaker or else by text, and tells of that in a sentence."""
    # Where speakers are not known, recordings of the same text are kept together instead.
    said = source.recordings
    known = all(each.speaker for each in said)
    examples = [
        labelled_files.Example(each.name, "speech", each.speaker if known else each.text, part)
        for each, part in zip(said, source.parts, strict=True)
    ]
    shares = {
        "validation": config.audio.validation_fraction, "test": config.audio.test_fraction
    }  # fmt: skip
    parts, split = division.by_speaker(
        examples, source.divided_by, shares, config.seed, source=source.source, silence=""
    )
    if not known:
        split = split.replace("by speaker", "by text").replace("voices", "texts")
    train = {each.text for each, part in zip(said, parts, strict=True) if part == "train"}
    test = [each.text for each, part in zip(said, parts, strict=True) if part == "test"]
    both = sum(text in train for text in test)
    told = f"{split}; {both:,} of the {len(test):,} test texts are learned as well"
    return dataclasses.replace(source, parts=tuple(parts)), told


def _too_short(
    said: Sequence[utterances.Utterance],
    seconds: Sequence[float],
    alphabet: Sequence[str],
    config: configs.Config,
) -> dict[int, str]:
    """Returns, by number, what is told of each recording with fewer frames than its text needs.

    Raises:
        UserError: a text without a letter.
    """
    samples = np.round(np.array(seconds) * config.audio.sample_rate_hz)
    frames = letter_frames(feature_frames(samples, config)).astype(int)
    found = {}
    for at, each in enumerate(said):
        if not each.text:
            raise errors.UserError(f"{each.name}: its transcript has no letter of the alphabet")
        needed = ctc.least_frames(transcripts.numbered(each.text, alphabet))
        if frames[at] < needed:
            found[at] = (
                f"{each.name}: {seconds[at]:.2f} s give {frames[at]} frames, its text of "
                f"{len(each.text)} letters needs {needed}"
            )
    return found


def _levels(source: utterances.Source, rate_hz: int) -> list[str]:
    """Tells of recordings that are silent or clipped or have few samples; of many, looks at some.

    A sentence each.
    """
    said = source.recordings
    every = -(-len(said) // _LISTENED)
    silent, clipped, highest_hz = [], [], 0
    for each, place in zip(said[::every], source.places[::every], strict=True):
        levels = np.abs(source.reader.read(place))
        if levels.max(initial=0.0) < _SILENT_PEAK:
            silent.append(each.name)
        elif np.mean(levels >= _CLIPPED_LEVEL) > _CLIPPED_SHARE:
            clipped.append(each.name)
        if isinstance(source.reader, sound_places.FileReader):
            declared = sound_files.length(source.reader.folder / place.file)
            highest_hz = max(highest_hz, declared.sample_rate_hz)
    of = f"of {len(said[::every]):,} recordings" + (" that were looked at" if every > 1 else "")
    told = {
        "are silent, and teach that a text is said by nothing; remove them": silent,
        "are clipped, and harder to understand; record them at a lower level if you can": clipped,
    }
    notes = [_some(names, of, what) for what, names in told.items() if names]
    if 0 < highest_hz < rate_hz:
        notes.append(
            f"the recordings have at most {highest_hz:,} samples a second, and the model takes "
            f"{rate_hz:,}: --audio.sample_rate_hz {highest_hz} hears as much, and takes such files"
        )
    return notes


def _some(names: Sequence[str], of: str, what: str) -> str:
    return f"{len(names):,} {of} {what}: {', '.join(names[:3])}{' …' * (len(names) > 3)}"
