"""Exports a run for TensorFlow Serving: `python -m apps.speech_to_text.export`.

Signatures, all for any number of rows; samples are -1 to 1 at the rate of the run:

    serving_default  waveform float32[b, samples]
                     -> text string[b], confidence float32[b], greedy_text string[b]
    padded           waveform, and length int32[b], the samples of each row -> the same
    wav              wav string[b], the bytes of files with 16-bit samples at the rate of the run;
                     several channels are mixed -> the same
    words            waveform, length -> words string[b, words], start_seconds, end_seconds,
                     confidence float32[b, words]; rows are padded with "" and 0
    beam             waveform, length, language_weight, word_bonus float32[b]
                     -> texts string[b, paths], scores float32[b, paths], the best first
    stream           chunk float32[b, n] (any n), flush bool, and the states, float32[b, …] each
                     -> text string[b], the words that are complete since the last call, tail
                        string[b], the word that is being said, and the new states under the names
                        of the old ones; not of a model that needs what comes later

`text` is decoded with the language model, which is in the export; `greedy_text` without it, as a
stream is. The confidence of a text is its share among the candidates. A stream begins with states
of empty rows, float32[b, 0], and ends with a call with flush true, after which its tail is text.
`assets/settings.json` holds the sample rate, the letters, the weights and the states' names.

What `python -m apps.export_onnx` writes of a run: features of recordings in, logits out.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "speech_to_text"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the next version of the run's export, and returns it; see `saved_model.of_run`."""
    from apps.speech_to_text import serving
    from apps.suite.export import saved_model

    return saved_model.of_run(TASK, run_folder, serving.served, serving.requests, destination)


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `features` (batch, time, channels) and `frames` (batch,) to `logits` of letters."""
    import numpy as np

    from apps.speech_to_text import trained_model
    from apps.suite.export import onnx_file
    from apps.suite.sounds import front_end

    model = trained_model.load(run).model
    draw = np.random.default_rng(0)
    examples = []
    for frames in ([61], [9], [50, 31, 12]):
        features = front_end.drawn(model, len(frames), max(frames), draw)
        examples.append({"features": features, "frames": np.array(frames, np.int32)})
    return onnx_file.Network(model, "logits", examples)


def _tell(version: Path) -> None:
    from apps.suite.export import saved_model

    body = '{"signature_name": "wav", "inputs": {"wav": [{"b64": "\'$(base64 -w 0 talk.wav)\'"}]}}'
    saved_model.tell(version, "a file's text", body, "talk.wav")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
