"""Exports a run for TensorFlow Serving: `python -m apps.tagging.export`.

The signatures, `serving_default` for texts and `tokens` for words, are described in `serving` and
in the README.

What `python -m apps.export_onnx` writes of a run: word and letter ids in, tags out.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "tagging"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the next version of the run's export, and returns it; see `saved_model.of_run`."""
    from apps.suite.export import saved_model
    from apps.tagging import serving

    return saved_model.of_run(TASK, run_folder, serving.served, serving.requests, destination)


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `word_ids` int32 (b, time), `letter_ids` int32 (b, time, letters) to tags.

    Numbers of words and letters are those of the lines of vocabulary/words.txt and letters.txt of
    the run, counted from 2; 1 is any other, 0 is padding. Outputs:

    tags                 int32 (b, time), the best path: places in the list tag_names of the run's
                         config.json, and -1 at padding
    probabilities        float32 (b, time), of these tags
    label_probabilities  float32 (b, labels), of a model with labels: by their places in label_names
    """
    import keras
    import tensorflow as tf

    from apps.suite.export import onnx_file
    from apps.tagging import data, scoring, serving, trained_model

    trained = trained_model.load(run)
    asked = [each for each in serving.requests(trained) if each.signature == "tokens"]
    examples = []
    for request in asked:
        tokens = tf.constant(request.inputs["tokens"])
        words, letters = data.preprocess(tokens, trained.vocabulary)
        examples.append({"word_ids": words.numpy(), "letter_ids": letters.numpy()})
    inputs = trained.model.input
    answers = scoring.Decoding(trained.model)(inputs["word_ids"], inputs["letter_ids"])
    answers = list(answers if trained.label_names else answers[:2])
    further = ("probabilities", "label_probabilities")[: len(answers) - 1]
    model = keras.Model(inputs, answers, name="tagger")
    return onnx_file.Network(model, "tags", examples, further)


def _tell(version: Path) -> None:
    from apps.suite.export import saved_model

    body = '{"instances": ["In the beginning God created the heaven and the earth"]}'
    saved_model.tell(version, "tags and spans", body, '"In the beginning God created the heaven"')


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
