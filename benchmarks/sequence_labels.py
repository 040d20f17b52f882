"""Measures sequence classification over seeds and left-out groups: one line for each training.

    python benchmarks/sequence_labels.py voices --seeds 5
    python benchmarks/sequence_labels.py intents --folder SNIPS --seeds 1
    python benchmarks/sequence_labels.py exercises --folds 0 1 2

voices: JapaneseVowels, official parts. intents: the folders train, valid and test of SNIPS, each
with the files seq.in and label. exercises: the watch exercises by step, each of ten subjects left
out once and another one for validation. Nothing is chosen on a test part; any further option, such
as --model.units 128, is one of the training command.
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

from apps.sequence_classification import config as configs
from apps.sequence_classification import data, scoring, train, trained_model
from apps.suite import process
from apps.suite.commands import command
from apps.suite.data.config import OwnConfig
from apps.suite.evaluation import classification
from benchmarks import task_trainings

PARTS = {"train": "train", "valid": "validation", "test": "test"}
SUBJECTS = 10


def intents(folder: Path, to: Path) -> Path:
    """Writes the sentences of a SNIPS folder as a csv of texts, labels and parts."""
    file = to / "intents.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["text", "label", "part"])
        for part, name in PARTS.items():
            texts, labels = (
                (folder / part / each).read_text(encoding="utf-8").splitlines()
                for each in ("seq.in", "label")
            )
            rows.writerows(
                (text.strip(), label.strip(), name)
                for text, label in zip(texts, labels, strict=True)
            )
    return file


def measure(config: configs.Config, run: Path) -> dict[str, float]:
    """Trains, and returns the measures of the test part."""
    train.fit(config, run)
    from apps.suite.runs import run_folder

    folder = run_folder.open_trained(run, train.TASK, configs.Config)
    trained, corpus = trained_model.read(folder), data.load(config)
    probabilities = scoring.of_trained(trained)(corpus.test.sequences)
    labels, known = scoring.known_steps(corpus.test, probabilities)
    found = {
        "accuracy": float(np.mean(known.argmax(axis=1) == labels)),
        "cross_entropy": classification.cross_entropy(labels, known),
    }
    if config.per_step:
        found |= scoring.segment_scores(corpus.test, probabilities)
    return {**found, "seconds": folder.train_seconds or 0.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark, and returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["voices", "intents", "exercises"])
    parser.add_argument("--folder", type=Path, help="of SNIPS")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folds", type=int, nargs="*", default=list(range(SUBJECTS)))
    options, further = parser.parse_known_args(arguments)
    process.quiet_tensorflow()
    preset = {"voices": "default", "intents": "intents", "exercises": "exercises"}[options.what]
    config: Any = command.train_options(
        train.TASK, configs.PRESETS, ["--preset", preset, *further]
    ).config
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.what == "intents":
            config = dataclasses.replace(config, data=str(intents(options.folder, folder)))
        rows = []
        folds = options.folds if options.what == "exercises" else [None]
        for fold in folds:
            for seed in range(options.seeds):
                made = dataclasses.replace(config, seed=seed)
                if fold is not None:
                    own = OwnConfig(folds=SUBJECTS, fold=fold, validation_fold=True)
                    made = dataclasses.replace(made, own=own)
                found = measure(made, folder / f"{fold}_{seed}")
                rows.append(found)
                told = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
                print(f"{options.what}  fold {fold}  seed {seed}  {told}", flush=True)
        print(task_trainings.means(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
