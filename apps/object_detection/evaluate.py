"""Measures a trained run on its test videos: `python -m apps.object_detection.evaluate`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.object_detection import config as configs
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

TASK = "object_detection"
TWIN_FILE = "twin.keras"


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Model and baselines find boxes in the same test videos, whole, and the same code measures them.
    The model's frame-by-frame twin is trained once, and kept beside it.

    Raises:
        UserError: no trained run, data that have changed since, or answers that are not finite.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    from apps.object_detection import baselines, data, report, scoring, steadiness, trained_model
    from apps.suite.videos import video_files

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus = run.trained, run.data
    classes, least = len(trained.label_names), trained.threshold
    print(f"finding objects in {len(corpus.test):,} test videos", flush=True)
    find = scoring.Finder(trained.model, run.config.model.boxes_per_frame)
    began = time.perf_counter()
    found = find(corpus.test)
    seconds = time.perf_counter() - began
    frames_a_second = sum(len(each.frames) for each in corpus.test) / seconds
    evaluation.refuse_diverged(
        run.folder, *(each for its in found for each in (its.boxes, its.scores))
    )
    if run.config.evaluation.twin:
        print("training the frame-by-frame twin", flush=True)
    given = baselines.found(corpus, run.config, run.folder.path / TWIN_FILE, trained.threshold)

    def measured(its: list[scoring.Found]) -> dict[str, float]:
        return scoring.scores(corpus.test, its, classes, least)

    def tracked(its: list[scoring.Found]) -> dict[str, float]:
        followed = [steadiness.tracked(each, least) for each in its]
        return steadiness.of(corpus.test, followed, least)

    result = measured(found)
    of_baselines = {name: measured(its) for name, its in given.items()}
    compared = {comparison.MODEL: found, **given}
    metrics = {
        **comparison.metrics(corpus.parts, corpus.split, "videos", "ap50", result, of_baselines),
        "threshold": trained.threshold,
        "parts": {
            name: [
                part._asdict()
                for by in (scoring.by_size, scoring.by_place)
                for part in by(corpus.test, its, classes)
            ]
            for name, its in compared.items()
        },
        "tracked": {
            name: tracked(its) for name, its in compared.items() if name != baselines.TRACKED
        },
    }
    card = report.card(run.folder, corpus, metrics, found, trained)
    note = f"It reads {frames_a_second:,.0f} frames a second here."
    example = video_files.write_example(run.folder.path, corpus.test[0].frames)
    return evaluation.finish(
        run.folder, metrics, card, [example], note=note, shown=report.shown(metrics)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
