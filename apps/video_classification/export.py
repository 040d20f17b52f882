"""Exports a run for TensorFlow Serving: `python -m apps.video_classification.export`.

Signatures, all for any number of rows; frames are RGB from 0 to 255, of any height and width:

    serving_default  frames uint8[b, frames, height, width, 3], any number of frames
                     -> label string[b], label_names string[labels],
                        probabilities float32[b, labels]
    encoded          encoded string[b, frames], JPEG or PNG files, of any size each; "" is padding
                     -> the same
    stream           frames uint8[b, n, height, width, 3] (any n) and the states, float32[b, …] each
                     -> label string[b, n] and probabilities float32[b, n, labels] of each frame,
                        label_names, and the new states under the names of the old ones;
                        of a model with `model.per_frame` alone

A row of `serving_default` and `encoded` is one video or, for a run with windows, as many seconds of
one as `clip_seconds` says: the graph samples the frames of a clip from it as the training did, and
brings them to the size of the network. A stream takes every frame as it comes; it begins with
states of empty rows, float32[b, 0]. `assets/settings.json` holds the labels, the size of a clip
and the states' names. What has no frame or no pixel, or is no picture, is refused with the reason.

What `python -m apps.export_onnx` writes of a run: frames of clips in, logits out.
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
    """`frames` uint8 (batch, time, height, width, 3) and `length` int32 (batch,) to `logits`."""
    import numpy as np

    from apps.suite.export import onnx_file
    from apps.video_classification import trained_model

    model = trained_model.load(run).model
    height, width = model.input["frames"].shape[2:4]
    draw = np.random.default_rng(0)
    examples = [
        {
            "frames": draw.integers(0, 256, (len(lengths), time, height, width, 3), np.uint8),
            "length": np.array(lengths, np.int32),
        }
        for lengths, time in (([1], 1), ([16], 16), ([9, 4, 1], 9))
    ]
    return onnx_file.Network(model, "logits", examples)


TASK = "video_classification"


@dataclass(frozen=True)
class Options:
    """Export a run as a SavedModel for TensorFlow Serving, and check it in a clean process."""

    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    to: Path = Path("exports")
    """Folder of the exports of all tasks; this one goes to video_classification/<number>."""


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/video_classification/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    import lstm_layers
    from apps.suite.export import saved_model
    from apps.video_classification import serving, trained_model

    trained = trained_model.load(run_folder)
    served = serving.ServedVideo(trained.model, trained.label_names, trained.config)
    with lstm_layers.computed_by("portable", trained.model):  # and not as the export does
        requests = serving.requests(trained.model, trained.label_names, trained.config)
    return saved_model.write(served.saved, served.signatures(), requests, destination, TASK)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(TASK, "export", Options, _export_and_tell, arguments)


def _export_and_tell(options: Options) -> None:
    version = export(options.run, options.to)
    print(f"exported to {version}; reloaded without this project, it answers as Keras does")
    print("Once TensorFlow Serving serves that folder's parent, ask it for a video's label:")
    body = '{"signature_name": "encoded", "inputs": {"encoded": [['
    body += '{"b64": "\'$(base64 -w 0 frame1.jpg)\'"}, {"b64": "\'$(base64 -w 0 frame2.jpg)\'"}]]}}'
    print(f"  echo '{body}' |")
    print(f"    curl -X POST http://localhost:8501/v1/models/{TASK}:predict -d @-")
    print("or ask the export itself:")
    print(f"  python -m apps.{TASK}.predict --model {version} video.mp4")


if __name__ == "__main__":
    sys.exit(main())
