"""Loads recordings in three parts, computes their features in TensorFlow, and batches them.

Recordings without words are cut into clips of silence for each part and noise for training. Labels
that were not chosen become "unknown".
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.speech_commands import batches as example_batches
from apps.speech_commands import config as configs
from apps.speech_commands import recordings
from apps.suite import errors
from apps.suite.commands import progress
from apps.suite.data import division, labelled_files, named_sets, sound_places
from apps.suite.sounds import feature_cache, served_features, sound_files

# Of each file in order of time, so that no sound of the test is heard in training
_SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
_LONGEST_SECONDS = 300.0  # of a file; what follows is left alone
_NEAR_SECONDS = 0.05  # by which a recording may exceed a window that was set
_WHOLE_SHARE = 0.9  # of the recordings that fit into the window of a stream


def noise_stretches(files: Sequence[Path]) -> dict[str, list[sound_places.Place]]:
    """Returns for each part its stretch of each file. Raises UserError as `sound_files.length`."""
    found: dict[str, list[sound_places.Place]] = {part: [] for part in _SHARES}
    for file in files:
        declared = sound_files.length(file)
        frames = min(declared.frames, int(_LONGEST_SECONDS * declared.sample_rate_hz))
        ends = np.rint(np.cumsum([0.0, *_SHARES.values()]) * frames).astype(int).tolist()
        for part, start, end in zip(_SHARES, ends, ends[1:], strict=False):
            if end > start:
                found[part].append(sound_places.Place(str(file.resolve()), start, end - start))
    return found


def silence(
    places: Sequence[sound_places.Place], count: int, clip_seconds: float, seed: Sequence[int]
) -> list[tuple[recordings.Recording, sound_places.Place]]:
    """Draws `count` clips from the stretches; none if no stretch is as long as a clip.

    Longer stretches give more of them. Clips may overlap each other, never another part's.
    """
    long_enough = []
    for place in places:
        rate = sound_files.length(Path(place.file)).sample_rate_hz
        clip = round(clip_seconds * rate)
        if place.frames is not None and place.frames >= clip:
            long_enough.append((place, rate, clip))
    if not long_enough:
        return []
    random = np.random.default_rng(list(seed))
    seconds = np.array([(place.frames or 0) / rate for place, rate, _ in long_enough])
    made = []
    for turn in random.choice(len(long_enough), size=count, p=seconds / seconds.sum()):
        place, rate, clip = long_enough[turn]
        first = place.first_frame + int(random.integers((place.frames or 0) - clip + 1))
        file = Path(place.file)
        name = f"{file.parent.name}/{file.name} at {first / rate:.3f} s"
        made.append(
            (
                recordings.Recording(name, recordings.SILENCE, ""),
                sound_places.Place(place.file, first, clip),
            )
        )
    return made


ChosenWords = dict[str, list[tuple[recordings.Recording, sound_places.Place]]]
"""Recordings by part, in the order in which the source has them, each with its place."""


def choose_words(
    source: recordings.Source, parts: Sequence[str], words: Sequence[str], seed: int
) -> ChosenWords:
    """Returns the recordings by part; labels other than `words` become "unknown"; no words = all.

    "silence" stays what it is. Of "unknown" a part keeps as many as its words have on average;
    which ones depends on their names and the seed.

    Raises:
        UserError: one of the words is not a label of the data.
    """
    labels = {recording.label for recording in source.recordings}
    strange = [word for word in words if word not in labels]
    if strange:
        raise errors.UserError(
            f"audio.words: {strange[0]!r} is not a label of {source.source}; "
            f"its labels are {', '.join(recordings.label_names(labels))}"
        )
    kept = {*words, recordings.SILENCE} if words else labels
    found: ChosenWords = {part: [] for part in labelled_files.PARTS}
    for recording, place, part in zip(source.recordings, source.places, parts, strict=True):
        if recording.label not in kept:
            recording = recording._replace(label=recordings.UNKNOWN)
        found[part].append((recording, place))
    if words:
        for part, pairs in found.items():
            found[part] = _fewer_unknown(pairs, seed)
    return found


def silence_count(found: Sequence[recordings.Recording]) -> int:
    """Returns the number of clips of silence: a word's mean, at most a tenth of all words."""
    mean, total = _of_words(found)
    return max(1, min(round(mean), round(0.1 * total)))


def _fewer_unknown(
    pairs: list[tuple[recordings.Recording, sound_places.Place]], seed: int
) -> list[tuple[recordings.Recording, sound_places.Place]]:
    mean, _ = _of_words([recording for recording, _ in pairs])
    unknown = [each.name for each, _ in pairs if each.label == recordings.UNKNOWN]
    kept = set(division.in_drawn_order(unknown, seed)[: max(1, round(mean))])
    return [
        (each, place)
        for each, place in pairs
        if each.label != recordings.UNKNOWN or each.name in kept
    ]


def _of_words(found: Sequence[recordings.Recording]) -> tuple[float, int]:
    """Returns the mean number of recordings of a word, and their total."""
    names = [each.label for each in found]
    words = set(names) - {recordings.SILENCE, recordings.UNKNOWN}
    total = sum(name in words for name in names)
    return total / max(1, len(words)), total


DEFAULT = "spoken_commands"
_MOST_NOISES = 60  # silent clips of train, used where the data have no noise of their own
_QUIETEST = 1e-4  # least root mean square of a sound that counts as noise


def load(config: configs.Config) -> recordings.Corpus:
    """Finds the recordings of `config.data`, divides them, and looks at all that headers tell.

    `config.data` is a folder or a csv of the user's own (see `recordings.find_files`), or the name
    of a TFDS set with audio and labels (see `recordings.find_set`); files come first. The
    division is the data's own, else by speaker, else by recording (see `division.by_speaker`).

    With `audio.words`, every other label becomes "unknown", and of "unknown" no more recordings
    are kept in a part than the words have on average: the rest would drown them. Where there is
    noise and no label silence, clips of it become "silence": as many as a word has on average, but
    at most a tenth of the words' recordings; each part has its own stretches of the noise.

    `Corpus.noise` are the training stretches of the noise; where there is none, silence of the
    train part.

    Raises:
        UserError: nothing of that name, or data that cannot be learned: the message names the
            file, line or label.
    """
    source = _find(config)
    with progress.working("looking at the recordings"):
        seconds = source.reader.seconds(source.places)
    clip_seconds, misfit = window(config.audio.clip_seconds, _of_speech(source, seconds))
    parts, split = division.by_speaker(
        [
            labelled_files.Example(recording.name, recording.label, recording.speaker, part)
            for recording, part in zip(source.recordings, source.parts, strict=True)
        ],
        source.divided_by,
        {
            "validation": config.audio.validation_fraction,
            "test": config.audio.test_fraction,
        },
        config.seed,
        source=source.source,
        silence=recordings.SILENCE,
    )
    found = choose_words(source, parts, config.audio.words, config.seed)
    stretches = noise_stretches(source.background)
    labels = {recording.label for part in found.values() for recording, _ in part}
    if source.background and recordings.SILENCE not in labels:
        for number, part in enumerate(labelled_files.PARTS):
            found[part] += silence(
                stretches[part],
                silence_count([recording for recording, _ in found[part]]),
                clip_seconds,
                seed=(config.seed, number),
            )
    _check(found, source.source)
    corpus_parts = {
        part: recordings.Clips(
            tuple(recording for recording, _ in pairs),
            tuple(place for _, place in pairs),
            source.reader,
        )
        for part, pairs in found.items()
    }
    with progress.working("reading the recordings"):
        fingerprint = _fingerprint(corpus_parts, stretches["train"])
    return recordings.Corpus(
        name=source.name,
        licence=source.licence,
        source=source.source,
        fingerprint=fingerprint,
        split=split,
        label_names=recordings.label_names({r.label for p in found.values() for r, _ in p}),
        train=corpus_parts["train"],
        validation=corpus_parts["validation"],
        test=corpus_parts["test"],
        noise=_noise(corpus_parts["train"], stretches["train"], config.seed),
        clip_seconds=clip_seconds,
        seconds=tuple(seconds),
        unread=source.unread,
        notes=(*source.notes, *misfit),
    )


def window(given: float | None, seconds: Sequence[float]) -> tuple[float, tuple[str, ...]]:
    """Returns the length of a stream's end that is judged, and a sentence if it does not fit.

    A length that is given stays. Without one it is the length that nine in ten recordings do not
    exceed, rounded up to a tenth of a second: a word that is longer than the window is never heard
    whole, and so is missed in a stream.

    Args:
        given: `audio.clip_seconds`.
        seconds: length of each recording in which somebody speaks.
    """
    if not seconds:
        return given or 1.0, ()
    longest = float(np.quantile(seconds, _WHOLE_SHARE, method="inverted_cdf"))
    fitting = max(0.1, np.ceil(round(longest * 10, 6)) / 10)
    if given is None:
        return float(fitting), ()
    if longest > given + _NEAR_SECONDS:
        longer = float(np.mean(np.array(seconds) > given))
        wrong = f"is shorter than {longer:.0%} of the recordings: streams will miss such words"
    elif given > 2 * fitting:
        wrong = "is more than twice as long as nine in ten recordings: streams mix several words"
    else:
        return given, ()
    return given, (f"audio.clip_seconds {given:g} {wrong}; without it the window is {fitting:g} s",)


def _of_speech(source: recordings.Source, seconds: Sequence[float]) -> list[float]:
    pairs = zip(source.recordings, seconds, strict=True)
    return [length for each, length in pairs if each.label != recordings.SILENCE]


def preprocess(waveforms: tf.Tensor, config: configs.Config) -> tf.Tensor:
    """Computes features, float32 [b, frames, channels], of clips, float32 [b, samples].

    Exports compute this in pure TensorFlow; training reads librosa's features, which agree
    (`features.extract`).
    """
    return served_features.whole(waveforms, config.audio, config.features)


def batches(
    examples: feature_cache.FeatureSet,
    classes: int,
    config: configs.Config,
    fill: np.ndarray,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns an endless stream of (inputs of the model, labels): see `batches.endless`."""
    return example_batches.endless(examples, classes, config, fill, first_step)


def _find(config: configs.Config) -> recordings.Source:
    name, rate = config.data or DEFAULT, config.audio.sample_rate_hz
    path = named_sets.own_path(name)
    return recordings.find_files(path, rate) if path else recordings.find_set(name, rate)


def _check(found: ChosenWords, source: str) -> None:
    """Raises UserError if the data cannot be learned or measured."""
    labels = {
        part: {recording.label for recording, _ in found[part]} for part in labelled_files.PARTS
    }
    if len(labels["train"]) < 2:
        only = ", ".join(map(repr, labels["train"])) or "none"
        raise errors.UserError(
            f"{source}: two labels or more are needed, the train part has {only}; "
            "add recordings of another word, or of silence"
        )
    for part in ("validation", "test"):
        if not found[part]:
            raise errors.UserError(f"{source}: no recording in the part {part}")
        unheard = sorted(labels[part] - labels["train"])
        if unheard:
            name = next(r.name for r, _ in found[part] if r.label == unheard[0])
            raise errors.UserError(
                f"{source}: label {unheard[0]!r} is in {part} ({name}) and not in train; "
                "move recordings of it there, or remove it"
            )


def _fingerprint(parts: dict[str, recordings.Clips], noise: list[sound_places.Place]) -> str:
    """Returns the SHA-256 of the names in each part and of all content."""
    digest = hashlib.sha256()
    sound_places.add_content(digest, parts)
    for place, content in zip(noise, parts["train"].reader.digests(noise), strict=True):
        digest.update(f"noise\n{place.first_frame}\n{place.frames}\n{content}\0".encode())
    return digest.hexdigest()


def _noise(
    train: recordings.Clips, stretches: list[sound_places.Place], seed: int
) -> tuple[np.ndarray, ...]:
    """Returns sounds without words: float32 [samples] each, all of them audible."""
    places = stretches
    if not places:
        place_of = {
            recording.name: place
            for recording, place in zip(train.recordings, train.places, strict=True)
            if recording.label == recordings.SILENCE
        }
        places = [place_of[name] for name in division.in_drawn_order(place_of, seed)]
        places = places[:_MOST_NOISES]
    sounds = (train.reader.read(place) for place in places)
    return tuple(sound for sound in sounds if np.sqrt(np.mean(sound**2)) > _QUIETEST)
