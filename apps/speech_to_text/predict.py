"""Writes down files, folders and pipes: `python -m apps.speech_to_text.predict talk.wav`.

A recording of up to a minute is written down whole, with the language model. A longer one, and
standard input, is a stream: words are printed once they are complete.
"""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.suite.export import asking

TASK = "speech_to_text"
STANDARD_INPUT = "-"
_CAPTION_WORDS, _CAPTION_PAUSE_SECONDS = 8, 0.7


@dataclass(frozen=True)
class Options:
    """Print what is said in recordings, or while it is being said."""

    inputs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sound files (wav, flac, mp3 …), folders of them, or -: raw 16-bit mono of standard input."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    stream: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Take the inputs as streams, without the language model; without inputs, standard input."""
    raw_rate_hz: int | None = None
    """Sample rate of standard input; by default the model's own."""
    words: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print each word with its times and its confidence."""
    srt: Path | None = None
    """Write the words of the one recording as captions to this file."""
    alternatives: int = 0
    """Number of texts to print of each recording, with their scores."""
    language_weight: float | None = None
    """Weight of the language model among alternatives; by default the run's."""
    word_bonus: float | None = None
    """Bonus that each word adds to the score of an alternative; by default the run's."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line."""

    def __post_init__(self) -> None:
        inputs = self.inputs or (STANDARD_INPUT,) * self.stream
        asked_model.check_sounds(inputs, self.raw_rate_hz)
        if self.alternatives < 0:
            raise ValueError(f"--alternatives must not be below 0, is {self.alternatives}")
        whole = self.words or self.srt or self.alternatives
        if whole and (self.stream or STANDARD_INPUT in inputs):
            raise ValueError(
                "--words, --srt and --alternatives are of whole recordings; leave --stream and - "
                "out, or ask for the text alone"
            )
        chosen = self.language_weight is not None or self.word_bonus is not None
        if chosen and not self.alternatives:
            raise ValueError(
                "--language_weight and --word_bonus order alternatives; add --alternatives 5"
            )


class Word(NamedTuple):
    """A word and its times in seconds."""

    word: str
    start: float
    end: float
    confidence: float


class Recording(NamedTuple):
    """The answer to a recording; words and alternatives where they were asked for."""

    input: str
    text: str
    confidence: float
    words: tuple[Word, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()


class Piece(NamedTuple):
    """Words of a stream that are complete, after so many seconds, and the one that is not yet."""

    input: str
    seconds: float
    text: str
    tail: str


Answer = Recording | Piece


def predict(options: Options) -> Iterator[Answer]:
    """Yields a `Recording` for each one, and the `Piece`s of a stream as soon as they are heard.

    Raises:
        UserError: no finished run, export or server, no such input, or one that cannot be read.
    """
    from apps.suite.data import sound_places
    from apps.suite.sounds import sound_files

    inputs = list(sound_places.asked(options.inputs or (STANDARD_INPUT,)))
    if options.srt is not None and len(inputs) != 1:
        raise errors.UserError(f"--srt: captions are of one recording, {len(inputs)} are given")
    from apps.speech_to_text import serving
    from apps.suite.export import asking

    with asking.model(TASK, serving.served, options) as model:
        rate = int(model.setting("sample_rate_hz"))
        for name in inputs:
            is_file = name != STANDARD_INPUT
            length = sound_files.length(Path(name)).seconds if is_file else float("inf")
            if options.stream or length > sound_files.LONGEST_CLIP_SECONDS:
                if options.words or options.srt or options.alternatives:
                    longest = f"{sound_files.LONGEST_CLIP_SECONDS:g}"
                    raise errors.UserError(
                        f"{name}: has {length:,.1f} s; words, captions and alternatives are of "
                        f"recordings of up to {longest} s: cut it, or ask for the text alone"
                    )
                blocks = sound_places.blocks(name, rate, options.raw_rate_hz)
                yield from pieces(model, name, blocks, rate)
            else:
                yield whole(model, name, sound_files.read(Path(name), rate), options)


def whole(model: asking.Model, name: str, sound: np.ndarray, options: Options) -> Recording:
    """Returns the answer to a recording, float32 [samples] at the model's rate."""
    import numpy as np

    given: dict[str, Any] = {"waveform": sound[None], "length": np.array([len(sound)], np.int32)}
    answer = model.ask(waveform=sound[None])
    found = Recording(name, answer["text"][0].decode(), float(answer["confidence"][0]))
    if options.words or options.srt is not None:
        told = model.ask("words", **given)
        columns = ("words", "start_seconds", "end_seconds", "confidence")
        rows = zip(*(told[column][0] for column in columns), strict=True)
        words = (Word(w.decode(), float(a), float(b), float(c)) for w, a, b, c in rows if w)
        found = found._replace(words=tuple(words))
    if options.alternatives:
        weights = {
            name: np.array([model.setting(name) if value is None else value], np.float32)
            for name, value in (
                ("language_weight", options.language_weight),
                ("word_bonus", options.word_bonus),
            )
        }
        told = model.ask("beam", **given, **weights)
        pairs = zip(told["texts"][0], told["scores"][0], strict=True)
        texts = [(text.decode(), float(score)) for text, score in pairs if score > -1e8]
        found = found._replace(alternatives=tuple(texts[: options.alternatives]))
    return found


def pieces(
    model: asking.Model, name: str, blocks: Iterable[np.ndarray], rate: int
) -> Iterator[Piece]:
    """Yields what a stream says, whenever words are complete or the tail has changed.

    Only samples without an answer yet stay in memory.

    Raises:
        UserError: a model that needs what comes later, or no samples.
    """
    import numpy as np

    if "states" not in model.settings:
        raise errors.UserError(
            f"{name}: this model hears whole recordings only (--model.layer bilstm or convolution);"
            " cut the recording, or train one that streams"
        )
    ask, samples, shown = model.stream(), 0, ""

    def heard(block: np.ndarray, flush: bool) -> Piece:
        told = ask(chunk=block[None], flush=flush)
        text, tail = told["text"][0].decode().strip(), told["tail"][0].decode()
        return Piece(name, samples / rate, text, tail)

    for block in blocks:
        samples += len(block)
        piece = heard(block, False)
        if piece.text or piece.tail != shown:
            yield piece
        shown = piece.tail
    if not samples:
        raise errors.UserError(f"{name}: no samples came; nothing can be heard")
    yield heard(np.zeros(0, np.float32), True)


def captions(words: Sequence[Word]) -> str:
    """Returns words as SubRip captions of a few words, cut at pauses."""
    groups: list[list[Word]] = []
    for word in words:
        begins = not groups or len(groups[-1]) == _CAPTION_WORDS
        if begins or word.start - groups[-1][-1].end > _CAPTION_PAUSE_SECONDS:
            groups.append([])
        groups[-1].append(word)
    lines = []
    for number, group in enumerate(groups, 1):
        text = " ".join(word.word for word in group)
        lines.append(f"{number}\n{_clock(group[0].start)} --> {_clock(group[-1].end)}\n{text}\n")
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"


def _print(options: Options) -> None:
    from apps.suite.runs import files

    live = sys.stdout.isatty()
    for answer in predict(options):
        if isinstance(answer, Recording) and options.srt is not None:
            files.write_atomically(options.srt, captions(answer.words))
        if options.json:
            print(json.dumps(_object(answer), ensure_ascii=False), flush=True)
        elif isinstance(answer, Piece):
            if answer.text:
                print(("\r\033[K" if live else "") + answer.text, flush=True)
            if live and answer.tail:
                print(f"\r\033[K{answer.tail}…", end="", flush=True)
        else:
            print(f"{answer.input}  {answer.confidence:.2f}  {answer.text}")
            for word in answer.words if options.words else ():
                times = f"{word.start:8.2f} to {word.end:.2f} s"
                print(f"{times}  {word.confidence:.2f}  {word.word}")
            for text, score in answer.alternatives:
                print(f"{score:10.2f}  {text}")


def _object(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Piece):
        return {**answer._asdict(), "seconds": round(answer.seconds, 3)}
    found: dict[str, Any] = {
        "input": answer.input, "text": answer.text, "confidence": round(answer.confidence, 4)
    }  # fmt: skip
    if answer.words:
        found["words"] = [
            {"word": each.word, **{k: round(v, 3) for k, v in list(each._asdict().items())[1:]}}
            for each in answer.words
        ]
    if answer.alternatives:
        found["alternatives"] = [
            {"text": text, "score": round(score, 3)} for text, score in answer.alternatives
        ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


if __name__ == "__main__":
    sys.exit(main())
