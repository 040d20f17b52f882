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

Of a run that is a mixture (`mixture`) all three answer with it: `step` then has one more state,
`state_ngrams` float32[b, order - 1], and its logits are ln p.

What `python -m apps.export_onnx` writes of a run: tokens, states in; logits, states out.
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

TASK = "text_generation"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/text_generation/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    from apps.suite.export import saved_model
    from apps.text_generation import serving, trained_model

    trained = trained_model.load(run_folder)
    streaming = trained.answering()
    served = serving.ServedText(streaming, trained.tokenizer, trained.mixture)
    return saved_model.export(
        TASK,
        streaming,
        served,
        lambda: serving.requests(streaming, trained.tokenizer),
        destination,
    )


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `tokens` int32 (batch, time) and states to `logits` (batch, time, vocabulary).

    It holds the network alone, without the n-grams of a mixture.
    """
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


def _tell(version: Path) -> None:

    from apps.suite.export import saved_model

    instance = {
        "prompt": "In the beginning",
        "length": 200,
        "temperature": 0.8,
        "top_k": 0,
        "top_p": 1.0,
        "seed": 0,
    }
    body = json.dumps({"instances": [instance]})
    saved_model.tell(version, "text", body, '"In the beginning"')


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
