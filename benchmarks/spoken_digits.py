"""Spoken digits of six people (Free Spoken Digit Dataset): voices known, and voices never heard.

Two questions, each with the test set that answers it:

    official     recordings 0 to 4 of each digit and speaker are tested, as the data set's authors
                 say: the voices are known. Recordings 5 to 7 choose the checkpoint.
    by speaker   all recordings of one speaker are tested, and the five others train: six runs,
                 each tested on a voice never heard. Recordings 0 to 4 of the five choose the
                 checkpoint; nothing of the sixth is seen before the test.

Each run is the task's own command on a csv file that says which recording is in which part; its
folder, with the report, stays in `--runs`. An interrupted benchmark goes on by the same command.

    python benchmarks/spoken_digits.py FOLDER_OF_RECORDINGS
    python benchmarks/spoken_digits.py FOLDER_OF_RECORDINGS --splits official --seed 1
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SAMPLE_RATE_HZ = 8_000
OFFICIAL = "official"
_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<number>\d+)\.wav")


class Digit(NamedTuple):
    """One recording; its name says the rest."""

    file: Path
    digit: str
    speaker: str
    number: int


def read(folder: Path) -> list[Digit]:
    """The recordings, whose names are digit_speaker_number.wav."""
    matches = ((file, _NAME.fullmatch(file.name)) for file in sorted(folder.glob("*.wav")))
    found = [
        Digit(file.resolve(), match["digit"], match["speaker"], int(match["number"]))
        for file, match in matches
        if match
    ]
    if not found:
        raise SystemExit(f"{folder}: no recordings like 0_george_0.wav")
    return found


def part(digit: Digit, split: str) -> str:
    """Where a recording is in a split, which is "official" or the name of the tested speaker."""
    if split == OFFICIAL:
        return "test" if digit.number < 5 else "validation" if digit.number < 8 else "train"
    if digit.speaker == split:
        return "test"
    return "validation" if digit.number < 5 else "train"


def write_csv(digits: Sequence[Digit], split: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "label", "speaker", "part"])
        for digit in digits:
            rows.writerow([digit.file, digit.digit, digit.speaker, part(digit, split)])


def train(data: Path, run: Path, seed: int, more: Sequence[str]) -> dict:
    """The metrics of a finished run, which is trained if it is not there."""
    if not (run / "metrics.json").is_file():
        command = [sys.executable, "-m", "apps.speech_commands.train", "--data", str(data)]
        command += ["--run", str(run), "--audio.sample_rate_hz", str(SAMPLE_RATE_HZ)]
        command += ["--seed", str(seed), *more]
        subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[1])
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def row(name: str, metrics: dict) -> str:
    test, baseline = metrics["test"], metrics["primary"]["baseline"]
    return (
        f"{name:>12}  {metrics['data']['examples']['test']:5}  {100 * test['accuracy']:8.1f}  "
        f"{100 * test['macro_f1']:8.1f}  {100 * baseline['value']:8.1f} {baseline['name']:<20}  "
        f"{metrics['train_seconds']:7.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("recordings", type=Path, help="folder of the data set's wav files")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/spoken_digits"), help="folder (%(default)s)"
    )
    parser.add_argument("--splits", nargs="+", help='"official", speakers (default: all)')
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    options, more = parser.parse_known_args(arguments)  # what is left is for the training
    digits = read(options.recordings)
    speakers = sorted({digit.speaker for digit in digits})
    found = {}
    for split in options.splits or [OFFICIAL, *speakers]:
        runs = options.runs.resolve() / f"seed_{options.seed}"
        data = runs / f"{split}.csv"
        write_csv(digits, split, data)
        found[split] = train(data, runs / split, options.seed, more)
    print("\n      tested  clips  accuracy  macro F1  best baseline                  train s")
    for split, metrics in found.items():
        print(row(split, metrics))
    unheard = [metrics["test"]["accuracy"] for split, metrics in found.items() if split in speakers]
    if unheard:
        mean = 100 * sum(unheard) / len(unheard)
        print(f"\nmean over {len(unheard)} voices never heard: {mean:.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
