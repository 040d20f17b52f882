"""Text files of an export, which clients without its folder read by the signature `assets`."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
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

    def module(self, name: str, *networks: keras.Model, **held: Any) -> tf.Module:
        """Returns what has to be saved: weights of networks, these files, and what else is held."""
        made = tf.Module(name=name)
        made.weights = [weight.value for network in networks for weight in network.weights]
        made.assets = self.saved
        for attribute, value in held.items():
            setattr(made, attribute, value)
        return made

    def signatures(
        self, **functions: tuple[Callable[..., Any], Sequence[tf.TensorSpec]]
    ) -> dict[str, Any]:
        """Returns functions that can be traced, by the names of their signatures, and `assets`."""
        return {
            name: tf.function(function, autograph=False, input_signature=specs)
            for name, (function, specs) in functions.items()
        } | {SIGNATURE: self.signature()}

    def _read(self, name: tf.Tensor) -> dict[str, tf.Tensor]:
        content = tf.fill(tf.shape(name), "")
        for known, text in self._contents.items():
            content = tf.where(tf.equal(name, known), text, content)
        return {"content": content}


def of_settings(settings: Mapping[str, Any]) -> Assets:
    """Returns the files of an export that has its settings alone."""
    return Assets({SETTINGS: json.dumps(settings, indent=2) + "\n"})


def request() -> warmup_requests.Request:
    """Returns a request for a file that no export has, with the empty answer."""
    nothing = np.array([b""], object)
    return warmup_requests.Request(SIGNATURE, {"name": nothing}, {"content": nothing})
