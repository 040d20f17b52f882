"""Learns the usual course of series of measurements: `python -m apps.anomaly_detection.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.anomaly_detection import config as configs
from apps.suite.commands import command

TASK = "anomaly_detection"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The network learns from stretches of the train parts. The weights with the smallest
    residuals on the validation parts are saved in model.keras, with the scaler. The normaliser and
    the threshold, fitted on the validation parts, are saved in detector.json. No label is used.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.

    from apps.anomaly_detection import (
        calibration,
        data,
        evaluate,
        model,
        own_models,
        series_scales,
        thresholds,
        trained_model,
    )
    from apps.suite.distribution import distribution
    from apps.suite.export import trained_run
    from apps.suite.runs import run_folder
    from apps.suite.tables import scaling, seasons
    from apps.suite.training import fit, learning, optimizer

    collection = data.load(config)
    for line in (*collection.understood, *_few(collection.notes)):
        print(line, flush=True)
    statistics = scaling.statistics_of_training(collection.series)
    by_series = config.model.scale == "by_series"
    scales = series_scales.of_training(collection, statistics) if by_series else {}
    collection = series_scales.brought_together(collection, scales, statistics)
    fit.seed_everything(config.seed)
    settings = config.training
    learned = data.with_season(config, collection)

    noted = run_folder.noted(collection)
    with run_folder.start(Path(run), TASK, config, noted, overwrite) as folder:
        with distribution.scope():
            learner = model.build(learned, len(collection.feature_names), collection.scored_count)
            learner.compile(optimizer.optimizer(settings), jit_compile=settings.jit_compile)
        network = learner.network
        network.get_layer("scaling").fit(statistics.mean, statistics.deviation)
        plain = calibration.plain_detector(network, learned, collection.scored_count)
        train_steps = sum(one.train_end for one in collection.series)
        print(
            f"{collection.name}: {len(collection.series)} series of "
            f"{len(collection.feature_names)} columns, {train_steps:,} steps to learn from; "
            f"{network.count_params():,} parameters; {settings.steps:,} training steps"
        )
        if scales:
            print(
                "each series is scaled by its own train part; model.scale common scales all alike"
            )
        if learned.model.season_steps:
            limits = seasons.limits(collection, learned.model.season_steps, statistics.deviation)
            network.get_layer("season").fit(limits)
            print(f"the model also reads what was {learned.model.season_steps:,} steps before")

        def validate() -> dict[str, float]:
            return {"loss": calibration.mean_square(plain, learned, collection)}

        record = learning.learn(
            learner,
            lambda first_step: data.batches(collection, learned, first_step).map(
                lambda values, observed: ((values, observed),)
            ),
            settings,
            folder,
            validate,
            saved=network,
        )
        best = trained_run.model(folder)
        normaliser, threshold, levels = calibration.fit(best, learned, collection, bool(scales))
        choice = None
        if config.model.networks != "common" and scales:
            common = own_models.common_losses(best, learned, collection)
            choice = own_models.train(train, config, folder.path, collection, common)
            print(own_models.told(choice))
        trained = trained_model.TrainedModel(
            best,
            config,
            normaliser,
            threshold,
            collection.feature_names,
            collection.scored_count,
            collection.series[0].step_seconds,
            {
                name: scale._replace(level=level)
                for (name, scale), level in zip(scales.items(), levels, strict=False)
            },
            choice,
        )
        trained_model.write(folder, trained)
        print(
            f"threshold {threshold.value:.4g} ({threshold.method}): "
            f"{threshold.expected_alarms_per_week:.2g} alarms a week expected"
        )
        if raised := thresholds.told(threshold, config.threshold.alarms_per_week):
            print(raised)
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


_MOST_NOTES = 10


def _few(notes: Sequence[str]) -> list[str]:
    """Returns the first notes, and the number of the others, which the report has."""
    more = len(notes) - _MOST_NOTES
    rest = [f"… and {more} more such files, see the report"] if more > 0 else []
    return [*notes[:_MOST_NOTES], *rest]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
