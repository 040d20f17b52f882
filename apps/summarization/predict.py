"""Sums up texts: `python -m apps.summarization.predict "A long text …"`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
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

TASK = "summarization"
_ROWS = 32


@pydantic.dataclasses.dataclass(frozen=True)
class Options:
    """Print a summary of each text."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts to sum up; without any, and without files, each line of standard input is one."""
    input: tuple[Path, ...] = ()
    """Files, each a text, or folders of .txt files."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    max_words: fields.Count | None = None
    """Words of a summary at most; by default as in training."""
    min_words: fields.CountOrZero | None = None
    """Words of a summary at least; by default as in training."""
    beam_width: BeamWidth | None = None
    """Summaries that are kept side by side while one is searched, 1 to 16."""
    marked: Path | None = None
    """Write this HTML file, in which copied words are shaded and their places marked."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object with text, summary and score on each line."""


class Piece(NamedTuple):
    """A piece of a summary, the share of it that is copied, and its word in the text, or -1."""

    text: str
    copied: float
    source_word: int


@dataclass(frozen=True)
class Answer:
    """A summary, its score, and its pieces where they were asked for."""

    text: str
    summary: str
    score: float
    pieces: list[Piece] = field(default_factory=list)


def predict(options: Options) -> Iterator[Answer]:
    """Yields the summary of each text, in their order.

    Raises:
        UserError: no finished run, export or server, a file that cannot be read, a text that is
            not UTF-8, or fewer words at most than at least.
    """
    given = text_files.asked(options.texts) if options.texts or not options.input else []
    texts = [*given, *_of_files(options.input)]
    if options.marked is not None:
        files.make_room(options.marked)
    from apps.suite.export import asking
    from apps.summarization import serving

    asked = {name: getattr(options, name) for name in ("max_words", "min_words", "beam_width")}
    with asking.model(TASK, serving.served, options) as model:
        for start in range(0, len(texts), _ROWS):
            chosen = texts[start : start + _ROWS]
            yield from answers(model, chosen, explained=options.marked is not None, **asked)


def answers(
    model: Any,
    texts: Sequence[str],
    max_words: int | None = None,
    min_words: int | None = None,
    beam_width: int | None = None,
    explained: bool = False,
) -> Iterator[Answer]:
    """Asks a model; options that are not given are those of its settings.

    Raises:
        UserError: fewer words at most than at least.
    """
    import numpy as np

    given = {"max_words": max_words, "min_words": min_words, "beam_width": beam_width}
    chosen = {
        name: model.setting(name) if value is None else value for name, value in given.items()
    }
    if min_words is None:  # the longest length alone was asked for
        chosen["min_words"] = min(chosen["min_words"], chosen["max_words"])
    elif max_words is None:
        chosen["max_words"] = max(chosen["min_words"], chosen["max_words"])
    if chosen["min_words"] > chosen["max_words"]:
        raise errors.UserError(
            f"--min_words {min_words}: is more than --max_words {max_words}; make it smaller"
        )
    asked: dict[str, Any] = {name: np.array(each, np.int32) for name, each in chosen.items()}
    asked["text"] = np.array([text.encode() for text in texts], object)
    found = model.ask(**asked)
    told = model.ask("explain", **asked) if explained else {}
    for at, text in enumerate(texts):
        columns = [told[name][at] for name in ("pieces", "copied", "source_word") if told]
        pieces = [
            Piece(piece.decode(errors="replace"), float(copied), int(word))
            for piece, copied, word in zip(*columns, strict=True)
            if piece
        ]
        summary = found["summary"][at].decode(errors="replace")
        yield Answer(text, summary, float(found["score"][at]), pieces)


def _of_files(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        found = sorted(path.glob("*.txt")) if path.is_dir() else [path]
        if not found:
            raise errors.UserError(f"{path}: holds no .txt file; give a file, or another folder")
        for file in found:
            yield " ".join(text_files.read(file).split())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    shown = []
    for answer in predict(options):
        if options.json:
            values = asdict(answer) | {"pieces": [piece._asdict() for piece in answer.pieces]}
            print(json.dumps(values, ensure_ascii=False), flush=True)
        else:
            print(answer.summary, flush=True)
        shown.append(marked(answer))
    if options.marked is not None:
        files.write_atomically(options.marked, _PAGE.format("\n".join(shown)))
        print(f"copied words: {options.marked}", file=sys.stderr)


_PAGE = """<!doctype html><meta charset="utf-8"><title>Summaries</title>
<style>body {{ font: 1rem/1.6 sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
h2 {{ font-size: 1.1rem }} b {{ text-decoration: underline }}</style>
{}
"""


def marked(answer: Answer) -> str:
    """Returns HTML: the summary, the darker the more it is copied, and the text with its words."""
    words = {piece.source_word for piece in answer.pieces}
    summary = "".join(
        f'<span style="background: rgb(214 103 14 / {0.6 * piece.copied:.2f})" '
        f'title="copied {piece.copied:.2f}">{escape(piece.text)}</span>'
        for piece in answer.pieces
    )
    text = " ".join(
        f"<b>{escape(word)}</b>" if at in words else escape(word)
        for at, word in enumerate(answer.text.split())
    )
    return f"<h2>{summary or escape(answer.summary)}</h2>\n<p>{text}</p>"


if __name__ == "__main__":
    sys.exit(main())
