"""Declares the options by which every `predict` command names the model that it asks."""

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
