"""Hears words in files, folders and pipes: `python -m apps.speech_commands.predict call.wav`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from apps import configuration, errors
from apps.speech_commands import answers

TASK = "speech_commands"
STANDARD_INPUT = "-"
_FILE_BLOCK_SECONDS = 1.0
_PIPE_BLOCK_SECONDS = 0.1  # a pipe may be a microphone, whose words should be known at once


@dataclass(frozen=True)
class Options:
    """Say which word a clip is, or which words are in a recording and when."""

    inputs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sound files (wav, flac, ogg), folders of them, or -: raw 16-bit mono from standard input."""
    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    model: Path | None = None
    """Ask this version folder of an export instead of a run."""
    mode: Literal["auto", "clip", "stream"] = "auto"
    """One answer (clip), or each word with its time (stream); auto: short sound is a clip."""
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


def predict(options: Options) -> Iterator[answers.Answer]:
    """What is heard, as soon as it is: `Clip` by `Clip`, and `Word`s and an `End` of a stream.

    Raises:
        UserError: no finished run or no export, no such input, or one that cannot be read.
    """
    from apps import audio_files
    from apps.speech_commands import recogniser

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
        yield from answers.answers(heard, name, blocks, options.mode, options.top)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return configuration.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    shown = None
    for answer in predict(options):
        if options.json:
            print(json.dumps(_object(answer), ensure_ascii=False), flush=True)
            continue
        if isinstance(answer, answers.Clip):
            (label, sure), *others = answer.labels.items()
            rest = ", ".join(f"{name} {share:.2f}" for name, share in others)
            print(f"{answer.input}  {label} {sure:.2f}" + (f"  ({rest})" if rest else ""))
            continue
        if answer.input != shown:
            print(answer.input)
            shown = answer.input
        if isinstance(answer, answers.Word):
            print(f"{answer.seconds:9.2f} s  {answer.word}  {answer.confidence:.2f}", flush=True)
        else:
            words = "1 word" if answer.words == 1 else f"{answer.words} words"
            print(f"{answer.heard_seconds:9.2f} s  end, {words}", flush=True)


def _object(answer: answers.Answer) -> dict[str, Any]:
    if isinstance(answer, answers.Clip):
        label = next(iter(answer.labels))
        shares = {name: round(share, 4) for name, share in answer.labels.items()}
        return {"input": answer.input, "label": label, "probabilities": shares}
    if isinstance(answer, answers.Word):
        confidence = round(answer.confidence, 4)
        return {**answer._asdict(), "seconds": round(answer.seconds, 3), "confidence": confidence}
    return {**answer._asdict(), "heard_seconds": round(answer.heard_seconds, 3)}


def _inputs(names: Sequence[str]) -> Iterator[str]:
    """The files that are meant; a folder stands for all sound files in it, in order."""
    from apps import audio_files

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


if __name__ == "__main__":
    sys.exit(main())
