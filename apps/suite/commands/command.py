"""Runs the commands of every task: options from typed dataclasses, errors, exit status.

Every command module has

    def main(arguments: Sequence[str] | None = None) -> int:
        return command.train_command(TASK, config.PRESETS, train, arguments)

and nothing heavy is imported until its function runs: `--help`, bad arguments and a finished run
answer at once.
"""

import contextlib
import dataclasses
import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar

import tyro

from apps.suite import errors, process
from apps.suite.commands import command_line, progress, terminal
from apps.suite.distribution import distribution
from apps.suite.runs import run_folder, tracking

Config = TypeVar("Config")
Options = TypeVar("Options")
ConfigOfTask = TypeVar("ConfigOfTask", contravariant=True)


class Train(Protocol[ConfigOfTask]):
    """A task's `train` function: loads the data, opens the run folder, fits, evaluates."""

    def __call__(self, config: ConfigOfTask, run: Path, /, *, overwrite: bool = False) -> object:
        """Trains into `run`; `overwrite` is handed on to `run_folder.start`."""


@dataclasses.dataclass(frozen=True)
class TrainOptions(Generic[Config]):
    """Options of a training command."""

    config: Annotated[Config, tyro.conf.arg(name=""), tyro.conf.FlagConversionOff]
    run: Path
    """Folder of this run: created, or resumed where it was interrupted."""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace the run that the folder holds; given again after an interruption, it goes on."""
    check: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Read the data, tell what was understood of it and about how long a training takes."""
    distribute: distribution.Kind = "none"
    """Over the devices of this machine, or over the machines of TF_CONFIG (docs/scaling.md)."""
    track: tracking.Kind = "none"
    """Log config, metrics, plots and report to MLflow, that of MLFLOW_TRACKING_URI if it is set."""


def train_options(
    task: str, presets: Mapping[str, Config], arguments: Sequence[str]
) -> TrainOptions[Config]:
    """Reads `arguments`: `--preset` picks one of `presets`, all other options override it.

    Raises errors.UserError for what does not fit, also where a config raises ValueError;
    SystemExit(0) after `--help`.
    """
    preset = _preset(presets, arguments)
    kind = type(presets[preset])
    return command_line.parse(
        TrainOptions[kind],  # type: ignore[valid-type]
        arguments,
        program=f"python -m apps.{task}.train",
        description=f"Train on {task}, evaluate, and write a report. "
        f"Presets: {', '.join(presets)}; the values shown are those of {preset!r}.",
        default=TrainOptions(config=presets[preset], run=Path("runs") / task),
    )


def train_command(
    task: str,
    presets: Mapping[str, Config],
    train: Train[Config],
    arguments: Sequence[str] | None = None,
) -> int:
    """Runs `python -m apps.<task>.train`, and returns its exit status.

    Reads `train_options` (of the process if `arguments` is None; preset "default" and the run
    folder runs/<task> if none is given), then calls `train(config, run, overwrite=…)`. Arguments
    that do not fit and a finished run are one line on stderr and status 2, before anything heavy
    is imported or anything is written.
    """

    def run() -> None:
        given = sys.argv[1:] if arguments is None else arguments
        options = train_options(task, presets, given)
        if options.check:
            _check(train, options)
            return
        run_folder.refuse_finished(options.run, task, options.overwrite)
        process.quiet_tensorflow()
        process.keep_memory()
        with (
            distribution.begun(options.distribute, _batch_size(options.config)),
            progress.never_silent(),
            tracking.begun(options.track, options.run, task),
        ):
            train(options.config, options.run, overwrite=options.overwrite)

    return exit_status(run, interrupted="the same command goes on from the last checkpoint")


def _check(train: Train[Config], options: TrainOptions[Config]) -> None:
    """Calls `train` until its steps would begin, with all that it says of the data before."""
    process.quiet_tensorflow()
    begun = time.monotonic()
    with run_folder.only_checking() as check, progress.never_silent():
        try:
            train(options.config, options.run)
        except run_folder.Checked:
            print(
                check.estimate or "no estimate of the time: much is computed before the first step"
            )
            for sentence in check.further:
                print(sentence)
            seconds = check.begun - begun
            print(
                f"{check.data} can be trained on (ready {seconds:.1f} s after the start); "
                "nothing was trained"
            )


def _batch_size(config: Any) -> int:
    """Returns the rows of a training step; 0 fits any number of replicas (no batch size)."""
    return getattr(getattr(config, "training", None), "batch_size", 0)


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Measure a trained run on its test data, beside baselines, and write its report."""

    run: Path
    """Folder of the run."""


def evaluate_command(
    task: str,
    evaluate: Callable[[Path], object],
    arguments: Sequence[str] | None = None,
) -> int:
    """Runs `python -m apps.<task>.evaluate`, and returns its exit status.

    Calls `evaluate(run)`; the run folder is runs/<task> if none is given.
    """
    default = EvaluateOptions(run=Path("runs") / task)
    return run_command(
        task,
        "evaluate",
        EvaluateOptions,
        _told(lambda options: evaluate(options.run)),
        arguments,
        default=default,
    )


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Export a run as a SavedModel for TensorFlow Serving, and check it in a clean process."""

    run: Path
    """Folder of a finished run."""
    to: Path = Path("exports")
    """Folder of the exports of all tasks; the version is a folder <task>/<number> in it."""


def export_command(
    task: str,
    export: Callable[[Path, Path], Path],
    tell: Callable[[Path], None],
    arguments: Sequence[str] | None = None,
) -> int:
    """Runs `python -m apps.<task>.export`, and returns its exit status.

    Calls `export(run, destination)`, and `tell` with the folder that it has written.
    """
    return run_command(
        task,
        "export",
        ExportOptions,
        _told(lambda options: tell(export(options.run, options.to))),
        arguments,
        default=ExportOptions(run=Path("runs") / task),
    )


def _told(function: Callable[[Options], object]) -> Callable[[Options], object]:
    """Returns the function with a line after each ten seconds of silence."""

    def told(options: Options) -> object:
        with progress.never_silent():
            return function(options)

    return told


def run_command(
    task: str,
    command: str,
    options: type[Options],
    function: Callable[[Options], object],
    arguments: Sequence[str] | None = None,
    default: Options | None = None,
) -> int:
    """Runs `python -m apps.<task>.<command>`, and returns its exit status.

    `options` is a frozen dataclass: its docstring is the command's description, its fields are
    the options, `tyro.conf.Positional[…]` fields the arguments without a name. `default` holds
    the values of options that are not given, where the fields have none. `function` gets the
    options filled in, and checks what it can before it imports anything heavy.
    """

    def run() -> None:
        filled = command_line.parse(
            options,
            arguments,
            program=f"python -m apps.{task}.{command}",
            description=options.__doc__ or "",
            default=default,
        )
        process.quiet_tensorflow()
        # The others tell of their work on standard output, which nobody else reads
        asks = command == "predict"
        with progress.never_silent_at_first() if asks else contextlib.nullcontext():
            function(filled)

    return exit_status(run, interrupted="nothing was left half-written")


def _preset(presets: Mapping[str, Any], arguments: Sequence[str]) -> str:
    """Returns the last `--preset`; it is read before parsing because it sets all defaults."""
    preset = "default"
    for argument, following in itertools.pairwise([*arguments, ""]):
        if argument == "--preset":
            preset = following
        elif argument.startswith("--preset="):
            preset = argument.removeprefix("--preset=")
    if preset not in presets:
        raise errors.UserError(f"--preset: {preset!r} is not one of {', '.join(presets)}")
    return preset


def exit_status(run: Callable[[], None], interrupted: str = "nothing was changed") -> int:
    """Calls `run`, and returns 0, 2 after a UserError, 130 after Ctrl-C, its SystemExit's own.

    The error, or `interrupted`, is one line on stderr. All that is printed fits the terminal: see
    `terminal`.
    """
    terminal.accept_any_text()
    try:
        run()
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print(f"interrupted: {interrupted}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `… | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 141
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    return 0
