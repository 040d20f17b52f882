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
that are no numbers or far beyond 1 are refused with the reason.

What `python -m apps.export_onnx` writes of a run: features of clips in, logits out.
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
    """`features` (batch, time, channels), `context_frames` and `frames` (batch,) to `logits`."""
    import numpy as np

    from apps.speech_commands import trained_model
    from apps.suite.export import onnx_file

    model = trained_model.load(run).model
    channels = model.input["features"].shape[-1]
    layer = model.get_layer("normalisation")
    mean, deviation = np.asarray(layer.mean), np.sqrt(np.asarray(layer.variance))
    draw = np.random.default_rng(0)
    examples = []
    for frames, context in (([61], [0]), ([9], [0]), ([50, 31, 12], [0, 4, 30])):
        drawn = draw.normal(size=(len(frames), 62, channels))
        features = mean.reshape(-1) + deviation.reshape(-1) * drawn
        examples.append(
            {
                "features": features.astype(np.float32),
                "context_frames": np.array(context, np.int32),
                "frames": np.array(frames, np.int32),
            }
        )
    return onnx_file.Network(model, "logits", examples)


TASK = "speech_commands"


@dataclass(frozen=True)
class Options:
    """Export a run as a SavedModel for TensorFlow Serving, and check it in a clean process."""

    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    to: Path = Path("exports")
    """Folder of the exports of all tasks; the version is written to speech_commands/<number>."""


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/speech_commands/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    import lstm_layers
    from apps.speech_commands import serving, trained_model
    from apps.suite.export import saved_model

    trained = trained_model.load(run_folder)
    served = serving.ServedSpeech(
        trained.model, trained.label_names, trained.config, trained.thresholds
    )
    with lstm_layers.computed_by("portable", trained.model):  # and not as the export does
        requests = serving.requests(trained.model, trained.label_names, trained.config)
    return saved_model.write(served.saved, served.signatures(), requests, destination, TASK)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(TASK, "export", Options, _export_and_tell, arguments)


def _export_and_tell(options: Options) -> None:
    version = export(options.run, options.to)
    print(f"exported to {version}; reloaded without this project, it answers as Keras does")
    print("Once TensorFlow Serving serves that folder's parent, ask it for a file's word:")
    body = '{"signature_name": "wav", "inputs": {"wav": [{"b64": "\'$(base64 -w 0 clip.wav)\'"}]}}'
    print(f"  echo '{body}' |")
    print(f"    curl -X POST http://localhost:8501/v1/models/{TASK}:predict -d @-")
    print("or ask the export itself:")
    print(f"  python -m apps.{TASK}.predict --model {version} clip.wav")


if __name__ == "__main__":
    sys.exit(main())
