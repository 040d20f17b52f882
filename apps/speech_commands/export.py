"""Exports a run for TensorFlow Serving: `python -m apps.speech_commands.export`.

Signatures, all for any number of rows; samples are -1 to 1 at the rate of the run:

    serving_default  waveform float32[b, samples]
                     -> label string[b], label_names string[labels],
                        probabilities float32[b, labels]
    wav              wav string[b], the bytes of files with 16-bit samples at the rate of the run,
                     of any length each; several channels are mixed -> the same
    stream           chunk float32[b, n] (any n) and the states, float32[b, …] each
                     -> probabilities float32[b, new frames, labels], label string[b] (of the
                        newest frame, "" where none is new), label_names, and the new states under
                        the names of the old ones; not of a model that needs what comes later

A stream begins with states of empty rows, float32[b, 0]. `assets/settings.json` holds the sample
rate, the labels, the states' names, and what turns a stream's probabilities into words
(`detector`): thresholds, times, smoothing and cool-down. Another sample rate, no samples, samples
that are not numbers or far beyond 1 are refused with the reason.

What `python -m apps.export_onnx` writes of a run: features of clips in, logits out.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "speech_commands"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/speech_commands/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    from apps.speech_commands import serving, trained_model
    from apps.suite.export import saved_model

    trained = trained_model.load(run_folder)
    parts = trained.model, trained.label_names, trained.config
    served = serving.ServedSpeech(*parts, trained.thresholds)
    return saved_model.export(
        TASK, trained.model, served, lambda: serving.requests(*parts), destination
    )


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `features` (batch, time, channels), `context_frames`, `frames` (batch,) to `logits`."""
    import numpy as np

    from apps.speech_commands import trained_model
    from apps.suite.export import onnx_file
    from apps.suite.sounds import front_end

    model = trained_model.load(run).model
    draw = np.random.default_rng(0)
    examples = []
    for frames, context in (([61], [0]), ([9], [0]), ([50, 31, 12], [0, 4, 30])):
        examples.append(
            {
                "features": front_end.drawn(model, len(frames), 62, draw),
                "context_frames": np.array(context, np.int32),
                "frames": np.array(frames, np.int32),
            }
        )
    return onnx_file.Network(model, "logits", examples)


def _tell(version: Path) -> None:

    from apps.suite.export import saved_model

    body = '{"signature_name": "wav", "inputs": {"wav": [{"b64": "\'$(base64 -w 0 clip.wav)\'"}]}}'
    saved_model.tell(version, "a file's word", body, "clip.wav")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
