"""Labels sequences, steps or texts: `python -m apps.sequence_classification.predict walk.csv`."""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command, label_answers

if typing.TYPE_CHECKING:
    import numpy as np

TASK = "sequence_classification"


@dataclass(frozen=True)
class Options:
    """Label sequences, each of their steps, or texts, as the model has learned."""

    inputs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Files (csv, parquet, .ts, JSON lines), folders of tables; texts, or files of them."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    top: int = 2
    """Number of labels to show."""
    stream: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Read each sequence step by step, and tell when the label changes."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line, one for each answer."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("inputs: name a file, a folder or a text")
        if self.top < 1:
            raise ValueError(f"--top must be at least 1, is {self.top}")


class Segment(NamedTuple):
    """Steps of one label, from 1 on, and the mean of its probability there."""

    first: int
    last: int
    label: str
    probability: float


class Answer(NamedTuple):
    """The labels of a sequence or text, or the segments of its steps."""

    name: str
    labels: dict[str, float]  # their probabilities, the likeliest first; {} of segments
    steps: int
    segments: tuple[Segment, ...] = ()


def predict(options: Options) -> Iterator[Answer]:
    """Yields an answer for each sequence or text, in the order of the inputs.

    Raises:
        UserError: no finished run, export or server; an input that cannot be read; a stream of a
            model that needs whole sequences.
    """
    from apps.sequence_classification import serving
    from apps.suite.export import asking
    from apps.suite.sequence_files import own_files

    with asking.model(TASK, serving.served, options) as model:
        if options.stream and not model.setting("states"):
            raise errors.UserError("--stream: this model needs a sequence as a whole; leave it out")
        names = model.setting("label_names")
        for asked in own_files.answered(
            model, options.inputs, ["probabilities"], streamed=options.stream
        ):
            likely = asked.answers["probabilities"]
            if likely.ndim == 2:
                yield segments_of(asked.name, likely, names)
            else:
                labels = label_answers.likeliest(likely, names, options.top)
                yield Answer(asked.name, labels, asked.steps)


def segments_of(name: str, likely: np.ndarray, names: Sequence[str]) -> Answer:
    """Returns the stretches of one label of a sequence, of probabilities [steps, labels]."""
    from apps.suite.evaluation import segments

    found = segments.of_labels(likely.argmax(axis=1))
    return Answer(
        name,
        {},
        len(likely),
        tuple(
            Segment(
                each.start + 1,
                each.end,
                names[each.label],
                float(likely[each.start : each.end, each.label].mean()),
            )
            for each in found
        ),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    for answer in predict(options):
        if options.json:
            print(json.dumps(_object(answer), ensure_ascii=False), flush=True)
        elif answer.segments:
            print(f"{answer.name}  {answer.steps:,} steps")
            for part in answer.segments:
                place = f"{part.first:>8,} to {part.last:,}"
                print(f"{place}  {part.label} {part.probability:.2f}", flush=True)
        else:
            print(label_answers.told(answer.name, answer.labels))


def _object(answer: Answer) -> dict[str, Any]:
    if answer.segments:
        parts = [
            {**part._asdict(), "probability": round(part.probability, 4)}
            for part in answer.segments
        ]
        return {"input": answer.name, "steps": answer.steps, "segments": parts}
    return {**label_answers.fields(answer.name, answer.labels), "steps": answer.steps}


if __name__ == "__main__":
    sys.exit(main())
