"""Hears words in files, folders and pipes: `python -m apps.speech_commands.predict call.wav`.

What is heard in one sound, as a clip or as a stream, while it comes block by block.

A run or an export, asked alike: for a clip's label, or for the words of a stream.
"""

from __future__ import annotations

import itertools
import json
import logging
import sys
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import command

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.speech_commands import detector


class Recogniser:
    """Answers through the signatures of an export; see `from_run` and `from_export`.

    Args:
        signatures: by name, each a function of named tensors.
        settings: the asset of that name.
        owner: holds the variables, which the signatures don't.

    Attributes:
        label_names: of the probabilities.
        sample_rate_hz: of the samples that it takes.
        clip_seconds: how much of a stream an answer is about.
        streams: whether it answers streams.
    """

    def __init__(
        self, signatures: Mapping[str, Any], settings: Mapping[str, Any], owner: object
    ) -> None:
        self._signatures, self._owner = signatures, owner
        self._settings = settings
        self.label_names = tuple(settings["label_names"])
        self.sample_rate_hz = int(settings["sample_rate_hz"])
        self.clip_seconds = float(settings["clip_seconds"])
        self.streams = "detector" in settings

    def probabilities(self, waveform: np.ndarray) -> np.ndarray:
        """Float32 [labels] of a clip, float32 [samples]."""
        import numpy as np
        import tensorflow as tf

        asked = self._signatures["serving_default"](waveform=tf.constant(waveform[None]))
        return np.asarray(asked["probabilities"])[0]

    def detections(self, blocks: Iterable[np.ndarray]) -> Iterator[list[detector.Detection]]:
        """The words of a stream, which comes as float32 [samples] of any lengths: block by block.

        Only what is not yet answered is kept in memory.
        """
        import numpy as np
        import tensorflow as tf

        from apps.speech_commands import detector

        finder = detector.Detector(self.label_names, **self._settings["detector"])
        found = finder.initial_state()
        states = {name: tf.zeros([1, 0]) for name in self._settings["states"]}
        for block in blocks:
            asked = self._signatures["stream"](chunk=tf.constant(block[None]), **states)
            states = {name: asked[name] for name in states}
            hits, found = finder.detect(np.asarray(asked["probabilities"])[0], found)
            yield hits


def from_run(run: Path) -> Recogniser:
    """Of a finished run. Raises what `trained_model.load` raises."""
    from apps.speech_commands import serving, trained_model

    trained = trained_model.load(run)
    served = serving.ServedSpeech(
        trained.model, trained.label_names, trained.config, trained.thresholds
    )
    return Recogniser(served.signatures(), served.settings, served)


def from_export(version: Path) -> Recogniser:
    """Of an exported version's folder; UserError where it is none, or damaged."""
    import tensorflow as tf

    from apps.speech_commands import serving

    # TensorFlow warns that gradients were not saved; nothing is trained here.
    logging.getLogger("absl").setLevel(logging.ERROR)
    file = version / "assets" / serving.SETTINGS
    if not (version / "saved_model.pb").is_file() or not file.is_file():
        raise errors.UserError(
            f"--model {version}: no exported version; it is the numbered folder that "
            "python -m apps.speech_commands.export wrote"
        )
    try:
        loaded = tf.saved_model.load(str(version))
        settings = json.loads(file.read_text(encoding="utf-8"))
        return Recogniser(loaded.signatures, settings, loaded)
    except (tf.errors.OpError, OSError, KeyError, TypeError, ValueError) as error:
        raise errors.UserError(
            f"--model {version}: no export of speech_commands, or a damaged one; export the run "
            "again"
        ) from error


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
    heard: Recogniser,
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


def predict(options: Options) -> Iterator[Answer]:
    """What is heard, as soon as it is: `Clip` by `Clip`, and `Word`s and an `End` of a stream.

    Raises:
        UserError: no finished run or no export, no such input, or one that cannot be read.
    """
    from apps.suite.sounds import sound_files

    inputs = list(_inputs(options.inputs))
    heard = from_run(options.run) if options.model is None else from_export(options.model)
    rate = heard.sample_rate_hz
    if options.mode == "stream" and not heard.streams:
        raise errors.UserError("--mode stream: this model answers clips alone; use --mode clip")
    for name in inputs:
        if name == STANDARD_INPUT:
            raw_rate = options.raw_rate_hz or rate
            blocks = sound_files.raw_blocks(sys.stdin.buffer, raw_rate, rate, _PIPE_BLOCK_SECONDS)
        else:
            blocks = sound_files.blocks(Path(name), rate, _FILE_BLOCK_SECONDS)
        yield from answers(heard, name, blocks, options.mode, options.top)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


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


def _object(answer: Answer) -> dict[str, Any]:
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
    from apps.suite.sounds import sound_files

    for name in names:
        path = Path(name)
        if name == STANDARD_INPUT:
            yield name
        elif path.is_dir():
            found = sorted(
                file for file in path.rglob("*") if file.suffix.lower() in sound_files.SUFFIXES
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
