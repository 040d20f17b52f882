"""Learns to forecast many series: `python -m apps.forecasting.train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    from apps.forecasting import calibration, data, evaluate, model, trained_model
    from apps.suite.distribution import distribution
    from apps.suite.export import trained_run
    from apps.suite.panels import layout as layouts
    from apps.suite.panels import panel as panels
    from apps.suite.runs import run_folder
    from apps.suite.training import fit, history, learning, members

    panel = data.load(config)
    notes = [*panel.notes, *data.hints(panel, config)]
    print("\n".join([panels.understood(panel), *notes]), flush=True)
    layout = layouts.of_training(panel, config.model)
    settings = config.training
    with run_folder.start(Path(run), TASK, config, run_folder.noted(panel), overwrite) as folder:
        validate = calibration.Validation(panel, layout, config)

        def learn(config: configs.Config, folder: Any) -> history.History:
            fit.seed_everything(config.seed)
            with distribution.scope():
                learner, network = model.build(config, layout)
                learning.compiled(learner, settings, model.loss(config.forecast.levels))
            print(f"{learner.count_params():,} parameters; {settings.steps:,} training steps")
            return learning.learn(
                learner,
                lambda first_step: data.batches(panel, layout, config, first_step),
                settings,
                folder,
                lambda: {"loss": validate.loss(learner)},
                saved=network,
            )

        steps = sum(one.train_end for one in panel.series)
        print(
            f"{panel.name}: {len(panel.series):,} series, {steps:,} steps to learn from; season "
            f"{layout.season or 'none'}; members {settings.members}"
        )
        seconds = members.train(config, folder, settings.members, learn, model.shared(config))
        best = trained_run.model(folder)
        calibrated, said = validate.calibrated(best, layout)
        trained_model.write(folder, trained_model.TrainedModel(best, config, layout, calibrated))
        print(said)
        folder.finish_training(seconds)
    evaluate.evaluate(folder.path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.train_command(TASK, configs.PRESETS, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
