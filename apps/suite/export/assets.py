"""Text files of an export, which clients without its folder read by the signature `assets`."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.serving import warmup_requests

SETTINGS = "settings.json"
"""Name of the asset that tells clients what the signatures' types do not."""

SIGNATURE = "assets"


class Assets:
    """Text files that are saved with a model.

    Args:
        contents: texts by file name.

    Attributes:
        saved: to be kept as an attribute of the module that is saved.
        folder: holds the files for as long as this object lives.
    """

    def __init__(self, contents: Mapping[str, str]) -> None:
        self._contents = dict(contents)
        self.folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        for name, content in contents.items():
            (self.folder / name).write_text(content, encoding="utf-8", newline="\n")
        self.saved = [tf.saved_model.Asset(str(self.folder / name)) for name in contents]

    def signature(self) -> Any:
        """Returns the signature `assets`: name string[b] -> content string[b], "" for no file."""
        return tf.function(
            self._read, autograph=False, input_signature=[tf.TensorSpec([None], tf.string, "name")]
        )

    def _read(self, name: tf.Tensor) -> dict[str, tf.Tensor]:
        content = tf.fill(tf.shape(name), "")
        for known, text in self._contents.items():
            content = tf.where(tf.equal(name, known), text, content)
        return {"content": content}


def request() -> warmup_requests.Request:
    """Returns a request for a file that no export has, with the empty answer."""
    nothing = np.array([b""], object)
    return warmup_requests.Request(SIGNATURE, {"name": nothing}, {"content": nothing})
