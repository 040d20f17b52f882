"""Learns to forecast many series: `python -m apps.forecasting.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from apps.forecasting import config as configs
from apps.suite.commands import command

TASK = "forecasting"


def train(config: configs.Config, run: Path, *, overwrite: bool = False) -> None:
    """Trains into the folder `run`, or continues an interrupted run there, and evaluates.

    The network learns from random windows of the train parts. The weights with the smallest loss
    on the validation parts are saved in model.keras; what makes the intervals cover what they say
    there is saved in forecaster.json.

    Raises:
        UserError: data that cannot be read, a run folder of another run, a full disk.
    """
    # TensorFlow takes seconds to import: only now, so that help and refusals are there at once.
    import keras

    from apps.forecasting import calibration, data, evaluate, model, trained_model
    from apps.forecasting import layout as layouts
    from apps.suite.distribution import distribution
    from apps.suite.export import trained_run
    from apps.suite.panels import panel as panels
    from apps.suite.runs import files, run_folder
    from apps.suite.training import fit, optimizer

    panel = data.load(config)
    print("\n".join([panels.understood(panel), *panel.notes]), flush=True)
    layout = layouts.of_training(panel, config)
    fit.seed_everything(config.seed)
    settings = config.training
    description = {
        "name": panel.name,
        "fingerprint": panel.fingerprint,
        "licence": panel.licence,
        "source": panel.source,
    }
    with run_folder.start(Path(run), TASK, config, description, overwrite) as folder:
        with distribution.scope():
            learner, network = model.build(config, layout)
            learner.compile(
                optimizer.optimizer(settings),
                model.loss(config.forecast.levels),
                jit_compile=settings.jit_compile,
            )
        steps = sum(one.train_end for one in panel.series)
        print(
            f"{panel.name}: {len(panel.series):,} series, {steps:,} steps to learn from; "
            f"season {layout.season or 'none'}; {learner.count_params():,} parameters; "
            f"{settings.steps:,} training steps"
        )
        validate = calibration.Validation(panel, layout, config)

        def save_best(_: keras.Model) -> None:
            with files.replacing(folder.model_file) as partial:
                network.save(partial)

        record = fit.fit(
            learner,
            lambda first_step: data.batches(panel, layout, config, first_step),
            steps=settings.steps,
            steps_per_checkpoint=settings.steps_per_checkpoint,
            folder=folder,
            save_best=save_best,
            validate=lambda trained: {"loss": validate.loss(trained)},
            patience_checkpoints=settings.patience_checkpoints,
        )
        best = trained_run.model(folder)
        calibrated, said = validate.calibrated(best, layout)
        trained_model.write(folder, trained_model.TrainedModel(best, config, layout, calibrated))
        print(said)
        folder.finish_training(record.train_seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
