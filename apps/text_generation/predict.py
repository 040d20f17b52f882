"""Continues prompts: `python -m apps.text_generation.predict "In the beginning"`."""

from __future__ import annotations

import json
import math
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command

if typing.TYPE_CHECKING:
    import numpy as np


TASK = "text_generation"


@dataclass(frozen=True)
class Options:
    """Continue prompts with likely text, which is printed as it is generated."""

    prompts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Beginnings to continue; without any, one is read from standard input."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    length: int = 300
    """Tokens to generate."""
    temperature: float = 0.8
    """Below 1, likely tokens become likelier; 0 always takes the most probable token."""
    top_k: int = 0
    """Draw only from this many most probable tokens; 0 = from all."""
    top_p: float = 1.0
    """Draw from the most probable tokens that together have this probability; 1 = from all."""
    seed: int = 0
    """The same seed draws the same text again; another seed draws another text."""
    repetition_penalty: float = 1.0
    """Above 1, tokens that already occurred become less likely; for words and subwords."""
    beam_width: int = 0
    """Search for the most probable text with this many candidates; 0 = draw instead."""
    stop: str = ""
    """End right after this text, if it comes before the length is reached."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object with prompt and text on each line."""

    def __post_init__(self) -> None:
        for name, fits, needed in (
            ("length", 0 <= self.length < 2**31, "at least 0 and below 2^31"),
            ("temperature", 0 <= self.temperature < math.inf, "at least 0 and finite"),
            ("top_k", 0 <= self.top_k < 2**31, "at least 0 and below 2^31"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("seed", -(2**63) <= self.seed < 2**63, "an integer of 64 bits"),
            ("repetition_penalty", 0 < self.repetition_penalty < math.inf, "above 0 and finite"),
            ("beam_width", 0 <= self.beam_width < 2**31, "at least 0 and below 2^31"),
        ):
            if not fits:
                raise ValueError(f"--{name} must be {needed}, is {getattr(self, name)}")
        if (self.server or self.model) and (self.beam_width or self.repetition_penalty != 1):
            raise ValueError(
                "--beam_width and --repetition_penalty need --run; an export and a server only draw"
            )


def predict(options: Options) -> Iterator[tuple[str, Iterator[str]]]:
    """Yields each prompt with the pieces of its continuation as they are generated.

    Raises:
        UserError: no finished run, no export or no server, or a prompt with what the vocabulary
            lacks.
    """
    prompts = options.prompts or (_standard_input(),)
    for prompt in prompts:
        try:
            prompt.encode()
        except UnicodeEncodeError:
            raise errors.UserError(f"prompt {prompt!r}: not UTF-8; check the terminal") from None
    ask = _ask_signature if options.server or options.model else _ask_run
    for prompt, pieces in zip(prompts, ask(options, prompts), strict=True):
        yield prompt, _until(pieces, options.stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    for prompt, pieces in predict(options):
        if options.json:
            answer = {"prompt": prompt, "text": "".join(pieces)}
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        else:
            print(prompt, end="", flush=True)
            for piece in pieces:
                print(piece, end="", flush=True)
            print()


def _ask_run(options: Options, prompts: Sequence[str]) -> Iterator[Iterator[str]]:
    """Asks the Keras model of a run, whose texts come token by token."""
    from apps.suite.networks import beam_search, sampling
    from apps.text_generation import model, trained_model

    trained = trained_model.load(options.run)
    streaming, tokenizer = trained.answering(), trained.tokenizer
    for prompt in prompts:
        unknown = tokenizer.first_unknown(prompt)
        if unknown:
            raise errors.UserError(
                f"prompt {prompt!r}: {unknown[0]!r}, at character {unknown[1] + 1}, is not in the "
                "vocabulary of the training text; write it differently"
            )
    for prompt in prompts:
        ids = tokenizer.encode(prompt) if prompt else sampling.start_tokens(tokenizer)
        blocks: Iterable[np.ndarray]
        if options.beam_width:
            found, _ = beam_search.continuation(
                streaming,
                ids,
                options.length,
                options.beam_width,
                options.repetition_penalty,
                step=model.step,
            )
            blocks = [found]
        else:
            blocks = sampling.stream(
                streaming,
                ids,
                length=options.length,
                temperature=options.temperature,
                top_k=options.top_k,
                top_p=options.top_p,
                seed=options.seed,
                repetition_penalty=options.repetition_penalty,
                step=model.step,
            )
        yield sampling.texts(blocks, tokenizer)


def _ask_signature(options: Options, prompts: Sequence[str]) -> Iterator[Iterator[str]]:
    """Asks an export or a server, whose texts come whole."""
    from apps.suite.export import asking
    from apps.text_generation import serving

    with asking.model(TASK, serving.served, options) as model:
        answer = model.ask(
            prompt=[prompt.encode() for prompt in prompts],
            length=options.length,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            seed=options.seed,
        )
        yield from (iter([text.decode()]) for text in answer["text"])


def _standard_input() -> str:
    """Reads standard input to its end, without the line feed of its last line."""
    if sys.stdin.isatty():
        print("prompt, ended by Ctrl-D:", file=sys.stderr)
    try:
        return sys.stdin.read().removesuffix("\n")
    except UnicodeDecodeError:
        raise errors.UserError("standard input: not UTF-8; convert it to UTF-8") from None


def _until(pieces: Iterator[str], stop: str) -> Iterator[str]:
    """Yields the pieces up to the end of the first `stop` in their text."""
    text = ""
    for piece in pieces:
        before = len(text)
        text += piece
        found = text.find(stop, max(0, before - len(stop) + 1)) if stop else -1
        if found >= 0:
            yield text[before : found + len(stop)]
            return
        yield piece


if __name__ == "__main__":
    sys.exit(main())
