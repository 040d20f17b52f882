"""Recognises words in files, folders and pipes: `python -m apps.speech_commands.predict call.wav`.

A short sound is a clip with one answer; a longer one is a stream, whose words are printed once
they are detected.
"""

from __future__ import annotations

import itertools
import json
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command, label_answers

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.speech_commands import detector
    from apps.suite.export import asking


TASK = "speech_commands"
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Options:
    """Say which word a clip is, or which words are in a recording and when."""

    inputs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sound files (wav, flac, mp3 …), folders of them, or -: raw 16-bit mono of standard input."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    mode: Literal["auto", "clip", "stream"] = "auto"
    """One answer (clip), or each word with its time (stream); auto: short sound is a clip."""
    raw_rate_hz: int | None = None
    """Sample rate of standard input; by default the model's own."""
    top: int = 3
    """Number of labels of a clip to show."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line, one for each answer."""

    def __post_init__(self) -> None:
        asked_model.check_sounds(self.inputs, self.raw_rate_hz)
        if self.top < 1:
            raise ValueError(f"--top must be at least 1, is {self.top}")


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


def predict(options: Options) -> Iterator[Answer]:
    """Yields a `Clip` for a clip, and the `Word`s and the `End` of a stream, as soon as heard.

    Raises:
        UserError: no finished run, export or server, no such input, or one that cannot be read.
    """
    from apps.suite.data import sound_places

    inputs = list(sound_places.asked(options.inputs))
    from apps.speech_commands import serving
    from apps.suite.export import asking

    with asking.model(TASK, serving.served, options) as model:
        heard = Recogniser(model)
        rate = heard.sample_rate_hz
        if options.mode == "stream" and not heard.streams:
            raise errors.UserError("--mode stream: this model answers clips only; use --mode clip")
        for name in inputs:
            blocks = sound_places.blocks(name, rate, options.raw_rate_hz)
            yield from answers(heard, name, blocks, options.mode, options.top)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    shown = None
    for answer in predict(options):
        if options.json:
            print(json.dumps(_object(answer), ensure_ascii=False), flush=True)
            continue
        if isinstance(answer, Clip):
            print(label_answers.told(answer.input, answer.labels))
            continue
        if answer.input != shown:
            print(answer.input)
            shown = answer.input
        if isinstance(answer, Word):
            print(f"{answer.seconds:9.2f} s  {answer.word}  {answer.confidence:.2f}", flush=True)
        else:
            words = "1 word" if answer.words == 1 else f"{answer.words} words"
            print(f"{answer.heard_seconds:9.2f} s  end, {words}", flush=True)


def _object(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Clip):
        return label_answers.fields(answer.input, answer.labels)
    if isinstance(answer, Word):
        confidence = round(answer.confidence, 4)
        return {**answer._asdict(), "seconds": round(answer.seconds, 3), "confidence": confidence}
    return {**answer._asdict(), "heard_seconds": round(answer.heard_seconds, 3)}


class Recogniser:
    """Labels clips, and finds the words of streams.

    Args:
        model: answers the signatures of the task's export.

    Attributes:
        label_names: of the probabilities.
        sample_rate_hz: of the samples that it takes.
        clip_seconds: length of the stretch of a stream that an answer is about.
        streams: whether it answers streams.
    """

    def __init__(self, model: asking.Model) -> None:
        self._model = model
        self.label_names = tuple(model.setting("label_names"))
        self.sample_rate_hz = int(model.setting("sample_rate_hz"))
        self.clip_seconds = float(model.setting("clip_seconds"))
        self.streams = "detector" in model.settings

    def probabilities(self, waveform: np.ndarray) -> np.ndarray:
        """Returns float32 [labels] for a clip, float32 [samples]."""
        return self._model.ask(waveform=waveform[None])["probabilities"][0]

    def detections(self, blocks: Iterable[np.ndarray]) -> Iterator[list[detector.Detection]]:
        """Yields the words of each block of a stream, float32 [samples] of any length.

        Only samples without an answer yet stay in memory.
        """
        from apps.speech_commands import detector

        finder = detector.Detector(self.label_names, **self._model.setting("detector"))
        found = finder.initial_state()
        ask = self._model.stream()
        for block in blocks:
            hits, found = finder.detect(ask(chunk=block[None])["probabilities"][0], found)
            yield hits


def answers(
    heard: Recogniser,
    name: str,
    blocks: Iterator[np.ndarray],
    mode: Literal["auto", "clip", "stream"],
    top: int,
) -> Iterator[Answer]:
    """Yields a `Clip`, or `Word`s as soon as they are known and an `End`.

    Args:
        heard: the recogniser to ask.
        name: of the sound, for answers and errors.
        blocks: float32 [samples] each, at the recogniser's rate; one is in memory at a time, and
            what a clip may have.
        mode: auto takes what has at most two clip lengths for a clip.
        top: how many labels of a clip are told.

    Raises:
        UserError: no samples, a clip that is too long, a stream for a model that hears none.
    """
    import numpy as np

    from apps.suite.sounds import sound_files

    longest = sound_files.LONGEST_CLIP_SECONDS
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
        yield Clip(name, label_answers.likeliest(likely, heard.label_names, top))
        return
    if mode == "clip":
        raise errors.UserError(f"{name}: longer than {longest:g} s; cut it into words")
    if not heard.streams:
        raise errors.UserError(
            f"{name}: longer than {longest:g} s, and this model answers clips only; cut it into "
            "words, or ask for one answer with --mode clip"
        )
    yield from _stream(heard, name, itertools.chain(begun, blocks))


def _stream(heard: Recogniser, name: str, blocks: Iterator[np.ndarray]) -> Iterator[Answer]:
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


if __name__ == "__main__":
    sys.exit(main())
