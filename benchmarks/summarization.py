"""Measures summarization on the descriptions of Debian's packages, beside the baselines.

    python benchmarks/summarization.py FOLDER
    python benchmarks/summarization.py FOLDER --without_copying

FOLDER holds descriptions.en.jsonl.gz, lines of {"package", "text", "summary"}: the long and the
short description of a package. Texts of at least 15 words are taken. Packages of one family share
texts (`0ad` and `0ad-data`), so a family is in one part alone: packages whose names begin with the
same word after the mark of a language (`python3-`, `lib`), and those with one text. Families are
drawn until validation and test part have 600 texts each. The second command trains the same network
without copying, and shows both.

Any further option is one of the training command. Runs stay in `--runs`: what was interrupted goes
on by the same command, what is finished is only shown.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import task_trainings

LEAST_WORDS, HELD_OUT = 15, 600
COLUMNS = {"rouge1": 1, "rouge2": 1, "rougeL": 1, "rouge1_stemmed": 1}
_LANGUAGE = re.compile(
    r"^(?:lib|python3?-|golang-(?:github-)?|ruby-|node-|r-(?:cran|bioc|other)-|php-|haskell-|"
    r"elpa-|fonts?-|gir1\.2-|rust-|librust-|task-|texlive-|gnome-|kde-)+"
)


def family(package: str) -> str:
    """Returns the word that the names of a package's family begin with."""
    rest = _LANGUAGE.sub("", package) or package
    return re.split(r"[-.+_]|\d+$", rest)[0] or rest


def divided(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Returns the rows with their parts; families and equal texts are in one part."""
    leader: dict[str, str] = {}

    def found(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for row in rows:
        # A text that two families share makes one of them
        one = found(f"family {family(row['package'])}")
        leader[found(f"text {row['text']}")] = one
    groups: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        groups.setdefault(found(f"text {row['text']}"), []).append(at)
    names = sorted(groups)
    parts = ["train"] * len(rows)
    counts = {"test": 0, "validation": 0}
    for place in np.random.default_rng(0).permutation(len(names)):
        part = next((each for each, count in counts.items() if count < HELD_OUT), None)
        members = groups[names[place]]
        # A family of hundreds would be most of a part
        if part and len(members) <= HELD_OUT // 10:
            for at in members:
                parts[at] = part
            counts[part] += len(members)
    return [{**row, "part": part} for row, part in zip(rows, parts, strict=True)]


def write(folder: Path, to: Path) -> Path:
    """Writes the longer descriptions with their parts, and returns the file."""
    source = folder / "descriptions.en.jsonl.gz"
    if not source.is_file():
        sys.exit(f"{folder}: no {source.name}")
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if len(row["text"].split()) >= LEAST_WORDS]
    to.mkdir(parents=True, exist_ok=True)
    file = to / "descriptions.jsonl"
    names = ("text", "summary", "part")
    with file.open("w", encoding="utf-8") as out:
        for row in divided(rows):
            out.write(json.dumps({name: row[name] for name in names}) + "\n")
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark, and returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of the data set")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark_summarization"))
    parser.add_argument("--without_copying", action="store_true", help="trains that network, too")
    options, more = parser.parse_known_args(arguments)
    settings: dict[str, Any] = {
        "preset": "descriptions",
        "data": write(options.folder, options.runs.resolve()),
    }
    for copying in (True, False) if options.without_copying else (True,):
        settings["model.copying"] = copying
        run = options.runs / ("copying" if copying else "without_copying")
        found = task_trainings.metrics("summarization", run, settings, more)
        print(f"\nmodel.copying {copying}\n{task_trainings.table(found, COLUMNS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
