"""Fights in surveillance videos (Aktı, Tataroğlu and Ekenel 2019): five folds by source video.

The set has 150 clips with a fight and 150 without, of about two seconds each. Several were cut
from one video, so clips divided at random are recognised by their place; here a source video is
never on two sides. `videos.txt` names the video of each clip. Those that it gives no video for
(they come from two other sets of scenes) are one group: they, too, are never in two parts.

Each fold is the task's own command. The model learns from all that is not its test part, and the
weights of the last step are kept; the baselines take about a sixth of it to choose by. Settings
were chosen before, by validation parts (`--own.validation_fold True`), as the task's README says.
The runs' folders, with the reports, stay in `--runs`; an interrupted benchmark goes on by the same
command.

    python benchmarks/fight_surveillance.py FOLDER
    python benchmarks/fight_surveillance.py FOLDER --folds 0 --seed 1

FOLDER holds `videos.txt` and `clips/fight`, `clips/noFight`. The paper reports about 72 % for an
Xception that was trained on other images before, a BiLSTM and attention, on a split of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

FOLDS = 5
LABELS = ("fight", "noFight")
NO_SOURCE = "no source named"
SETTINGS = {
    "clips.sampling": "window",
    "clips.clip_seconds": 1.6,
    "clips.frames": 12,
    "clips.height": 60,
    "clips.width": 80,
    "augmentation.flip": True,  # of the baseline that sees one frame; motion is told alike by both
    "augmentation.mixup_alpha": 0.4,
    "model.backbone": "motion_statistics",
    "model.frame_features": 8,
    "model.units": 16,
    "model.beside_recurrent": True,
    "model.pooling": "mean",
    "model.dropout": 0.6,
    "training.batch_size": 16,
    "training.learning_rate": 5e-3,
    "training.steps": 600,
    "training.steps_per_checkpoint": 200,
    "training.learn_from_validation": True,
}
_CLIP = re.compile(r"((?:no)?fi\d+):")


class Clip(NamedTuple):
    """One clip, and the video it was cut from."""

    file: Path
    label: str
    source: str


def sources(text: str) -> dict[str, str]:
    """The source video by a clip's name, of the content of videos.txt.

    A line with an address is followed by the clips of that video; `a - b : Set` names none.
    """
    found, address = {}, None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("http"):
            address = line
        elif address and (match := _CLIP.match(line)):
            found[match[1]] = address
    return found


def read(folder: Path) -> list[Clip]:
    """All clips, by name."""
    listing = folder / "videos.txt"
    if not listing.is_file():
        raise SystemExit(f"{folder}: no videos.txt")
    source_of = sources(listing.read_text(encoding="utf-8"))
    found = [
        Clip(file.resolve(), label, source_of.get(file.stem, NO_SOURCE))
        for label in LABELS
        for file in sorted((folder / "clips" / label).glob("*.mp4"))
    ]
    if {clip.label for clip in found} != set(LABELS):
        raise SystemExit(f"{folder}: no mp4 files in clips/fight and clips/noFight")
    return found


def write_csv(clips: Sequence[Clip], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "label", "group"])
        rows.writerows((clip.file, clip.label, clip.source) for clip in clips)


def train(data: Path, run: Path, fold: int, seed: int, more: Sequence[str]) -> dict:
    """The metrics of a finished run, which is trained if it is not there."""
    if not (run / "metrics.json").is_file():
        command = [sys.executable, "-m", "apps.video_classification.train", "--data", str(data)]
        command += ["--run", str(run), "--seed", str(seed)]
        for name, value in {"own.folds": FOLDS, "own.fold": fold, **SETTINGS}.items():
            command += [f"--{name}", str(value)]
        subprocess.run([*command, *more], check=True, cwd=Path(__file__).resolve().parents[1])
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def table(found: Mapping[int, dict]) -> str:
    """Accuracy of the model and of each baseline by fold, and the means."""
    columns = {f"fold {fold}": metrics for fold, metrics in found.items()}
    names = ["this model", *next(iter(found.values()))["baselines"]]
    lines = [f"{'accuracy, %':>20}" + "".join(f"{name:>9}" for name in columns) + f"{'mean':>9}"]
    for name in names:
        values = [
            100 * (each["test"] if name == "this model" else each["baselines"][name])["accuracy"]
            for each in found.values()
        ]
        shown = "".join(f"{value:9.1f}" for value in [*values, sum(values) / len(values)])
        lines.append(f"{name:>20}{shown}")
    counts = "".join(f"{each['data']['examples']['test']:9}" for each in found.values())
    seconds = "".join(f"{each['train_seconds']:9.0f}" for each in found.values())
    return "\n".join([*lines, f"{'test clips':>20}{counts}", f"{'training, s':>20}{seconds}"])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="folder of the data set")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/fight_surveillance"), help="folder (%(default)s)"
    )
    parser.add_argument(
        "--folds", nargs="+", type=int, default=range(FOLDS), help="which ones (default: all)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    options, more = parser.parse_known_args(arguments)  # what is left is for the training
    clips = read(options.folder)
    runs = options.runs.resolve() / f"seed_{options.seed}"
    write_csv(clips, runs / "clips.csv")
    without = sum(clip.source == NO_SOURCE for clip in clips)
    groups = len({clip.source for clip in clips})
    print(f"{len(clips)} clips of {groups - 1} videos and {without} without a source: one group")
    found = {
        fold: train(runs / "clips.csv", runs / f"fold_{fold}", fold, options.seed, more)
        for fold in options.folds
    }
    print(f"\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
