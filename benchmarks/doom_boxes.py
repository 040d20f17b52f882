"""Objects in first-person video: 64 clips of a 3-D engine, 160 x 120, three classes, by maps.

The training is the task's own command, and so is its evaluation, which trains the frame-by-frame
twin alike. No scenery of the test part was seen, and the camera moves all the time: the true boxes
of the frame before, told once more, reach AP50 .09. The run's folder stays in `--run`; an
interrupted benchmark goes on by the same command.

    python benchmarks/doom_boxes.py FOLDER
    python benchmarks/doom_boxes.py FOLDER --seed 1 --training.steps 400

FOLDER holds `train`, `validation` and `test` with a csv beside each video. At the end the test
videos are streamed through the served signature, some frames at a time, by one process: frames a
second of processor time, boxes included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {
    "frames.height": 120,
    "frames.width": 160,
    # Neighbouring frames are much alike: short clips leave time for more of them
    "frames.clip_frames": 5,
    "frames.flip": True,
    "augmentation.highest_shift_share": 0.1,
    "augmentation.highest_zoom_share": 0.3,
    "augmentation.highest_brightness": 0.1,
    "augmentation.highest_contrast": 0.3,
    "model.colour": True,
    "model.normalisation": "batch",
    # A place sees 23 pixels around it before, and the whole of a tall object after them
    "model.filters": (24, 32, 48, 48),
    "model.coarser_filters": (64, 96),
    "model.units": 96,
    "model.head_filters": 64,
    "training.batch_size": 8,
    "training.spread_boxes": True,
    "training.learning_rate": 4e-3,
    "training.steps": 4_000,
    "training.steps_per_checkpoint": 200,
}
ROWS = ("ap50", "ap", "gaps_in_100_frames", "jitter_in_pixels")
CHUNK = 8  # frames of a request


def arguments_of(settings: dict[str, Any]) -> list[str]:
    """Returns settings as arguments of the task's command."""
    found: list[str] = []
    for name, value in settings.items():
        found += [f"--{name}", *map(str, value if isinstance(value, tuple) else (value,))]
    return found


def train(data: Path, run: Path, seed: int, more: Sequence[str]) -> dict:
    """Returns the metrics of a finished run, which is trained if it is not there."""
    if not (run / "metrics.json").is_file():
        command = [sys.executable, "-m", "apps.object_detection.train", "--data", str(data)]
        command += ["--run", str(run), "--seed", str(seed)]
        subprocess.run(
            [*command, *arguments_of(SETTINGS), *more],
            check=True,
            cwd=Path(__file__).resolve().parents[1],
        )
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def table(metrics: dict) -> str:
    """Returns the measures of the model and of each baseline."""
    named = {"this model": metrics["test"], **metrics["baselines"]}
    width = max(map(len, named))
    lines = [" " * width + "".join(f"{name:>20}" for name in ROWS)]
    for name, its in named.items():
        cells = "".join(f"{its[row]:20.3f}" if row in its else " " * 20 for row in ROWS)
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)


def frames_a_second(run: Path, videos: Sequence[Path]) -> float:
    """Returns frames that the signature `stream` reads in a second of processor time."""
    import numpy as np

    from apps.object_detection import serving
    from apps.suite.export import asking
    from apps.suite.videos import video_files

    model = asking.of_served("object_detection", serving.served(run))
    taken, count = 0.0, 0
    for video in videos:
        frames = np.stack([frame for _, frame in video_files.frames(video)])
        states = {name: np.zeros((1, 0), np.float32) for name in model.setting("states")}
        for first in range(0, len(frames), CHUNK):
            chunk = frames[None, first : first + CHUNK]
            start = time.process_time()
            answer = model.ask(
                "stream", frames=chunk, threshold=np.float32(model.setting("threshold")), **states
            )
            # The first request traces the function
            if count or first:
                taken, count = taken + time.process_time() - start, count + chunk.shape[1]
            states = {name: answer[name] for name in states}
    return count / taken


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="folder of the data set")
    parser.add_argument("--run", type=Path, default=Path("runs/doom_boxes"), help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    options, more = parser.parse_known_args(arguments)  # what is left is for the training
    videos = sorted((options.folder / "test").glob("*.webm"))
    if not videos:
        raise SystemExit(f"{options.folder}: no videos in its folder test")
    metrics = train(options.folder.resolve(), options.run.resolve(), options.seed, more)
    print(f"\n{table(metrics)}\n\ntraining: {metrics['train_seconds']:.0f} s")
    speed = frames_a_second(options.run, videos)
    print(f"streamed: {speed:.0f} frames of 160 x 120 a second of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
