"""Trains over seeds, or over values of a field, and compares: `python -m apps.compare`."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro

from apps.suite import errors, process
from apps.suite.commands import command, command_line
from apps.suite.runs import files, record

RECORD = "comparison.json"
_SET_HERE = ("--run", "--seed", "--overwrite")


@dataclasses.dataclass(frozen=True)
class Options:
    """Train the same over seeds, or over values of a field, and compare the runs.

    Each run is `python -m apps.<task>.train` with the arguments after the module's name, a seed of
    its own, and a run folder of its own in `--to`. The same command goes on where an interrupted
    one ended, and with more seeds or values it trains what is missing.
    """

    command: tyro.conf.Positional[tuple[str, ...]] = ()
    """apps.<task>.train, and its arguments, after all options of this command."""
    seeds: int = 3
    """Runs of each setting, with the seeds 0, 1, …"""
    over: tuple[str, ...] = ()
    """A field of the task's config and its values, such as: model.units 64 128 256."""
    to: Path | None = None
    """Folder of the runs and the comparison; comparisons/<task> if it is not given."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"--seeds must be at least 1, is {self.seeds}")
        if self.over and len(self.over) < 3:
            raise ValueError("--over needs a field and two values at least: model.units 64 128")
        if len(set(self.over)) < len(self.over):
            raise ValueError("--over names a value twice")


@dataclasses.dataclass(frozen=True)
class Planned:
    """A run to be there in the end."""

    setting: str
    seed: int
    arguments: tuple[str, ...]
    folder: Path


def planned(options: Options, task: str, arguments: Sequence[str], folder: Path) -> list[Planned]:
    """Returns the runs, all settings of a seed before the next seed.

    Raises errors.UserError for arguments that the training would refuse.
    """
    try:
        presets = importlib.import_module(f"apps.{task}.config").PRESETS
    except ImportError as error:
        raise errors.UserError(f"{task}: no such task; `python -m apps` lists them") from error
    for each in arguments:
        if each.partition("=")[0] in _SET_HERE:
            raise errors.UserError(f"{each} is set by apps.compare; leave it out")
    field, *values = options.over or ("", "")
    runs = []
    for seed in range(options.seeds):
        for value in values:
            setting = value if field else task
            chosen = [*arguments, *([f"--{field}", value] if field else []), "--seed", str(seed)]
            name = re.sub(r"[^A-Za-z0-9._-]", "_", setting)
            run = Planned(setting, seed, tuple(chosen), folder / "runs" / name / f"seed_{seed}")
            command.train_options(task, presets, run.arguments)
            runs.append(run)
    if len({run.folder for run in runs}) < len(runs):
        raise errors.UserError("--over: two values would have one folder; they differ too little")
    return runs


def _begun(folder: Path, task: str, arguments: Sequence[str], field: str) -> None:
    """Writes the record of the comparison, or refuses a folder of another one."""
    wanted = {"task": task, "arguments": list(arguments), "field": field}
    file = folder / RECORD
    if file.exists():
        begun = {name: files.read_json(file).get(name) for name in wanted}
        for name, value in wanted.items():
            if begun[name] != value:
                raise errors.UserError(
                    f"{folder} holds a comparison with {name} {begun[name]!r}, not {value!r}; "
                    "choose another --to"
                )
        return
    if folder.exists() and any(folder.iterdir()):
        raise errors.UserError(f"{folder} has other files in it; choose another --to")
    files.make_folder(folder)
    files.write_json(file, wanted)


def _train(task: str, run: Planned) -> None:
    """Trains one run in a process of its own; raises errors.UserError where it fails."""
    environment = dict(os.environ)
    paths = [str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    arguments = [sys.executable, "-m", f"apps.{task}.train", *run.arguments]
    status = subprocess.run([*arguments, "--run", str(run.folder)], env=environment).returncode
    if status:
        raise errors.UserError(
            f"the run in {run.folder} ended with status {status}, and said why above; the same "
            "command goes on with it"
        )


def _missing(runs: Sequence[Planned], task: str) -> list[Planned]:
    """Returns the runs that are not finished; refuses folders that are not theirs."""
    missing = []
    for run in runs:
        found = record.existing(run.folder, task)
        if found is None or not record.is_finished(run.folder, found):
            missing.append(run)
    return missing


def _summary(found: Any, folder: Path) -> Mapping[str, Any]:
    """Returns the comparison as it goes into comparison.json."""
    from apps.suite.evaluation import repeated_runs

    return {
        **files.read_json(folder / RECORD),
        "metric": found.metric,
        "higher_is_better": found.higher_is_better,
        "settings": [
            {
                "name": each.name,
                "test": {str(seed): value for seed, value in each.test.items()},
                "validation_loss": {str(seed): value for seed, value in each.validation.items()},
            }
            for each in found.settings
        ],
        "chosen_on_validation": repeated_runs.chosen(found),
        "differences": [
            {name: None if value != value else value for name, value in vars(each).items()}
            for each in repeated_runs.differences(found)
        ],
    }


def compare(options: Options, module: str, arguments: Sequence[str]) -> None:
    """Trains what is missing, then writes tables and plot, and prints the tables.

    Raises errors.UserError for arguments that do not fit, and a training that fails.
    """
    parts = module.split(".")
    if len(parts) != 3 or (parts[0], parts[2]) != ("apps", "train"):
        raise errors.UserError(f"{module}: not a training; give apps.<task>.train")
    task = parts[1]
    folder = options.to or Path("comparisons") / task
    runs = planned(options, task, arguments, folder)
    _begun(folder, task, arguments, options.over[0] if options.over else "")
    missing = _missing(runs, task)
    print(f"{len(runs) - len(missing)} of {len(runs)} runs are there", flush=True)
    begun = time.monotonic()
    for number, run in enumerate(missing):
        left = (time.monotonic() - begun) / number * (len(missing) - number) if number else 0
        about = f", about {left / 60:.0f} minutes to go" if number else ""
        which = f"{number + 1} of {len(missing)}{about}"
        print(f"\n== {run.setting}, seed {run.seed} ({which})", flush=True)
        _train(task, run)

    from apps.suite.evaluation import repeated_runs

    by_setting: dict[str, dict[int, Path]] = {}
    for run in runs:
        by_setting.setdefault(run.setting, {})[run.seed] = run.folder
    found = repeated_runs.read(by_setting)
    title = f"{task}, over {options.over[0]}" if options.over else f"{task}, over seeds"
    told = repeated_runs.tables(found, title)
    files.write_atomically(folder / "comparison.md", told)
    repeated_runs.plot(folder, found)
    files.write_json(folder / RECORD, _summary(found, folder))
    print(f"\n{told}\ntables: {folder / 'comparison.md'}\nplot:   {folder / 'comparison.png'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        given = list(sys.argv[1:] if arguments is None else arguments)
        place = next((at for at, each in enumerate(given) if each.startswith("apps.")), len(given))
        # The training's arguments would be taken for options of this command, or values of --over
        options = command_line.parse(
            Options,
            given[:place],
            program="python -m apps.compare",
            description=Options.__doc__ or "",
        )
        if place == len(given):
            raise errors.UserError("which training? Give apps.<task>.train and its arguments")
        process.quiet_tensorflow()
        compare(options, given[place], given[place + 1 :])

    return command.exit_status(run, interrupted="the same command goes on with the run it was at")


if __name__ == "__main__":
    sys.exit(main())
