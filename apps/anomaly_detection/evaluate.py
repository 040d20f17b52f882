"""Measures a trained run on the test parts: `python -m apps.anomaly_detection.evaluate`."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.anomaly_detection import config as configs
from apps.suite import errors
from apps.suite.commands import command
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.anomaly_detection import detections, trained_model
    from apps.suite.tables import series


TASK = "anomaly_detection"
INJECTED_FAULTS = 10


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    The model, the baselines and random scores are judged by the same labels, with thresholds found
    by the same method on the same validation parts. Where no test part has a labelled event, faults
    are made into them, and the report says so. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    import threadpoolctl  # type: ignore[import-untyped]

    from apps.anomaly_detection import (
        baselines,
        data,
        detections,
        own_models,
        report,
        scoring,
        trained_model,
    )

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, collection, config = run.trained, run.data, run.config
    is_set = not Path(collection.source).exists()
    faults = report.faults_of_set(config.data, collection) if is_set else []
    collection = _labelled(collection, config)
    steps = sum(len(one) for one in collection.series)
    print(f"scoring {steps:,} steps", flush=True)
    with tempfile.TemporaryDirectory(prefix="anomaly_detection-") as temporary:
        scored = scoring.score_series(trained, collection.series, Path(temporary))
        evaluation.refuse_diverged(folder, *(each.scores for each in scored))
        model = detections.detect(
            collection,
            config,
            [each.scores for each in scored],
            [each.valid for each in scored],
            trained.threshold,
            trained.detector.steps_behind,
        )
        print("scoring the baselines", flush=True)
        seen = [detections.observed(one, collection.scored_count) for one in collection.series]
        named: dict[str, list[np.ndarray]] = {}
        # Their matrices are small: more threads than one only wait for each other on a busy machine
        with threadpoolctl.threadpool_limits(limits=1):
            for one in collection.series:
                found = baselines.scores(one, collection.scored_count, config.seed)
                for name, values in found.items():
                    named.setdefault(name, []).append(values)
        plain = {comparison.MODEL: [each.scores for each in scored], **named}
        if trained.scales:
            named = {
                name: detections.levelled(collection, values, seen)
                for name, values in named.items()
            }
        another = own_models.other(trained)
        named[detections.RANDOM] = detections.random_scores(collection, config.seed)
        others = {
            name: detections.detect(collection, config, values, seen)
            for name, values in named.items()
        }
        if another is not None:
            name, models = another
            rest = scoring.score_series(models, collection.series, Path(temporary))
            others[name] = detections.detect(
                collection,
                config,
                [each.scores for each in rest],
                [each.valid for each in rest],
                trained.threshold,
                trained.detector.steps_behind,
            )
        metrics = _metrics(collection, model, others)
        is_scaled = bool(trained.scales) and trained.choice is None
        alike = _alike(run, collection, plain, seen) if is_scaled else {}
        measured = report.Measured(collection, scored, model, others, trained, faults, alike)
        card = report.card(folder, metrics, measured)
    note = report.why(folder, trained, metrics, len(collection.series))
    if trained.choice is not None:
        note = " ".join([own_models.told(trained.choice), *([note] if note else [])])
    return evaluation.finish(folder, metrics, card, [], note=note, shown=report.narrow(metrics))


def _alike(
    run: evaluation.Run[configs.Config, trained_model.TrainedModel, series.Collection],
    collection: series.Collection,
    plain: dict[str, list[np.ndarray]],
    seen: list[np.ndarray],
) -> dict[str, detections.Detection]:
    """Returns the alarms of one threshold on scores that are not brought to one level."""
    import numpy as np

    from apps.anomaly_detection import detections, series_scales

    scales = run.trained.scales
    found = {}
    for name, scores in plain.items():
        if name == comparison.MODEL:
            scales_of = (series_scales.of_name(scales, one.name) for one in collection.series)
            scores = [
                each * np.float32(scale.level if scale else 1)
                for each, scale in zip(scores, scales_of, strict=True)
            ]
        found[name] = detections.detect(collection, run.config, scores, seen)
    return found


def _labelled(collection: series.Collection, config: configs.Config) -> series.Collection:
    """Returns the collection, with faults made into test parts that have no label."""
    from apps.anomaly_detection import labels
    from apps.suite.tables import scaling

    if any(
        one.labels is not None and one.labels[one.validation_end :].any()
        for one in collection.series
    ):
        return collection
    unknown = tuple(dataclasses.replace(one, labels=None) for one in collection.series)
    collection = dataclasses.replace(collection, series=unknown)
    found = scaling.statistics_of_training(collection.series)
    made = labels.injected(collection, found.deviation, INJECTED_FAULTS, config.seed)
    if not any(one.labels is not None and one.labels.any() for one in made.series):
        raise errors.UserError(
            f"{collection.source}: no labelled anomaly in the test part, and too few steps there "
            "to make faults into it; give labels or more rows"
        )
    print("no labels in the test part: faults are made into it, see the report", flush=True)
    return made


def _metrics(collection: series.Collection, model: Any, others: dict[str, Any]) -> dict[str, Any]:
    """Returns what `evaluation.finish` writes."""
    from apps.anomaly_detection import detections

    test = detections.metrics(collection, model)
    of_baselines = {name: detections.metrics(collection, each) for name, each in others.items()}
    examples = {
        "train": sum(one.train_end for one in collection.series),
        "validation": sum(one.validation_end - one.train_end for one in collection.series),
        "test": sum(len(one) - one.validation_end for one in collection.series),
    }
    counts = detections.event_counts(collection, model)
    measured = {**test, "threshold": model.threshold.value, **counts._asdict()}
    return comparison.metrics(
        examples, collection.split, "steps", detections.PRIMARY, measured, of_baselines
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
