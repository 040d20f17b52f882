"""Exports a run for TensorFlow Serving: `python -m apps.sequence_regression.export`.

Signatures, all for any number of rows:

    serving_default  values float32[b, time, channels], NaN after the end and where missing, or
                     text string[b]
                     -> value, lower, upper float32[b] each, target_names string[targets]; where
                        every step has a value float32[b, time]; with several targets one side more
    stream           chunk float32[b, n, channels] (n at least 1) and the states, float32[b, …] each
                     -> value, lower, upper float32[b, n] after each step, target_names, and the
                        new states under the names of the old ones; not of a model that needs what
                        comes later

A stream begins with states of empty rows, float32[b, 0]. `assets/settings.json` holds the names of
targets and channels and the share of truths that lower and upper enclose. What
`python -m apps.export_onnx` writes of a run: values, or numbers of words and letters, in; mean and
quantiles out.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "sequence_regression"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/sequence_regression/<version>`, and returns it.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    from apps.sequence_regression import serving, trained_model
    from apps.suite.export import saved_model

    trained = trained_model.load(run_folder)
    served = serving.of_model(trained)
    return saved_model.export(
        TASK, trained.model, served, lambda: serving.requests(trained), destination
    )


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `values`, or `words` and `letters`, to `quantiles` (…, targets, 4), the mean first."""
    from apps.sequence_regression import serving, trained_model
    from apps.suite.sequences import served

    trained = trained_model.load(run)
    return served.onnx_network(trained, serving.requests(trained), "quantiles")


def _tell(version: Path) -> None:
    from apps.suite.sequences import served

    served.tell(version, "a value", "FILE")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
