"""`python -m apps`: the tasks, what each learns, its last result and its commands."""

import ast
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.suite import errors
from apps.suite.commands import command, command_line
from apps.suite.runs import files

_COMMANDS = (
    ("train", "[--data NAME_OR_PATH] [--preset tiny|default|large]"),
    ("evaluate", "--run {run}"),
    ("predict", "--run {run} INPUT…"),
    ("export", "--run {run} --to exports"),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """List the tasks: what each learns, its last result beside the baseline, its commands."""

    runs: Path = Path("runs")
    """Folder that holds a run folder for each task."""


def tasks() -> dict[str, str]:
    """Returns the first docstring line of each task's package by its name, without importing it."""
    found = {}
    for train in sorted(Path(__file__).parent.glob("*/train.py")):
        package = train.parent / "__init__.py"
        text = package.read_text(encoding="utf-8") if package.exists() else ""
        docstring = ast.get_docstring(ast.parse(text)) or "(no description)"
        found[train.parent.name] = docstring.splitlines()[0]
    return found


def last_result(run: Path) -> str:
    """Describes a run in one line: its primary metric, or how far it is."""
    if not (run / "metrics.json").exists():
        return f"unfinished run in {run}" if (run / "config.json").exists() else "none yet"
    try:
        metrics = files.read_json(run / "metrics.json")
        primary = metrics["primary"]
        baseline = primary["baseline"]
        direction = "higher" if primary["higher_is_better"] else "lower"
        name = primary["name"].replace("_", " ")
        return (
            f"{name} {primary['model']:.4g}, {baseline['name']} {baseline['value']:.4g} "
            f"({direction} is better; {metrics['data']['name']}, preset {metrics['preset']}, "
            f"seed {metrics['seed']})"
        )
    except errors.UserError as error:
        return str(error)
    except (KeyError, TypeError, ValueError) as error:
        return f"{run / 'metrics.json'} is damaged ({error!r})"


def listing(runs: Path) -> Iterator[str]:
    """Yields the lines that the command prints."""
    for task, learns in tasks().items():
        run = runs / task
        yield task
        yield f"    {learns}"
        yield f"    last result: {last_result(run)}"
        for name, arguments in _COMMANDS:
            yield f"    python -m apps.{task}.{name} {arguments.format(run=run)}"
        yield ""
    yield "Each command answers --help; README.md in a task's folder describes its data format."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            Options, arguments, program="python -m apps", description=Options.__doc__ or ""
        )
        print("\n".join(listing(options.runs)))

    return command.exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
