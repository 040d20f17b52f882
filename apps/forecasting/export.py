"""Exports a run for TensorFlow Serving: `python -m apps.forecasting.export`.

    serving_default  values float32[b, time, targets], NaN where missing; horizon int32; and what
                     the data of the training had: past float32[b, time, columns], known
                     float32[b, time + horizon, columns], times int64[b, time + horizon], series
                     string[b], static string[b, columns]
                     -> mean float32[b, horizon, targets], quantiles float32[b, horizon, targets,
                        levels], quantile_levels float32[b, levels], unseen bool[b]

    paths            the same, count int32 and seed int32
                     -> paths float32[b, count, horizon, targets], unseen bool[b]

    stream           the same of one new step or more, and the states, each [b, …]
                     -> the same, after all steps so far, and the new states under their names

    closed_loop      the states, and what is known of the horizon -> as serving_default

A history of any length is read, its last `model.context_steps` steps. Beyond the horizon of the
training the model goes on along paths that it draws. `unseen` marks series that
training has not seen; they are forecast by what all have in common. A stream begins with states of
zeros. `assets/settings.json` names the columns and says how files were read.

What `python -m apps.export_onnx` writes of a run: the network's word on a prepared window.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "forecasting"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/forecasting/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    from apps.forecasting import serving, trained_model
    from apps.suite.export import saved_model

    trained = trained_model.load(run_folder)
    served = serving.ServedForecaster(trained)
    return saved_model.export(
        TASK, trained.network, served, lambda: serving.requests(trained), destination
    )


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps what `data.preprocess` makes of a window to mean and quantiles of z."""
    import numpy as np

    from apps.forecasting import trained_model
    from apps.suite.export import onnx_file

    model = trained_model.load(run).network
    draw = np.random.default_rng(0)
    examples = []
    for rows in (1, 3):
        inputs = {}
        for each in model.inputs:
            shape = (rows, *(side or 5 for side in each.shape[1:]))
            kind = np.dtype(each.dtype)
            inputs[each.name] = (
                draw.normal(size=shape) if kind.kind == "f" else np.zeros(shape)
            ).astype(kind)
        examples.append(inputs)
    return onnx_file.Network(model, "forecast", examples)


def _tell(version: Path) -> None:
    from apps.suite.panels import served

    served.tell(version)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
