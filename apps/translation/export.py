"""Exports a run for TensorFlow Serving: `python -m apps.translation.export`.

Signatures, all for any number of rows:

    serving_default  text string[b], beam_width int32, length_penalty float32
                     -> translation string[b], score float32[b]
    alternatives     text string[b], count int32, length_penalty float32
                     -> translations string[b, n], scores float32[b, n], the best first
    align            text, translation string[b]
                     -> source_pieces string[b, s], target_pieces string[b, t],
                        attention float32[b, t, s]; "" and 0 after the ends, and at the ends
    score            text, translation string[b] -> nats_per_token float32[b]

A score is ln p / ((5 + tokens) / 6) ** length_penalty. `assets/settings.json` holds the
languages, the width and the penalty that `predict` asks with, and the bounds of a request.

What `python -m apps.export_onnx` writes of a run: source and target ids in, logits out.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "translation"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the next version of the run's export, and returns it; see `saved_model.of_run`."""
    from apps.suite.export import saved_model
    from apps.translation import serving

    return saved_model.of_run(TASK, run_folder, serving.served, serving.requests, destination)


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps texts and beginnings to scores of what follows: see `pair_answers.onnx_network`."""
    from apps.suite.sequences import pair_answers
    from apps.translation import trained_model

    trained = trained_model.load(run)
    return pair_answers.onnx_network(trained.model, trained.source.size, trained.target.size)


def _tell(version: Path) -> None:
    from apps.suite.export import saved_model

    body = '{"inputs": {"text": ["She sees a house."], "beam_width": 4, "length_penalty": 0.6}}'
    saved_model.tell(version, "translations", body, '"She sees a house."')


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
