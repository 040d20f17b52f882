"""Measures sequence regression over seeds: one line for each training.

    python benchmarks/sequence_values.py tempo --seeds 3
    python benchmarks/sequence_values.py tweets --file tweets.tsv --seeds 3

tempo: seconds per repetition of an exercise, from four seconds of a watch; people of the test are
not learned from. tweets: the mean rating of a text's sentiment, -4 to 4 (`valence` and `text` of
vaderSentiment's rated tweets), parts drawn here with seed 0, so that all seeds have the same
test. Nothing is chosen on a test part; any further option, such as --training.members 1, is one
of the training command. `remaining_life.py` measures engines.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.sequence_regression import baselines, data, scoring, train, trained_model
from apps.sequence_regression import config as configs
from apps.suite import process
from apps.suite.commands import command
from apps.suite.data import labelled_files
from apps.suite.evaluation import regression
from benchmarks import task_trainings

PRESETS = {"tempo": "tempo", "tweets": "texts"}


def tweets(source: Path, to: Path, seed: int = 0) -> Path:
    """Writes the rated texts as a csv of texts, targets and parts: three, one and one fifth."""
    with source.open(encoding="utf-8", newline="") as opened:
        found = list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))
    train_part, validation, test = labelled_files.PARTS
    shares = np.random.default_rng(seed).permutation(len(found)) * 5 // len(found)
    file = to / "tweets.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["text", "target", "part"])
        for each, share in zip(found, shares, strict=True):
            part = {3: validation, 4: test}.get(int(share), train_part)
            rows.writerow([each["text"], each["valence"], part])
    return file


def measure(config: configs.Config, run: Path) -> dict[str, float]:
    """Trains, and returns the measures of the test part."""
    train.fit(config, run)
    from apps.suite.runs import run_folder

    folder = run_folder.open_trained(run, train.TASK, configs.Config)
    trained, corpus = trained_model.read(folder), data.load(config)
    found = scoring.measures(config, scoring.answered(trained, corpus.test), corpus.test.targets)
    return {**found, "seconds": folder.train_seconds or 0.0}


def of_baselines(config: configs.Config) -> None:
    """Prints the measures of the baselines on the test part."""
    corpus = data.load(config)
    for name, each in baselines.predictions(corpus, config, corpus.test).items():
        answers = regression.Answers(each, each, each)
        found = scoring.measures(config, answers, corpus.test.targets, with_interval=False)
        print(f"{name}: {told(found)}", flush=True)


def told(values: dict[str, float]) -> str:
    """Formats measures on a line."""
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark, and returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=PRESETS)
    parser.add_argument("--file", type=Path, help="of the tweets")
    parser.add_argument("--seeds", type=int, default=1)
    options, further = parser.parse_known_args(arguments)
    process.quiet_tensorflow()
    config: Any = command.train_options(
        train.TASK, configs.PRESETS, ["--preset", PRESETS[options.what], *further]
    ).config
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.what == "tweets":
            config = dataclasses.replace(config, data=str(tweets(options.file, folder)))
        of_baselines(config)
        rows = []
        for seed in range(options.seeds):
            rows.append(measure(dataclasses.replace(config, seed=seed), folder / str(seed)))
            print(f"{options.what}  seed {seed}  {told(rows[-1])}", flush=True)
        print(task_trainings.means(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
