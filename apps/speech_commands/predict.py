"""Hears words in files, folders and pipes: `python -m apps.speech_commands.predict call.wav`."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro

from apps import configuration, errors

if TYPE_CHECKING:
    import numpy as np

    from apps.speech_commands import recogniser

TASK = "speech_commands"
STANDARD_INPUT = "-"
_FILE_BLOCK_SECONDS = 1.0
_PIPE_BLOCK_SECONDS = 0.1  # a pipe may be a microphone, whose words should be known at once


@dataclass(frozen=True)
class Options:
    """Say which word a clip is, or which words are in a recording and when."""

    inputs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sound files (wav, flac, ogg), folders of them, or - for raw samples from standard input:
    16 bit, little-endian, one channel."""
    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    model: Path | None = None
    """Ask this version folder of an export instead of a run."""
    mode: Literal["auto", "clip", "stream"] = "auto"
    """clip: one answer for the whole. stream: every word with its time. auto: a file of up to two
    clip lengths is a clip, all else a stream."""
    raw_rate_hz: int | None = None
    """Sample rate of standard input; the model's own where it is not given."""
    top: int = 3
    """How many labels of a clip are shown."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print an object a line, for machines."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("inputs: name a sound file, a folder, or - for standard input")
        if self.inputs.count(STANDARD_INPUT) > 1:
            raise ValueError("inputs: standard input can be read once")
        if self.top < 1:
            raise ValueError(f"--top must be at least 1, is {self.top}")
        if self.raw_rate_hz is not None and self.raw_rate_hz < 1:
            raise ValueError(f"--raw_rate_hz must be at least 1, is {self.raw_rate_hz}")


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


def predict(options: Options) -> Iterator[Clip | Word | End]:
    """What is heard, as soon as it is: a `Clip` for each clip, `Word`s and an `End` for a stream.

    Raises:
        UserError: no finished run or no export, no such input, or one that cannot be read.
    """
    from apps.speech_commands import audio_files, recogniser

    inputs = list(_inputs(options.inputs))
    heard = (
        recogniser.from_run(options.run)
        if options.model is None
        else recogniser.from_export(options.model)
    )
    rate = heard.sample_rate_hz
    if options.mode == "stream" and not heard.streams:
        raise errors.UserError("--mode stream: this model answers clips alone; use --mode clip")
    for name in inputs:
        if name == STANDARD_INPUT:
            raw_rate = options.raw_rate_hz or rate
            blocks = audio_files.raw_blocks(sys.stdin.buffer, raw_rate, rate, _PIPE_BLOCK_SECONDS)
        else:
            blocks = audio_files.blocks(Path(name), rate, _FILE_BLOCK_SECONDS)
        yield from _hear(heard, name, blocks, options)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return configuration.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    shown = None
    for answer in predict(options):
        if options.json:
            print(json.dumps(_object(answer), ensure_ascii=False), flush=True)
            continue
        if isinstance(answer, Clip):
            (label, sure), *others = answer.labels.items()
            rest = ", ".join(f"{name} {share:.2f}" for name, share in others)
            print(f"{answer.input}  {label} {sure:.2f}" + (f"  ({rest})" if rest else ""))
            continue
        if answer.input != shown:
            print(answer.input)
            shown = answer.input
        if isinstance(answer, Word):
            print(f"{answer.seconds:9.2f} s  {answer.word}  {answer.confidence:.2f}", flush=True)
        else:
            words = "1 word" if answer.words == 1 else f"{answer.words} words"
            print(f"{answer.heard_seconds:9.2f} s  end, {words}", flush=True)


def _object(answer: Clip | Word | End) -> dict[str, Any]:
    if isinstance(answer, Clip):
        label = next(iter(answer.labels))
        shares = {name: round(share, 4) for name, share in answer.labels.items()}
        return {"input": answer.input, "label": label, "probabilities": shares}
    if isinstance(answer, Word):
        confidence = round(answer.confidence, 4)
        return {**answer._asdict(), "seconds": round(answer.seconds, 3), "confidence": confidence}
    return {**answer._asdict(), "heard_seconds": round(answer.heard_seconds, 3)}


def _inputs(names: Sequence[str]) -> Iterator[str]:
    """The files that are meant; a folder stands for all sound files in it, in order."""
    from apps.speech_commands import audio_files

    for name in names:
        path = Path(name)
        if name == STANDARD_INPUT:
            yield name
        elif path.is_dir():
            found = sorted(
                file for file in path.rglob("*") if file.suffix.lower() in audio_files.SUFFIXES
            )
            if not found:
                raise errors.UserError(f"{path}: no wav, flac or ogg file in this folder")
            yield from map(str, found)
        elif path.is_file():
            yield name
        else:
            raise errors.UserError(f"{path}: no such file or folder")


def _hear(
    heard: recogniser.Recogniser, name: str, blocks: Iterator[np.ndarray], options: Options
) -> Iterator[Clip | Word | End]:
    """Reads as much as a clip may have; what is longer is heard as a stream, block by block."""
    import numpy as np

    from apps.speech_commands import audio_files

    longest = audio_files.LONGEST_CLIP_SECONDS
    if options.mode != "clip":
        longest = 0.0 if options.mode == "stream" else 2 * heard.clip_seconds
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
        order = np.argsort(-likely, kind="stable")[: options.top]
        yield Clip(name, {heard.label_names[at]: float(likely[at]) for at in order})
        return
    if options.mode == "clip" or not heard.streams:
        why = (
            "longer than a clip may be" if options.mode == "clip" else "this model hears no streams"
        )
        raise errors.UserError(f"{name}: longer than {longest:g} s: {why}; cut it into words")
    yield from _stream(heard, name, itertools.chain(begun, blocks))


def _stream(
    heard: recogniser.Recogniser, name: str, blocks: Iterator[np.ndarray]
) -> Iterator[Word | End]:
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
