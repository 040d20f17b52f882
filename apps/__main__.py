"""`python -m apps`: the tasks, a line each; `python -m apps <task>`: what one needs, and commands.

What a task needs is told by its README alone: the layouts and commands of the section "Your own
data" are read from there.
"""

import ast
import dataclasses
import difflib
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import tyro

from apps.suite import errors
from apps.suite.commands import command, command_line
from apps.suite.runs import files

FOLDER = Path(__file__).parent
_AFTERWARDS = (
    "evaluate --run {run}",
    "predict --run {run} INPUT…",
    "export --run {run} --to exports",
)
_WIDTH = 100
_LONGEST_SAMPLE = 6  # lines
_TAKES = "`--data` takes"


@dataclasses.dataclass(frozen=True)
class Options:
    """List the tasks, a line each; or tell what one task needs, and its first commands."""

    task: tyro.conf.Positional[str] = ""
    """A task: its layouts of own data and its commands are told."""
    runs: Path = Path("runs")
    """Folder that holds a run folder for each task."""


def tasks() -> dict[str, str]:
    """Returns the first docstring line of each task's package by its name, without importing it."""
    found = {}
    for train in sorted(FOLDER.glob("*/train.py")):
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
    """Yields the lines that the command prints without a task."""
    found = tasks()
    width = max(map(len, found))
    for task, learns in found.items():
        yield f"{task:{width}}  {learns}"
        if (runs / task).exists():
            yield f"{'':{width}}  last result: {last_result(runs / task)}"
    yield ""
    yield "python -m apps TASK tells what a task needs, and its first commands."


def told(task: str, runs: Path) -> Iterator[str]:
    """Yields the lines on one task. Raises errors.UserError for a name that is not a task."""
    found = tasks()
    if task not in found:
        near = difflib.get_close_matches(task, found, n=1)
        hint = f"did you mean {near[0]}?" if near else "`python -m apps` lists them"
        raise errors.UserError(f"{task}: no such task; {hint}")
    run = runs / task
    yield f"{task}: {found[task]}"
    yield f"last result: {last_result(run)}"
    section = own_data(FOLDER / task / "README.md")
    yield "\nYour own data, --data:"
    yield from described(section)
    yield "\nFirst, with the embedded data:"
    yield f"    python -m apps.{task}.train"
    yield "with yours, to learn what is understood of it, and then without --check:"
    train = f"python -m apps.{task}.train"
    shown = [line for line in _fenced(section) if line.startswith(f"{train} ")]
    yield f"    {(shown or [f'{train} --data PATH'])[0]} --check"
    yield "and with the run:"
    yield from (f"    python -m apps.{task}.{each.format(run=run)}" for each in _AFTERWARDS)
    yield f"\nEach command answers --help; more in {FOLDER.name}/{task}/README.md."


def own_data(readme: Path) -> str:
    """Returns the section of a task's README on own data. Raises ValueError where it lacks one."""
    parts = re.split(r"^## (.*)$", readme.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        if heading.lower() == "your own data":
            return text
    raise ValueError(f"{readme} has no section on own data")


def described(section: str) -> Iterator[str]:
    """Yields what a section begins with, what --data takes, tables of layouts, samples of files.

    Tables of options, commands and what follows the layouts are left to the README.
    """
    blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", section) if block.strip()]
    for at, block in enumerate(blocks):
        lines = block.splitlines()
        if lines[0].startswith("```"):
            sample = [line for line in lines[1:-1] if line]
            if not any("python -m " in line for line in sample):
                yield from (f"    {line}" for line in sample[:_LONGEST_SAMPLE])
        elif lines[0].startswith("|"):
            if _cells(lines[0])[0] != "option":
                for layout, content in map(_cells, lines[2:]):
                    yield from _wrapped(layout, "  ")
                    yield from _wrapped(content, "      ")
        elif _TAKES in block or at == 0 or (block.endswith(":") and not lines[0].startswith("-")):
            yield from _wrapped(block.rstrip(":"), "  ")


def _cells(row: str) -> tuple[str, str]:
    """Returns the first cell of a table's row, and all others as one."""
    first, _, others = row.strip().strip("|").partition(" | ")
    return first.strip(), others.replace("\\|", "|").strip()


def _wrapped(text: str, indent: str) -> list[str]:
    """Returns the plain lines of a paragraph of markdown."""
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", re.sub(r"[`*]", "", text))
    return textwrap.wrap(
        " ".join(plain.split()),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def _fenced(section: str) -> list[str]:
    """Returns the lines of all fenced blocks."""
    return [
        line.strip()
        for block in re.findall(r"^```[^\n]*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            Options, arguments, program="python -m apps", description=Options.__doc__ or ""
        )
        lines = told(options.task, options.runs) if options.task else listing(options.runs)
        print("\n".join(lines))

    return command.exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
