"""Says values of sequences or texts: `python -m apps.sequence_regression.predict fleet.csv`."""

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
from apps.suite.commands import asked_model, command

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.suite.export import asking
    from apps.suite.sequence_answers import questions

TASK = "sequence_regression"
ENDS = ("value", "lower", "upper")
"""Outputs of the signatures, in the order of an `Answer`."""


@dataclass(frozen=True)
class Options:
    """Say the value of sequences or texts with its interval; what fails first comes first."""

    inputs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Files as in training (csv, parquet, JSON lines), without targets, or texts; none = the
    run's test part."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    every_step: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Answer after each step, and not at the end alone."""
    plot: Path | None = None
    """Write a .png of the first answer's course: the most urgent one of remaining lives."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line, one for each answer."""

    def __post_init__(self) -> None:
        if self.plot is not None and self.plot.suffix.lower() != ".png":
            raise ValueError(f"--plot {self.plot}: must end in .png")


class Answer(NamedTuple):
    """Value and interval of a sequence or text, [targets] each, or [steps, targets]."""

    name: str
    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    steps: int


def predict(options: Options) -> Iterator[Answer]:
    """Yields an answer for each sequence or text; remaining lives from the shortest on.

    Raises:
        UserError: no finished run, export or server; an input that cannot be read; every step of
            a model that needs whole sequences.
    """
    import numpy as np

    from apps.sequence_regression import serving
    from apps.suite.export import asking
    from apps.suite.sequence_files import own_files

    with asking.model(TASK, serving.served, options) as model:
        by_step = model.setting("per") == "step"
        if options.every_step and not by_step and not model.setting("streams"):
            raise errors.UserError(
                "--every_step: this model needs a sequence as a whole; leave it out"
            )
        streamed = options.every_step and not by_step
        if options.inputs:
            asked = own_files.answered(model, options.inputs, ENDS, streamed=streamed)
        else:
            asked = _test_part(options, model, streamed)
        shape = ([-1] if by_step or streamed else []) + [len(model.setting("target_names"))]
        found = []
        for each in asked:
            value, lower, upper = (np.reshape(each.answers[name], shape) for name in ENDS)
            found.append(Answer(each.name, value, lower, upper, each.steps))
    if model.setting("remaining"):
        found.sort(key=lambda one: float(one.value.flat[-1]))
    yield from found


def _test_part(options: Options, model: asking.Model, streamed: bool) -> Iterator[questions.Asked]:
    if options.server or options.model is not None:
        raise errors.UserError("inputs: give files; only a run (--run) has a test part of its own")
    from apps.sequence_regression import config as configs
    from apps.sequence_regression import data
    from apps.suite.runs import run_folder
    from apps.suite.sequence_answers import questions

    folder = run_folder.open_finished(options.run, TASK, configs.Config)
    sequences = data.load(folder.config).test.sequences
    return questions.sequences(model, sequences, ENDS, streamed=streamed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    import numpy as np

    found = list(predict(options))
    width = max((len(answer.name) for answer in found), default=0)
    for answer in found:
        if options.json:
            print(json.dumps(_object(answer), ensure_ascii=False), flush=True)
            continue
        for step, row in enumerate(zip(*map(np.atleast_2d, answer[1:4]), strict=True), 1):
            told = [
                f"{value:10.4g}  {lower:.4g} to {upper:.4g}"
                for value, lower, upper in zip(*row, strict=True)
            ]
            place = f"  step {step:,}" if answer.value.ndim == 2 else ""
            print(f"{answer.name:{width}}{place}  {'   '.join(told)}", flush=True)
    if options.plot is not None:
        _plot(options, found)


def _plot(options: Options, found: Sequence[Answer]) -> None:
    import numpy as np

    from apps.suite.evaluation import regression
    from apps.suite.report_blocks import value_plots

    shown = next((answer for answer in found if answer.value.ndim == 2), None)
    if shown is None:
        raise errors.UserError("--plot: a course needs an answer for each step: add --every_step")
    nothing = np.full(shown.value.shape, np.nan)
    course = regression.Course(shown.name, regression.Answers(*shown[1:4]), nothing)
    names = [f"target {at + 1}" for at in range(shown.value.shape[1])]
    assert options.plot is not None
    value_plots.write_png(options.plot, course, names)


def _object(answer: Answer) -> dict[str, Any]:
    ends = (each[..., 0] if each.shape[-1] == 1 else each for each in answer[1:4])
    values = {name: each.tolist() for name, each in zip(ENDS, ends, strict=True)}
    return {"input": answer.name, **values, "steps": answer.steps}


if __name__ == "__main__":
    sys.exit(main())
