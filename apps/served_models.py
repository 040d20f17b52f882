"""`ServedModels`: the newest version of each model below a folder, followed as it changes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from apps import model_versions
from apps.served_version import Refusal, ServedVersion


class State(NamedTuple):
    """What became of a version, in the words of TensorFlow Serving's GetModelStatus."""

    version: int
    state: str  # AVAILABLE, LOADING, UNLOADING, END
    error: str = ""


class ServedModels:
    """Serves `folder/<model>/<version>`; versions come and go as their folders do.

    A newer version takes over as soon as it is loaded; then the older one is dropped, after the
    requests that it is answering. One that does not load is told of and leaves the older one be.

    Args:
        folder: of the models.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._serving: dict[str, ServedVersion] = {}
        self._states: dict[str, dict[int, State]] = {}
        self._failed: dict[tuple[str, int], float] = {}  # when what does not load was written
        self._changing = threading.Lock()  # of the folder's changes, one after the other
        self._choosing = threading.Lock()  # between finding a version and holding it

    def look(self) -> list[str]:
        """Loads what is new, drops what is gone; a line for each change."""
        told = []
        with self._changing:
            for model, number in model_versions.newest(self.folder).items():
                serving = self._serving.get(model)
                if serving is None or serving.number != number:
                    told += self._load(model, number)
            for model in self._serving.keys() - model_versions.newest(self.folder).keys():
                gone = self._serving[model]
                if not (self.folder / model / str(gone.number)).exists():
                    with self._choosing:
                        del self._serving[model]
                    told.append(self._drop(model, gone))
        return told

    def names(self) -> list[str]:
        """Of all models that are served."""
        return sorted(self._serving)

    @contextlib.contextmanager
    def using(self, model: str, version: int | None = None) -> Iterator[ServedVersion]:
        """The version that is served, for the time of the block; Refusal where it is not there.

        Args:
            model: its name.
            version: its number, if only that one will do.
        """
        with self._choosing:
            serving = self._serving.get(model)
            if serving is None:
                served = ", ".join(self.names()) or "none"
                raise Refusal("NOT_FOUND", f"no model {model!r} is served; served: {served}")
            if version not in (None, serving.number):
                told = f"version {version} of {model} is not served; version {serving.number} is"
                raise Refusal("NOT_FOUND", told)
            serving.hold()
        try:
            yield serving
        finally:
            serving.let_go()

    def states(self, model: str) -> list[State]:
        """Of all versions that were served or tried, the newest first; Refusal for no model."""
        if model not in self._states:
            raise Refusal("NOT_FOUND", f"no model {model!r}")
        return [self._states[model][number] for number in sorted(self._states[model], reverse=True)]

    def close(self) -> None:
        """Drops all models."""
        with self._changing:
            with self._choosing:
                dropped, self._serving = self._serving, {}
            for model, version in dropped.items():
                self._drop(model, version)

    def _load(self, model: str, number: int) -> list[str]:
        folder = self.folder / model / str(number)
        try:
            written = folder.stat().st_mtime
            if self._failed.get((model, number)) == written:
                return []
            self._note(model, State(number, "LOADING"))
            loaded = ServedVersion(folder)
        except (tf.errors.OpError, OSError, RuntimeError, ValueError, Refusal) as error:
            reason = " ".join(str(error).split())
            self._failed[model, number] = written
            self._note(model, State(number, "END", reason))
            return [f"{folder} does not load: {reason}"]
        with self._choosing:
            before = self._serving.get(model)
            self._serving[model] = loaded
        self._note(model, State(number, "AVAILABLE"))
        told = [f"{model}: version {number} is served"]
        return told if before is None else [*told, self._drop(model, before)]

    def _drop(self, model: str, version: ServedVersion) -> str:
        self._note(model, State(version.number, "UNLOADING"))
        version.close()
        self._note(model, State(version.number, "END"))
        return f"{model}: version {version.number} is dropped"

    def _note(self, model: str, state: State) -> None:
        self._states.setdefault(model, {})[state.version] = state
