"""Exports a run for TensorFlow Serving: `python -m apps.sequence_regression.export`.

The signatures, `serving_default` for sequences or texts and `stream` for chunks, are described in
`serving` and in the README.

What `python -m apps.export_onnx` writes of a run: values, or numbers of words and letters, in;
mean and quantiles out.
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
    """Writes the next version of the run's export, and returns it; see `saved_model.export`."""
    from apps.sequence_regression import serving

    return serving.served(run_folder).export(TASK, destination)


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `values`, or `words` and `letters`, to `quantiles` (…, targets, 4), the mean first."""
    from apps.sequence_regression import serving

    return serving.served(run).onnx_network()


def _tell(version: Path) -> None:
    from apps.suite.sequence_answers import served

    served.tell(version, "a value", "FILE")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
