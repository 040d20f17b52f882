"""Trains over seeds, values of a field or a search, and compares: `python -m apps.compare`."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from apps.suite import errors, process
from apps.suite.commands import command, command_line
from apps.suite.runs import files, record

RECORD = "comparison.json"
SEARCH = "search.log"
_RANDOM_PROPOSALS = 8  # before the search goes by results
_REPEATED = 15  # proposals in a row without a new one, after which there are none
_SET_HERE = ("--run", "--seed", "--overwrite")


@dataclasses.dataclass(frozen=True)
class Options:
    """Train the same over seeds, values of a field or a search, and compare the runs.

    Each run is `python -m apps.<task>.train` with the arguments after the module's name, a seed and
    a run folder of its own in `--to`. The same command goes on where an interrupted one ended.
    """

    command: tyro.conf.Positional[tuple[str, ...]] = ()
    """apps.<task>.train, and its arguments, after all options of this command."""
    seeds: int | None = None
    """Runs of each setting, with the seeds 0, 1, …; 3 if it is not given, in a search 1."""
    over: Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction] = ()
    """A field of the task's config and its values, such as: model.units 64 128 256. In a search
    given once for each field, also with a range: training.learning_rate 1e-4..1e-2."""
    search: int | None = None
    """Settings to try, proposed by what the validation part has shown of those before."""
    to: Path | None = None
    """Folder of the runs and the comparison; comparisons/<task> if it is not given."""

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise ValueError(f"--seeds must be at least 1, is {self.seeds}")
        for field, *values in self.over:
            if self.search is None and any(map(_range, values)):
                raise ValueError(f"--over {field}: a range needs --search N; or give its values")
            if len(values) < 2 and not (values and _range(values[0])):
                raise ValueError("--over needs a field and two values at least: model.units 64 128")
            if len(set(values)) < len(values):
                raise ValueError("--over names a value twice")
            if len(values) > 1 and any(map(_range, values)):
                raise ValueError(f"--over {field}: a range stands alone, without further values")
        if self.search is None and len(self.over) > 1:
            raise ValueError("--over takes one field; several are for --search N")
        if self.search is not None and not self.over:
            raise ValueError("--search needs a field to search: --over model.units 64 128 256")
        if self.search is not None and self.search < 1:
            raise ValueError(f"--search must be at least 1, is {self.search}")
        if len({each[0] for each in self.over}) < len(self.over):
            raise ValueError("--over names a field twice")

    @property
    def runs(self) -> int:
        """Returns the number of runs of each setting."""
        if self.seeds is None:
            return 3 if self.search is None else 1
        return self.seeds


def _range(text: str) -> tuple[float, float] | None:
    """Returns the ends of `low..high`; None for another text.

    Raises ValueError for ends that are not numbers, or do not rise.
    """
    low, dots, high = text.partition("..")
    if not dots:
        return None
    try:
        ends = float(low), float(high)
    except ValueError as error:
        raise ValueError(f"{text}: a range is two numbers, such as 1e-4..1e-2") from error
    if not ends[0] < ends[1] < float("inf"):
        raise ValueError(f"{text}: the second number of a range must be the higher one")
    return ends


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
    field, *values = options.over[0] if options.over else ("", "")
    settings: dict[str, Sequence[str]] = {
        value if field else task: [f"--{field}", value] if field else [] for value in values
    }
    runs = [
        _planned(task, arguments, name, changed, seed, folder)
        for seed in range(options.runs)
        for name, changed in settings.items()
    ]
    if len({run.folder for run in runs}) < len(runs):
        raise errors.UserError("--over: two values would have one folder; they differ too little")
    return runs


def _planned(
    task: str, arguments: Sequence[str], name: str, changed: Sequence[str], seed: int, folder: Path
) -> Planned:
    """Returns a run of a setting, whose arguments the training's own parser has read."""
    chosen = (*arguments, *changed, "--seed", str(seed))
    command.train_options(task, _presets(task), chosen)
    safe = re.sub(r"[^A-Za-z0-9._=-]", "_", name)
    return Planned(name, seed, chosen, folder / "runs" / safe / f"seed_{seed}")


def _presets(task: str) -> Mapping[str, Any]:
    """Returns the presets of a task. Raises errors.UserError for a name that is not a task."""
    try:
        return importlib.import_module(f"apps.{task}.config").PRESETS
    except ImportError as error:
        raise errors.UserError(f"{task}: no such task; `python -m apps` lists them") from error


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


def _train(task: str, run: Planned) -> int:
    """Trains one run in a process of its own; returns its exit status."""
    environment = dict(os.environ)
    paths = [str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    arguments = [sys.executable, "-m", f"apps.{task}.train", *run.arguments]
    return subprocess.run([*arguments, "--run", str(run.folder)], env=environment).returncode


def _failed(run: Planned, status: int) -> errors.UserError:
    return errors.UserError(
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


def search(
    options: Options,
    task: str,
    arguments: Sequence[str],
    folder: Path,
    train: Callable[[str, Planned], int] = _train,
) -> list[Planned]:
    """Trains what a search proposes, until `options.search` settings are there; returns their runs.

    The tree-structured Parzen estimator (Bergstra et al. 2011) proposes values by the validation
    results of the settings before, which stand in `SEARCH`; the test part has no say. Proposal n
    depends on them and on n alone, so an interrupted search goes on to the same proposals. A
    setting that the config refuses, or whose training diverges, is passed over.

    Raises errors.UserError where a training fails before it has begun.
    """
    try:
        import optuna
        from optuna.storages import journal
    except ImportError as error:
        raise errors.UserError("--search needs optuna: pip install '.[search]'") from error
    files.make_folder(folder)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(folder / SEARCH)))
    study = optuna.create_study(storage=storage, study_name=task, load_if_exists=True)
    space = {field: _distribution(values) for field, *values in options.over}
    state = optuna.trial.TrialState
    settings: dict[str, list[Planned]] = {}  # of no runs where it was passed over
    wanted, number, repeated = options.search or 0, 0, 0
    # A few fields with few values have no more settings, and are proposed again
    while sum(map(bool, settings.values())) < wanted and repeated < _REPEATED:
        if number == len(study.trials):
            study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=_RANDOM_PROPOSALS, seed=number
            )
            study.ask(space)
        trial = study.trials[number]
        values = {field: _shown(trial.params[field]) for field in space}
        name = " ".join(f"{_short(field, space)}={value}" for field, value in values.items())
        number += 1
        repeated = repeated + 1 if name in settings else 0
        if trial.state == state.FAIL or settings.get(name) == []:
            runs = []
        else:
            which = f"{sum(map(bool, settings.values())) + 1} of {wanted}"
            runs = _tried(options, task, arguments, name, values, folder, which, train)
        settings[name] = runs
        if not trial.state.is_finished() and runs:
            study.tell(trial.number, _validation(runs))
        elif not trial.state.is_finished():
            study.tell(trial.number, state=state.FAIL)
    if not any(settings.values()):
        raise errors.UserError("nothing that was proposed could be trained; see above")
    return [run for runs in settings.values() for run in runs]


def _tried(
    options: Options,
    task: str,
    arguments: Sequence[str],
    name: str,
    values: Mapping[str, str],
    folder: Path,
    which: str,
    train: Callable[[str, Planned], int],
) -> list[Planned]:
    """Trains a setting of a search; returns its runs, none where it is refused or diverges.

    Raises errors.UserError where a training ended otherwise.
    """
    changed = [part for field, value in values.items() for part in (f"--{field}", value)]
    seeds = range(options.runs)
    try:
        runs = [_planned(task, arguments, name, changed, seed, folder) for seed in seeds]
    except errors.UserError as refused:  # by a rule over several fields
        print(f"\n{name} is passed over: {refused}", flush=True)
        return []
    for run in _missing(runs, task):
        print(f"\n== {name}, seed {run.seed} ({which})", flush=True)
        status = train(task, run)
        if status == errors.UserError.status and (run.folder / "config.json").exists():
            print(f"{name} is passed over", flush=True)
            return []
        if status:
            raise _failed(run, status)
    return runs


def _distribution(values: Sequence[str]) -> Any:
    """Returns what a field is drawn from: a range, by its logarithm from a factor of ten on."""
    from optuna import distributions

    ends = _range(values[0])
    if ends is None:
        return distributions.CategoricalDistribution(list(values))
    log = ends[0] > 0 and ends[1] >= 10 * ends[0]
    if all(part.strip().isdecimal() for part in values[0].split("..")):
        return distributions.IntDistribution(int(ends[0]), int(ends[1]), log=log)
    return distributions.FloatDistribution(*ends, log=log)


def _shown(value: Any) -> str:
    """Returns a proposed value as it stands in a command: numbers with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _short(field: str, fields: Mapping[str, Any]) -> str:
    """Returns the last part of a field's name, or all of it where another ends alike."""
    last = field.rpartition(".")[2]
    return last if sum(each.rpartition(".")[2] == last for each in fields) == 1 else field


def _validation(runs: Sequence[Planned]) -> float:
    """Returns the mean validation result of a setting, turned so that lower is better."""
    from apps.suite.evaluation import repeated_runs

    found = repeated_runs.read({"": {run.seed: run.folder for run in runs}})
    values = found.settings[0].validation.values()
    if not values:
        raise errors.UserError(f"{runs[0].folder}: history.csv has no validation result to go by")
    return (1 if found.validation_is_lower else -1) * sum(values) / len(values)


def compare(options: Options, module: str, arguments: Sequence[str]) -> None:
    """Trains what is missing, then writes tables and plot, and prints the tables.

    Raises errors.UserError for arguments that do not fit, and a training that fails.
    """
    parts = module.split(".")
    if len(parts) != 3 or (parts[0], parts[2]) != ("apps", "train"):
        raise errors.UserError(f"{module}: not a training; give apps.<task>.train")
    task = parts[1]
    for each in arguments:
        if each.partition("=")[0] in _SET_HERE:
            raise errors.UserError(f"{each} is set by apps.compare; leave it out")
    folder = options.to or Path("comparisons") / task
    if options.search is None:
        runs = planned(options, task, arguments, folder)
        _begun(folder, task, arguments, options.over[0][0] if options.over else "")
        _train_missing(task, runs)
    else:
        for field, *values in options.over:
            for value in values[0].split("..") if _range(values[0]) else values:
                _planned(task, arguments, value, [f"--{field}", value], 0, folder)
        _begun(folder, task, arguments, "; ".join(map(" ".join, options.over)))
        runs = search(options, task, arguments, folder)

    from apps.suite.evaluation import repeated_runs

    by_setting: dict[str, dict[int, Path]] = {}
    for run in runs:
        by_setting.setdefault(run.setting, {})[run.seed] = run.folder
    found = repeated_runs.read(by_setting)
    of = None
    if options.search:
        found = repeated_runs.by_validation(found)
        of = repeated_runs.chosen(found)
    fields = ", ".join(field for field, *_ in options.over)
    title = f"{task}, over {fields}" if fields else f"{task}, over seeds"
    told = repeated_runs.tables(found, title, of)
    files.write_atomically(folder / "comparison.md", told)
    repeated_runs.plot(folder, found)
    begun = files.read_json(folder / RECORD)
    files.write_json(folder / RECORD, {**begun, **repeated_runs.summary(found, of)})
    print(f"\n{told}\ntables: {folder / 'comparison.md'}\nplot:   {folder / 'comparison.png'}")
    if of:
        best = next(run for run in runs if run.setting == of)
        print(f"chosen: python -m apps.{task}.train {shlex.join(best.arguments)} --run runs/{task}")


def _train_missing(task: str, runs: Sequence[Planned]) -> None:
    """Trains the runs that are not finished, and says how long it may take."""
    missing = _missing(runs, task)
    print(f"{len(runs) - len(missing)} of {len(runs)} runs are there", flush=True)
    begun = time.monotonic()
    for number, run in enumerate(missing):
        left = (time.monotonic() - begun) / number * (len(missing) - number) if number else 0
        about = f", about {left / 60:.0f} minutes to go" if number else ""
        which = f"{number + 1} of {len(missing)}{about}"
        print(f"\n== {run.setting}, seed {run.seed} ({which})", flush=True)
        status = _train(task, run)
        if status:
            raise _failed(run, status)


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
