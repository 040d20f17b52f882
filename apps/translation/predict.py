"""Translates texts: `python -m apps.translation.predict "She sees an old house."`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pydantic.dataclasses
import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command
from apps.suite.networks.config import BeamWidth
from apps.suite.runs import config as fields
from apps.suite.runs import files
from apps.suite.texts import text_files

TASK = "translation"
_ROWS = 32


@pydantic.dataclasses.dataclass(frozen=True)
class Options:
    """Print the translations of texts."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts to translate; without any, each line of standard input is one."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    input: Path | None = None
    """Translate the lines of this file instead."""
    output: Path | None = None
    """Write to this file, a line for each text, instead of printing."""
    beam_width: Annotated[int, pydantic.Field(ge=0, le=16)] = 0
    """Sequences that the search keeps, 1 to 16; 0 = that of the run's config."""
    length_penalty: fields.Amount | None = None
    """Preference of longer translations, from 0; default: that of the run's config."""
    nbest: BeamWidth = 1
    """Translations of each text, the best first."""
    attention: Path | None = None
    """Draw the attention of the first translation into this .png file."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object with the translations and their scores on each line."""


class Translation(NamedTuple):
    """A translation and its score: ln p divided by the penalty of its length."""

    text: str
    score: float


@dataclass(frozen=True)
class Answer:
    """A text and its translations, the best first."""

    text: str
    translation: str
    score: float
    alternatives: list[Translation]


def predict(options: Options) -> Iterator[Answer]:
    """Yields the answer to each text, in their order.

    Raises:
        UserError: no finished run, export or server; a text that is not UTF-8, or too long.
    """
    if options.attention and options.attention.suffix.lower() != ".png":
        raise errors.UserError(f"--attention {options.attention}: give a name that ends in .png")
    texts = _texts(options)
    for file in (options.output, options.attention):
        if file is not None:
            files.make_room(file)
    from apps.suite.export import asking
    from apps.translation import serving

    with asking.model(TASK, serving.served, options) as model:
        drawn = False
        for start in range(0, len(texts), _ROWS):
            some = texts[start : start + _ROWS]
            for answer in answers(
                model, some, options.beam_width, options.length_penalty, options.nbest
            ):
                if options.attention and not drawn and answer.translation:
                    drawn = True
                    draw(model, answer, options.attention)
                yield answer
        if options.attention and not drawn:
            print(
                f"note: no translation has text; {options.attention} is not drawn", file=sys.stderr
            )


def answers(
    model: Any,
    texts: Sequence[str],
    width: int = 0,
    penalty: float | None = None,
    nbest: int = 1,
) -> Iterator[Answer]:
    """Asks a model for translations; a width of 0 and no penalty are those of the run's config."""
    import numpy as np

    penalty = model.setting("length_penalty") if penalty is None else penalty
    width = max(width or model.setting("beam_width"), nbest)
    text = np.array([each.encode() for each in texts], object)
    if nbest == 1:
        found = model.ask(text=text, beam_width=width, length_penalty=penalty)
        lists = (found["translation"][:, None], found["score"][:, None])
    else:
        found = model.ask("alternatives", text=text, count=width, length_penalty=penalty)
        lists = (found["translations"][:, :nbest], found["scores"][:, :nbest])
    for at, given in enumerate(texts):
        several = [
            Translation(written.decode(errors="replace"), float(score))
            for place, (written, score) in enumerate(zip(lists[0][at], lists[1][at], strict=True))
            if written or not place
        ]
        yield Answer(given, *several[0], several)


def aligned(model: Any, answer: Answer) -> tuple[list[str], list[str], Any]:
    """Returns the pieces of both sides and the attention between them."""
    import numpy as np

    from apps.suite.evaluation import attention_plots

    text, translation = (
        np.array([each.encode()], object) for each in (answer.text, answer.translation)
    )
    found = model.ask("align", text=text, translation=translation)
    return attention_plots.cut(
        found["source_pieces"][0], found["target_pieces"][0], np.asarray(found["attention"][0])
    )


def draw(model: Any, answer: Answer, file: Path) -> None:
    """Writes a picture of the attention of a translation."""
    from apps.suite.evaluation import attention_plots, plot_style

    drawing, height = attention_plots.drawing(*aligned(model, answer))
    files.write_atomically(file, plot_style.png(plot_style.LIGHT, "Attention", drawing, height))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    if options.output is None:
        for answer in predict(options):
            print(_line(answer, options), flush=True)
        return
    lines = [_line(answer, options) + "\n" for answer in predict(options)]
    files.write_atomically(options.output, "".join(lines))


def _line(answer: Answer, options: Options) -> str:
    if options.json:
        several = [each._asdict() for each in answer.alternatives]
        return json.dumps(asdict(answer) | {"alternatives": several}, ensure_ascii=False)
    if options.nbest == 1:
        return answer.translation
    return "\n".join(f"{each.score:.3f}\t{each.text}" for each in answer.alternatives)


def _texts(options: Options) -> list[str]:
    if options.input is not None:
        if options.texts:
            raise errors.UserError("--input and texts cannot be given together; leave out one")
        return text_files.read(options.input).removesuffix("\n").split("\n")
    return text_files.asked(options.texts)


if __name__ == "__main__":
    sys.exit(main())
