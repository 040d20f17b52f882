"""Exports a run for TensorFlow Serving: `python -m apps.anomaly_detection.export`.

Two signatures, for any number b of series side by side and any number of steps:

    serving_default  values float32[b, time, features], NaN where missing
                     -> score float32[b, time], threshold float32[b], is_anomaly bool[b, time],
                        alarm bool[b, time], contribution float32[b, time, features],
                        channel_names string[b, features]
    stream           values likewise, one step or more, and the states, each [b, …]
                     -> the same, and the new states under the names of the old ones

Features are the columns of the training data, in their order, in their units. A score above the
threshold is an anomaly, unless it falls into the cool-down after the last event; `alarm` is true
at the first step of each event. The contributions of a step's channels add up to its score.

Each series of `serving_default` is read from an empty state. `stream` begins with states of zeros;
fed one step at a time, it gives the same scores. Of a model that reconstructs windows, it gives
those of `window_steps - 1` steps before; a forecaster's are of the step itself.

`assets/settings.json` holds the channels' names, means and deviations in their units, how many of
them are scored, and the seconds from a step to the next and the steps of a season. Of a run on the
embedded data, `assets/example.csv` holds three weeks of it to try.

What `python -m apps.export_onnx` writes of a run: values in, the network's word on them out.
"""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "anomaly_detection"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/anomaly_detection/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    from apps.anomaly_detection import own_models, serving, trained_model
    from apps.suite.export import saved_model

    trained = trained_model.load(run_folder)
    own_models.refuse_export(trained, run_folder)
    served = serving.ServedDetector(trained, serving.example_csv(run_folder))
    return saved_model.export(
        TASK, trained.network, served, lambda: serving.requests(trained), destination
    )


def onnx_network(run: Path) -> onnx_file.Network:
    """Values without gaps and whether they were observed, both (batch, time, features).

    A forecaster has `predictions` (batch, time, horizon, scored) and its states, a network of
    windows a `reconstruction` (batch, window, scored).
    """
    import numpy as np

    from apps.anomaly_detection import trained_model
    from apps.suite.export import onnx_file

    model = trained_model.load(run).network
    scaling = model.get_layer("scaling")
    mean, deviation = np.asarray(scaling.mean), np.asarray(scaling.deviation)
    draw = np.random.default_rng(0)
    examples = []
    for rows, time in ((1, 1), (1, 40), (3, 9)):
        steps = model.inputs[0].shape[1] or time
        drawn = draw.normal(size=(rows, steps, len(mean)))
        inputs = {
            "values": (mean + deviation * drawn).astype(np.float32),
            "observed": (draw.random(drawn.shape) < 0.9).astype(np.float32),
        }
        for state in model.inputs[2:]:
            inputs[state.name] = draw.uniform(0, 0.5, (rows, *state.shape[1:])).astype(np.float32)
        examples.append(inputs)
    answer = "predictions" if len(model.inputs) > 2 else "reconstruction"
    return onnx_file.Network(model, answer, examples)


def _tell(version: Path) -> None:

    from apps.suite.export import saved_model

    settings = json.loads((version / "assets" / "settings.json").read_text("utf-8"))
    usual = [round(mean, 3) for mean in settings["mean"]]
    saved_model.tell(version, "scores", json.dumps({"instances": [{"values": [usual] * 3}]}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
