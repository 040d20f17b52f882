"""Exports a run for TensorFlow Serving: `python -m apps.summarization.export`.

Signatures, all for any number of rows:

    serving_default  text string[b], max_words int32, min_words int32 (one for all, or one for each
                     row), beam_width int32
                     -> summary string[b], score float32[b], ln p of the summary divided by
                        ((5 + pieces) / 6) ** search.length_penalty
    explain          the same
                     -> summary, pieces string[b, time], copied float32[b, time], the share of a
                        piece's probability that comes from copying, source_word int32[b, time],
                        the word of the text (from 0) that it is copied from, or -1
    score            text string[b], summary string[b] -> nats_per_word float32[b]

A text that is longer than `text.most_text_pieces` is read up to there; the summary of an empty text
is "". `assets/settings.json` holds the defaults of the options and the bounds.

What `python -m apps.export_onnx` writes of a run: texts and beginnings of summaries in, scores of
the next pieces out, those of the vocabulary alone.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "summarization"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the next version of the run's export, and returns it; see `saved_model.of_run`."""
    from apps.suite.export import saved_model
    from apps.summarization import serving

    return saved_model.of_run(TASK, run_folder, serving.served, serving.requests, destination)


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps texts and beginnings to scores of what follows: see `pair_answers.onnx_network`."""
    from apps.suite.sequences import pair_answers
    from apps.summarization import trained_model

    trained = trained_model.load(run)
    return pair_answers.onnx_network(
        trained.model, trained.vocabulary.size, trained.vocabulary.size
    )


def _tell(version: Path) -> None:
    from apps.suite.export import saved_model

    body = (
        '{"inputs": {"text": ["Keeps only the last state of a row, and forgets all before it"], '
        '"max_words": 20, "min_words": 3, "beam_width": 4}}'
    )
    saved_model.tell(version, "summaries", body, '"Keeps only the last state of a row"')


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
