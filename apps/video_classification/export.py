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
and the states' names. Input without a frame or a pixel, or that is not a picture, is refused with
the reason.

What `python -m apps.export_onnx` writes of a run: frames of clips in, logits out.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "video_classification"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the run's model to `destination/video_classification/<version>`, which it returns.

    Raises:
        UserError: no finished run, or a destination that cannot be written.
        RuntimeError: the export answers otherwise than Keras; it is removed again.
    """
    from apps.suite.export import saved_model
    from apps.video_classification import serving, trained_model

    trained = trained_model.load(run_folder)
    parts = trained.model, trained.label_names, trained.config
    served = serving.ServedVideo(*parts)
    return saved_model.export(
        TASK, trained.model, served, lambda: serving.requests(*parts), destination
    )


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `frames` uint8 (batch, time, height, width, 3), `length` int32 (batch,) to `logits`."""
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


def _tell(version: Path) -> None:

    from apps.suite.export import saved_model

    frames = ", ".join(f'{{"b64": "\'$(base64 -w 0 frame{at}.jpg)\'"}}' for at in (1, 2))
    body = f'{{"signature_name": "encoded", "inputs": {{"encoded": [[{frames}]]}}}}'
    saved_model.tell(version, "a video's label", body, "video.mp4")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
