"""Tags texts: `python -m apps.tagging.predict "In the beginning God created the heaven"`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from apps.suite.commands import asked_model, command
from apps.suite.texts import text_files, word_spans

TASK = "tagging"
_ROWS = 64
_COLOURS = (36, 33, 32, 35, 34, 31)  # of types, by their order, on a terminal
_MARKS = ",.:;?!"


@dataclass(frozen=True)
class Options:
    """Print texts with the words or spans that the model marks in them."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts to tag; without any, each line of standard input is one."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    tokens: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The texts are cut into words by single spaces; places are numbers of words."""
    columns: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a word and its tag on each line, and an empty line after each text."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object with words, tags and spans on each line."""


class Span(NamedTuple):
    """A span of a text: its words, their type, its place, and the probability of its tags."""

    text: str
    label: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class Answer:
    """Tags of a text: of its words, as spans, and the label of the whole ("" without one)."""

    text: str
    tokens: list[str]
    tags: list[str]
    probabilities: list[float]
    spans: list[Span]
    label: str
    label_probability: float


def predict(options: Options) -> Iterator[Answer]:
    """Yields the answer to each text, in their order.

    Raises:
        UserError: no finished run, export or server, or a text that is not UTF-8.
    """
    texts = text_files.asked(options.texts)
    from apps.suite.export import asking
    from apps.tagging import serving

    with asking.model(TASK, serving.served, options) as model:
        for start in range(0, len(texts), _ROWS):
            yield from answers(model, texts[start : start + _ROWS], options.tokens)


def answers(model: Any, texts: Sequence[str], cut: bool = False) -> Iterator[Answer]:
    """Asks a model for texts, or for texts that are cut by single spaces."""
    import numpy as np

    if cut:
        rows = [[word.encode() for word in text.split(" ")] for text in texts]
        most = max(map(len, rows))
        table = np.array([row + [b""] * (most - len(row)) for row in rows], object)
        found = {"tokens": table, **model.ask("tokens", tokens=table)}
    else:
        found = model.ask(text=np.array([text.encode() for text in texts], object))
    for at, text in enumerate(texts):
        row = {name: values[at] for name, values in found.items()}
        count = sum(tag != b"" for tag in row["tags"])
        names = ("span_text", "span_label", "span_start", "span_end", "span_probability")
        spans = [
            Span(_text(inner), _text(kind), int(start), int(end), float(sure))
            for inner, kind, start, end, sure in zip(*(row[name] for name in names), strict=True)
            if end >= 0
        ]
        yield Answer(
            text,
            [_text(word) for word in row["tokens"][:count]],
            [_text(tag) for tag in row["tags"][:count]],
            [float(each) for each in row["probabilities"][:count]],
            spans,
            _text(row["label"]),
            float(row["label_probability"]),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    kinds: list[str] = []
    for answer in predict(options):
        if options.json:
            values = asdict(answer) | {"spans": [span._asdict() for span in answer.spans]}
            print(json.dumps(values, ensure_ascii=False), flush=True)
        elif options.columns:
            for word, tag in zip(answer.tokens, answer.tags, strict=True):
                print(f"{word}\t{tag}")
            print(flush=True)
        else:
            kinds += [s.label for s in answer.spans if s.label not in kinds]
            print(_marked(answer, options.tokens, kinds if sys.stdout.isatty() else []), flush=True)


def _marked(answer: Answer, by_words: bool, kinds: Sequence[str]) -> str:
    """Writes the text with its spans marked, in a colour for each of `kinds`."""

    def told(inner: str, label: str) -> str:
        said = label if label in _MARKS else f"[{label}]"
        if kinds:
            said = f"\033[1;{_COLOURS[kinds.index(label) % len(_COLOURS)]}m{said}\033[0m"
        return inner + said

    spans = [(span.start, span.end, span.label) for span in answer.spans]
    text = answer.text
    if by_words:
        text, spans = word_spans.in_characters(answer.tokens, spans)
    label = f"{answer.label} {answer.label_probability:.2f}  " if answer.label else ""
    return label + word_spans.marked(text, spans, told).rstrip()


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
