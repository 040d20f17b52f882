"""Reads the task folders for the contract's tests: names, syntax trees, commands of a README."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "apps"
TASKS = sorted(file.parent.name for file in APPS.glob("*/train.py"))
COMMANDS = ("train", "evaluate", "predict", "export")


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def functions(file: Path) -> dict[str, list[str]]:
    """Public functions at the top of a file, and the names of their parameters."""
    return {
        node.name: [
            each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        ]
        for node in tree(file).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def imports(file: Path) -> set[str]:
    """Dotted names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def commands(markdown: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(task, command, arguments) of each `python -m apps.<task>.<command>` in fenced blocks."""
    text = markdown.read_text(encoding="utf-8")
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(r"\bpython -m apps\.(\w+)\.(\w+)(.*)", line)
            if found:
                words = shlex.split(found.group(3), comments=True)
                end = next((at for at, word in enumerate(words) if word in "|&&>>;"), len(words))
                yield found.group(1), found.group(2), words[:end]


def headings(markdown: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", markdown.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line.lstrip("#").strip().lower() for line in text.splitlines() if line.startswith("#")]
