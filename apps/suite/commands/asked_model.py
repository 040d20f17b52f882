"""Declares the options that `predict` commands share, and checks those that name sounds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

Run = Annotated[Path, tyro.conf.arg(help="Folder of a finished run.")]
Export = Annotated[
    Path | None, tyro.conf.arg(help="Ask this version folder of an export instead of a run.")
]
Server = Annotated[
    str,
    tyro.conf.arg(
        help="Ask a model server instead: HOST:PORT for gRPC, http://HOST:PORT for REST."
    ),
]


def check_sounds(inputs: Sequence[str], raw_rate_hz: int | None) -> None:
    """Raises ValueError for sounds that cannot be meant.

    Args:
        inputs: sound files, folders, or -: raw samples of standard input.
        raw_rate_hz: of standard input, None for the model's own.
    """
    if not inputs:
        raise ValueError("inputs: name a sound file, a folder, or - for standard input")
    if inputs.count("-") > 1:
        raise ValueError("inputs: standard input can be read once")
    if raw_rate_hz is not None and raw_rate_hz < 1:
        raise ValueError(f"--raw_rate_hz must be at least 1, is {raw_rate_hz}")
