"""Holds the tree to the house's law: rooms, names, sizes, the direction of imports, first words."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps import task_folders

ROOT, APPS, TASKS = task_folders.ROOT, task_folders.APPS, task_folders.TASKS
COMMANDS = {"demo", "serve", "serve_check", "score_many", "export_onnx", "launch", "compare"}
MOST_LINES = 400
MOST_FILES = 14  # in a folder of the suite, its caption left out
# A folder may import those on the floors below, and its neighbours on its own floor never
SUITE_FLOORS = (
    {"errors", "process"},
    {"serving", "distribution"},
    {"runs"},
    {"commands", "export", "texts", "training"},
    {"networks", "sounds"},
    {"data"},
    {"tables", "videos", "evaluation"},
    {"sequences", "report_blocks"},
    {"sequence_answers"},
    {"sequence_files"},
    {"panels"},
    {"scoring", "demo"},
)
TASK_FLOORS = (
    {"config"},
    {"data"},
    {"model"},
    {"trained_model"},
    {"scoring"},
    {"train", "evaluate", "baselines", "predict", "serving"},
    {"export", "report", "demo"},
)
# train ends with an evaluation, which ends with a report
TASK_EXCEPTIONS = {("train", "evaluate"), ("evaluate", "report"), ("evaluate", "baselines")}
FIRST_WORDS = {"What", "How", "Which", "Where", "Whether", "Of", "When", "Who", "Why"}


def modules() -> Iterator[tuple[str, Path]]:
    """Dotted name and file of each module of apps and lstm_layers."""
    for package in (APPS, ROOT / "lstm_layers"):
        for file in sorted(package.rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), file


FILES = dict(modules())


@functools.cache
def imported(name: str) -> frozenset[str]:
    """Our modules that a module imports, wherever in it."""
    return frozenset(task_folders.imports(FILES[name])) & FILES.keys()


def floor(name: str, floors: tuple[set[str], ...]) -> int | None:
    return next((at for at, names in enumerate(floors) if name in names), None)


def test_apps_holds_commands_tasks_and_the_suite_alone():
    folders = {entry.name for entry in APPS.iterdir() if entry.is_dir()} - {"__pycache__"}
    files = {entry.name for entry in APPS.iterdir() if entry.is_file()}
    assert folders == {"suite", *TASKS}
    assert files == {
        "README.md",
        "__init__.py",
        "__main__.py",
        *(f"{each}.py" for each in COMMANDS),
    }


def test_a_folder_of_the_suite_stands_in_the_table_and_is_small():
    known = set().union(*SUITE_FLOORS)
    for entry in (APPS / "suite").iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            assert entry.name in known, entry
            assert (entry / "__init__.py").is_file(), entry
            count = len([file for file in entry.glob("*.py") if file.name != "__init__.py"])
            assert count <= MOST_FILES, f"{entry}: {count} files"
        elif entry.suffix == ".py" and entry.name != "__init__.py":
            assert entry.stem in known, entry


def test_no_file_is_longer_than_a_story():
    long = {
        name: lines
        for name, file in FILES.items()
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_the_suite_imports_downward_and_no_task():
    wrong = []
    for name in FILES:
        if not name.startswith("apps.suite."):
            continue
        room = name.split(".")[2]
        for other in imported(name):
            parts = other.split(".")
            if parts[0] == "lstm_layers" or other in ("apps", "apps.suite"):
                continue
            if parts[1] != "suite":
                wrong.append(f"{name} imports {other}")
            elif parts[2] != room:
                below, here = floor(parts[2], SUITE_FLOORS), floor(room, SUITE_FLOORS)
                if below is None or here is None or below >= here:
                    wrong.append(f"{name} imports {other}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_imports_downward(task):
    wrong = []
    for name in FILES:
        here = floor(name.removeprefix(f"apps.{task}."), TASK_FLOORS)
        if here is None:
            continue
        for other in imported(name):
            role = other.removeprefix(f"apps.{task}.")
            there = floor(role, TASK_FLOORS)
            pair = (name.rpartition(".")[2], role)
            if there is not None and there > here and pair not in TASK_EXCEPTIONS:
                wrong.append(f"{name} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_commands_of_the_suite_name_no_task():
    for command in COMMANDS:
        names = task_folders.imports(APPS / f"{command}.py")
        assert not [name for name in names if name.split(".")[1:2] and name.split(".")[1] in TASKS]


def test_no_module_imports_itself_by_way_of_others():
    circles = []
    for start in FILES:
        seen, open_ = set(), [start]
        while open_:
            for other in imported(open_.pop()):
                if other == start and "." in start:
                    circles.append(start)
                if other not in seen and FILES[other].name != "__init__.py":
                    seen.add(other)
                    open_.append(other)
    assert not sorted(set(circles))


def test_a_file_of_the_suite_has_two_users_or_the_map_names_the_task_it_waits_for():
    text = (APPS / "README.md").read_text(encoding="utf-8")
    waiting = set(re.findall(r"^- `([\w/]+\.py)` waits for ", text, re.MULTILINE))
    users: dict[str, set[str]] = {}
    for name in FILES:
        parts = name.split(".")
        for other in imported(name) if parts[0] == "apps" else ():
            if other.startswith("apps.suite.") and other != name:
                # In its own room a neighbour is a user too: a room may be entered by one door
                users.setdefault(other, set()).add(
                    name if parts[1:3] == other.split(".")[1:3] else ".".join(parts[:3])
                )
    lonely = []
    for name, file in FILES.items():
        if name.startswith("apps.suite.") and file.name != "__init__.py":
            found = users.get(name, set())
            tasks = {user.split(".")[1] for user in found}
            place = str(file.relative_to(APPS / "suite"))
            if len(found) < 2 and place not in waiting and not tasks - set(TASKS):
                lonely.append(f"{place}: {', '.join(found) or 'nobody'}")
    assert not lonely, "\n".join(lonely)


def docstrings() -> Iterator[tuple[str, str]]:
    for name, file in FILES.items():
        tree = task_folders.tree(file)
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    yield f"{name}:{getattr(node, 'name', '')}", text


def test_no_docstring_begins_with_a_question_word():
    wrong = [place for place, text in docstrings() if text.split()[0].strip(",:") in FIRST_WORDS]
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
