"""What is heard in one sound, as a clip or as a stream, while it comes block by block."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from apps import errors

if TYPE_CHECKING:
    import numpy as np

    from apps.speech_commands import recogniser


class Clip(NamedTuple):
    """The answer to a clip: labels and their probabilities, the likeliest first."""

    input: str
    labels: dict[str, float]


class Word(NamedTuple):
    """A word in a stream."""

    input: str
    seconds: float
    word: str
    confidence: float


class End(NamedTuple):
    """The end of a stream."""

    input: str
    heard_seconds: float
    words: int


Answer = Clip | Word | End


def answers(
    heard: recogniser.Recogniser,
    name: str,
    blocks: Iterator[np.ndarray],
    mode: Literal["auto", "clip", "stream"],
    top: int,
) -> Iterator[Answer]:
    """A `Clip`, or `Word`s as soon as they are known and an `End`.

    Args:
        heard: who is asked.
        name: of the sound, for answers and errors.
        blocks: float32 [samples] each, at the recogniser's rate; one is in memory at a time, and
            what a clip may have.
        mode: auto takes what has at most two clip lengths for a clip.
        top: how many labels of a clip are told.

    Raises:
        UserError: no samples, a clip that is too long, a stream for a model that hears none.
    """
    import numpy as np

    from apps import audio_files

    longest = audio_files.LONGEST_CLIP_SECONDS
    if mode != "clip":
        longest = 0.0 if mode == "stream" else 2 * heard.clip_seconds
    begun: list[np.ndarray] = []
    length = 0
    for block in blocks:
        begun.append(block)
        length += len(block)
        if length > longest * heard.sample_rate_hz:
            break
    if not length:
        raise errors.UserError(f"{name}: no samples came; nothing can be heard")
    if length <= longest * heard.sample_rate_hz:
        likely = heard.probabilities(np.concatenate(begun))
        order = np.argsort(-likely, kind="stable")[:top]
        yield Clip(name, {heard.label_names[at]: float(likely[at]) for at in order})
        return
    if mode == "clip":
        raise errors.UserError(f"{name}: longer than {longest:g} s; cut it into words")
    if not heard.streams:
        raise errors.UserError(
            f"{name}: longer than {longest:g} s, and this model answers clips alone; cut it into "
            "words, or ask for one answer with --mode clip"
        )
    yield from _stream(heard, name, itertools.chain(begun, blocks))


def _stream(
    heard: recogniser.Recogniser, name: str, blocks: Iterator[np.ndarray]
) -> Iterator[Answer]:
    samples = words = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal samples
        for block in blocks:
            samples += len(block)
            yield block

    for hits in heard.detections(counted()):
        for hit in hits:
            words += 1
            yield Word(name, hit.seconds, hit.word, hit.confidence)
    yield End(name, samples / heard.sample_rate_hz, words)
