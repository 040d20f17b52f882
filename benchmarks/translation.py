"""Measures translation on pairs that people wrote, beside the baselines.

    python benchmarks/translation.py tatoeba FOLDER
    python benchmarks/translation.py debian FOLDER [--language de]
    python benchmarks/translation.py pronunciations
    python benchmarks/translation.py speed --model exports/translation/1 "A text of ten words …"

tatoeba: FOLDER holds fra-eng.zip of ManyThings, English and French sentences of Tatoeba; parts are
drawn by English sentences. debian: FOLDER holds parallel.en-fr.tsv.gz, descriptions of Debian's
packages, of which those of at most 20 words on both sides are taken; neighbouring lines are of one
package, so parts are drawn by blocks of 50 lines, and an English text is in one part alone.
pronunciations: the built-in set of that name. speed: processor time of one call of an export, one
text, after three calls that are not counted.

Any further option is one of the training command. Runs stay in `--runs`: what was interrupted goes
on by the same command, what is finished is only shown.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.suite import process
from apps.suite.commands import command
from benchmarks import task_trainings

MOST_WORDS, BLOCK, HELD_OUT = 20, 50, 0.05
COLUMNS = {"bleu": 1, "bleu_of_unseen_targets": 1, "chrf": 1, "exact": 100, "length_ratio": 1}
OF_PHONEMES = {"word_error": 100, "phoneme_error": 100}
_CALLS = 30


def blocks(folder: Path, language: str, to: Path) -> Path:
    """Writes the short pairs of Debian's descriptions with their parts; returns the file."""
    source = folder / f"parallel.en-{language}.tsv.gz"
    if not source.is_file():
        sys.exit(f"{folder}: no {source.name}")
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        pairs = [line.rstrip("\n").split("\t") for line in lines]
    draw = np.random.default_rng(0).random(len(pairs) // BLOCK + 1)
    held: dict[str, str] = {}
    rows = []
    for at, (english, other) in enumerate(pairs):
        if max(len(each.split()) for each in (english, other)) <= MOST_WORDS:
            place = draw[at // BLOCK]
            part = "test" if place < HELD_OUT else "train"
            part = "validation" if HELD_OUT <= place < 2 * HELD_OUT else part
            # Packages share texts: one that is held out anywhere is not learned from
            if part != "train":
                held.setdefault(english, part)
            rows.append((english, other, part))
    to.mkdir(parents=True, exist_ok=True)
    file = to / f"debian.en-{language}.tsv"
    with file.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writerow(["source", "target", "part"])
        table.writerows(row for row in rows if held.get(row[0], "train") == row[2])
    return file


def speed(model: Path, text: str) -> str:
    """Returns the processor time of a call of an export with one text."""
    from apps.suite.export import asking
    from apps.translation import predict, serving

    with asking.model(predict.TASK, serving.served, predict.Options(model=model)) as asked:
        given: dict[str, Any] = {
            "text": np.array([text.encode()], object),
            "beam_width": asked.setting("beam_width"),
            "length_penalty": asked.setting("length_penalty"),
        }
        for _ in range(3):
            answer = asked.ask(**given)["translation"][0].decode()
        times = []
        for _ in range(_CALLS):
            began = time.process_time()
            asked.ask(**given)
            times.append(1000 * (time.process_time() - began))
    return (
        f"{text} -> {answer}\n{np.median(times):.1f} ms of processor time a call "
        f"({min(times):.1f} to {max(times):.1f}), beam {given['beam_width']}"
    )


def options_of(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Returns the benchmark's options, and what is left for the training command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("tatoeba", "debian", "pronunciations", "speed"))
    parser.add_argument("given", nargs="?", help="folder of the data; for speed, the text")
    parser.add_argument("--language", default="fr", help="of debian's translations (%(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark_translation"))
    parser.add_argument("--model", type=Path, help="version folder of an export, for speed")
    options, more = parser.parse_known_intermixed_args(arguments)
    if options.what != "pronunciations" and not options.given:
        parser.error(f"{options.what}: give {'a text' if options.what == 'speed' else 'a folder'}")
    if options.what == "speed" and not options.model:
        parser.error("speed: give --model, the version folder of an export")
    return options, more


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark, and returns its exit status."""
    options, more = options_of(arguments)
    if options.what == "speed":
        process.quiet_tensorflow()
        return command.exit_status(lambda: print(speed(options.model, options.given)))
    settings: dict[str, Any] = {"preset": "sentences"}
    name, columns = options.what, COLUMNS
    if name == "tatoeba":
        settings["data"] = Path(options.given).resolve() / "fra-eng.zip"
    elif name == "debian":
        name = f"debian_{options.language}"
        runs = options.runs.resolve()
        settings["data"] = blocks(Path(options.given), options.language, runs)
    else:
        settings["preset"], columns = name, OF_PHONEMES
    found = task_trainings.metrics("translation", options.runs / name, settings, more)
    print(f"\n{task_trainings.table(found, columns)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
