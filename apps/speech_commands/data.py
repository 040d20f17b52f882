"""The recordings in their three parts, and what a training step sees of them."""

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps import errors
from apps.speech_commands import (
    background_noise,
    chosen_words,
    example_batches,
    feature_cache,
    own_data,
    served_features,
    set_data,
    speakers,
)
from apps.speech_commands import config as configs
from apps.speech_commands import recordings as clips

DEFAULT = "spoken_commands"
_MOST_NOISES = 60  # of silence in train, where there is no noise beside the words
_QUIETEST = 1e-4  # root mean square of what counts as noise


def load(config: configs.Config) -> clips.Corpus:
    """Finds the recordings of `config.data`, divides them, and looks at all that headers tell.

    `config.data` is a folder or a csv of the user's own (see `own_data.find`) or the name of a
    TFDS set with audio and labels (see `set_data.find`); what exists on disk comes first. The
    division is the data's own, else by speaker, else by recording (see `speakers.divide`).

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
    parts, split = speakers.divide(
        source,
        {
            "validation": config.audio.validation_fraction,
            "test": config.audio.test_fraction,
        },
        config.seed,
    )
    found = chosen_words.choose(source, parts, config.audio.words, config.seed)
    stretches = background_noise.stretches(source.background)
    labels = {recording.label for part in found.values() for recording, _ in part}
    if source.background and clips.SILENCE not in labels:
        for number, part in enumerate(clips.PARTS):
            found[part] += background_noise.silence(
                stretches[part],
                chosen_words.silence_count([recording for recording, _ in found[part]]),
                config.audio.clip_seconds,
                seed=(config.seed, number),
            )
    _check(found, source.source)
    corpus_parts = {
        part: clips.Clips(
            tuple(recording for recording, _ in pairs),
            tuple(place for _, place in pairs),
            source.reader,
        )
        for part, pairs in found.items()
    }
    return clips.Corpus(
        name=source.name,
        licence=source.licence,
        source=source.source,
        fingerprint=_fingerprint(corpus_parts, stretches["train"]),
        split=split,
        label_names=clips.label_names({r.label for p in found.values() for r, _ in p}),
        train=corpus_parts["train"],
        validation=corpus_parts["validation"],
        test=corpus_parts["test"],
        noise=_noise(corpus_parts["train"], stretches["train"], config.seed),
    )


def preprocess(waveforms: tf.Tensor, config: configs.Config) -> tf.Tensor:
    """Features, float32 [b, frames, channels], of clips, float32 [b, samples], in pure TensorFlow.

    What an export computes; training sees librosa's, which are the same
    (`reference_features.extract`).
    """
    return served_features.whole(waveforms, config.audio, config.features)


def batches(
    examples: feature_cache.FeatureSet,
    classes: int,
    config: configs.Config,
    fill: np.ndarray,
    first_step: int = 0,
) -> tf.data.Dataset:
    """An endless stream of (inputs of the model, labels): see `example_batches.endless`."""
    return example_batches.endless(examples, classes, config, fill, first_step)


def _find(config: configs.Config) -> clips.Source:
    name = config.data or DEFAULT
    path = Path(name).expanduser()
    if path.exists():
        return own_data.find(path, config.audio.sample_rate_hz)
    if path.suffix == ".csv" or name.startswith((".", "/", "~")):
        raise errors.UserError(f"{name}: no such file or folder")
    return set_data.find(name, config.audio.sample_rate_hz)


def _check(found: chosen_words.Found, source: str) -> None:
    """UserError where what was found cannot be learned or measured."""
    labels = {part: {recording.label for recording, _ in found[part]} for part in clips.PARTS}
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


def _fingerprint(parts: dict[str, clips.Clips], noise: list[clips.Place]) -> str:
    """SHA-256 over what is in each part and over the content of it all."""
    digest = hashlib.sha256()
    for part, held in parts.items():
        contents = held.reader.digests(held.places)
        for recording, place, content in zip(held.recordings, held.places, contents, strict=True):
            facts = (part, *recording, place.first_frame, place.frames, content)
            digest.update("\n".join(map(str, facts)).encode() + b"\0")
    for place, content in zip(noise, parts["train"].reader.digests(noise), strict=True):
        digest.update(f"noise\n{place.first_frame}\n{place.frames}\n{content}\0".encode())
    return digest.hexdigest()


def _noise(train: clips.Clips, stretches: list[clips.Place], seed: int) -> tuple[np.ndarray, ...]:
    """Sounds without words: float32 [samples] each, none of them silent."""
    places = stretches
    if not places:
        place_of = {
            recording.name: place
            for recording, place in zip(train.recordings, train.places, strict=True)
            if recording.label == clips.SILENCE
        }
        places = [place_of[name] for name in speakers.in_drawn_order(place_of, seed)]
        places = places[:_MOST_NOISES]
    sounds = (train.reader.read(place) for place in places)
    return tuple(sound for sound in sounds if np.sqrt(np.mean(sound**2)) > _QUIETEST)
