"""Exports a run for TensorFlow Serving: `python -m apps.object_detection.export`.

Signatures, all for any number of rows; frames are RGB from 0 to 255, of any height and width:

    serving_default  frames uint8[b, frames, height, width, 3], any number of frames;
                     threshold float32, a number or one for each row: boxes with a lower score are
                     not told
                     -> boxes float32[b, frames, n, 4]: left, top, right, bottom in pixels of the
                        frame that was sent, the likeliest first; scores float32[b, frames, n];
                        labels string[b, frames, n]; count int32[b, frames], how many of the n are
                        boxes, after which come zeros and ""
    encoded          encoded string[b, frames], JPEG or PNG files, of any size each; "" is padding
                     -> the same
    stream           frames, threshold and the states memory_h and memory_c, float32[b, numbers]
                     -> the same, and the new states; a stream begins with states float32[b, 0]

`assets/settings.json` holds the labels, the usual threshold, the network's size and the states'
names.

What `python -m apps.export_onnx` writes of a run: frames of the network's size in, maps out.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite.commands import command

if typing.TYPE_CHECKING:
    from apps.suite.export import onnx_file

TASK = "object_detection"


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the next version of the run's export, and returns it; see `saved_model.of_run`."""
    from apps.object_detection import serving
    from apps.suite.export import saved_model

    return saved_model.of_run(TASK, run_folder, serving.served, serving.requests, destination)


def onnx_network(run: Path) -> onnx_file.Network:
    """Maps `frames` uint8 (batch, time, height, width, 3) to `maps`, those of `model.build`."""
    import numpy as np

    from apps.object_detection import trained_model
    from apps.suite.export import onnx_file

    model = trained_model.load(run).model
    height, width = model.input["frames"].shape[2:4]
    draw = np.random.default_rng(0)
    examples = [
        {"frames": draw.integers(0, 256, (rows, time, height, width, 3), np.uint8)}
        for rows, time in ((1, 1), (1, 7), (3, 4))
    ]
    return onnx_file.Network(model, "maps", examples)


def _tell(version: Path) -> None:
    from apps.suite.export import saved_model

    frames = ", ".join(f'{{"b64": "\'$(base64 -w 0 frame{at}.jpg)\'"}}' for at in (1, 2))
    inputs = f'{{"encoded": [[{frames}]], "threshold": 0.3}}'
    body = f'{{"signature_name": "encoded", "inputs": {inputs}}}'
    saved_model.tell(version, "the boxes of two frames", body, "video.mp4")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.export_command(TASK, export, _tell, arguments)


if __name__ == "__main__":
    sys.exit(main())
