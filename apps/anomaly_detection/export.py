"""Exports a run for TensorFlow Serving: `python -m apps.anomaly_detection.export`.

Two signatures, for any number b of series side by side and any number of steps:

    serving_default  values float32[b, time, features], NaN where missing
                     -> score float32[b, time], threshold float32[b], is_anomaly bool[b, time],
                        alarm bool[b, time], contribution float32[b, time, features],
                        channel_names string[b, features]
    stream           values likewise, one step or more, and the states, each [b, …]
                     -> the same, and the new states under the names of the old ones

Features are the columns of the training data, in their order, in their units. A score above the
threshold is an anomaly, unless it falls into the cool-down behind the last event; `alarm` is true
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

import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file


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


TASK = "anomaly_detection"


@dataclass(frozen=True)
class Options:
    """Export a run as a SavedModel for TensorFlow Serving, and check it in a clean process."""

    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    to: Path = Path("exports")
    """Folder of the exports of all tasks; the version is written to anomaly_detection/<number>."""


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's detector to `destination/anomaly_detection/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    import lstm_layers
    from apps.anomaly_detection import serving, trained_model
    from apps.suite.export import saved_model

    trained = trained_model.load(run_folder)
    served = serving.ServedDetector(trained, serving.example_csv(run_folder))
    with lstm_layers.computed_by("portable", trained.network):  # and not as the export does
        requests = serving.requests(trained)
    return saved_model.write(served.saved, served.signatures(), requests, destination, TASK)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(TASK, "export", Options, _export_and_tell, arguments)


def _export_and_tell(options: Options) -> None:
    version = export(options.run, options.to)
    print(f"exported to {version}; reloaded without this project, it answers as Keras does")
    print("Once TensorFlow Serving serves that folder's parent, ask it for scores:")
    print(f"  curl http://localhost:8501/v1/models/{TASK}:predict -d '{_sample(options.run)}'")


def _sample(run: Path) -> str:
    """A request with three steps of a series that is as it is on the mean."""
    import json

    import numpy as np

    from apps.anomaly_detection import trained_model

    mean = np.asarray(trained_model.load(run).network.get_layer("scaling").mean, np.float64)
    return json.dumps({"instances": [{"values": [mean.round(3).tolist()] * 3}]})


if __name__ == "__main__":
    sys.exit(main())
