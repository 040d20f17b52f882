"""Exports a run for TensorFlow Serving: `python -m apps.text_generation.export`.

Three signatures, all for any number of rows:

    serving_default  prompt string[b], length int32, temperature float32, top_k int32,
                     top_p float32, seed int64 (each a scalar, or [b])
                     -> text string[b], the continuation without the prompt
    step             token int32[b], state_<layer>_<part> float32[b, units]
                     -> token int32[b] (the most probable one), logits float32[b, vocabulary],
                        and the new states under the names of the old ones
    score            text string[b] -> nats_per_character float32[b]

An empty prompt is continued as a new line is, and a text is scored as what follows one; an empty
text scores 0. `step` begins with states of zeros; ids are the lines of `assets/vocabulary.txt`,
counted from 0. What the vocabulary lacks is read as id 0, the unknown, which is never generated.

What `python -m apps.export_onnx` writes of a run: tokens, states in; logits, states out.
"""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file


def onnx_network(run: Path) -> onnx_file.Network:
    """`tokens` int32 (batch, time) and the states to `logits` (batch, time, vocabulary)."""
    import numpy as np

    from apps.suite.export import onnx_file
    from apps.text_generation import trained_model

    streaming = trained_model.load(run).streaming
    draw = np.random.default_rng(0)
    examples = [
        {
            "tokens": draw.integers(0, streaming.outputs[0].shape[-1], (rows, time), np.int32),
            **{
                state.name: draw.uniform(-0.5, 0.5, (rows, state.shape[-1])).astype(np.float32)
                for state in streaming.inputs[1:]
            },
        }
        for rows, time in ((1, 1), (1, 20), (3, 7))
    ]
    return onnx_file.Network(streaming, "logits", examples)


TASK = "text_generation"


@dataclass(frozen=True)
class Options:
    """Export a run as a SavedModel for TensorFlow Serving, and check it in a clean process."""

    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    to: Path = Path("exports")
    """Folder of the exports of all tasks; the version is written to text_generation/<number>."""


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/text_generation/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    import lstm_layers
    from apps.suite.export import saved_model
    from apps.text_generation import serving, trained_model

    trained = trained_model.load(run_folder)
    served = serving.ServedText(trained.streaming, trained.tokenizer)
    with lstm_layers.computed_by("portable", trained.streaming):  # and not as the export does
        requests = serving.requests(trained.streaming, trained.tokenizer)
    return saved_model.write(served.saved, served.signatures(), requests, destination, TASK)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(TASK, "export", Options, _export_and_tell, arguments)


def _export_and_tell(options: Options) -> None:
    version = export(options.run, options.to)
    instance = {
        "prompt": "In the beginning",
        "length": 200,
        "temperature": 0.8,
        "top_k": 0,
        "top_p": 1.0,
        "seed": 0,
    }
    body = json.dumps({"instances": [instance]})
    print(f"exported to {version}; reloaded without this project, it answers as Keras does")
    print("Once TensorFlow Serving serves that folder's parent, ask it for text:")
    print(f"  curl http://localhost:8501/v1/models/{TASK}:predict -d '{body}'")
    print("or ask the export itself:")
    print(f'  python -m apps.{TASK}.predict --model {version} "In the beginning"')


if __name__ == "__main__":
    sys.exit(main())
