"""What the demo page knows of models: exported versions, asked here or through a server."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.core.protobuf import saved_model_pb2

from apps.suite import errors
from apps.suite.serving import client as prediction_client
from apps.suite.serving import models as served_models
from apps.suite.serving import versions, warmup_requests

Answer = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class ExportedModel:
    """A version of an export: what it says of itself, and its answers.

    Args:
        folder: of the version.
        answer: gives the outputs of a signature, by its name and its inputs.

    Attributes:
        name: of the model, that of the task.
        number: of the version.
        inputs, outputs: of each signature by its name, by their own names.
    """

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.name, self.number = folder.parent.name, int(folder.name)
        self._folder, self._answer = folder, answer
        self.inputs, self.outputs = _signatures(folder)

    def ask(self, signature: str = "serving_default", **inputs: Any) -> dict[str, np.ndarray]:
        """The outputs of a signature by name; strings are bytes. Inputs are brought to its types.

        Raises:
            UserError: the model refuses, with its reason, or the server is not there.
        """
        if signature not in self.inputs:
            known = ", ".join(sorted(self.inputs))
            raise errors.UserError(f"{self.name} has no signature {signature!r}; it has {known}")
        kinds = {name: wanted.kind for name, wanted in self.inputs[signature].items()}
        typed = prediction_client.typed_inputs(self.name, signature, inputs, kinds)
        return dict(self._answer(signature, typed))

    def asset(self, name: str) -> str | None:
        """The text of a file in `assets/`, or None where there is none."""
        file = self._folder / "assets" / name
        return file.read_text(encoding="utf-8") if file.is_file() else None

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """`assets/settings.json`, empty where there is none."""
        return json.loads(self.asset("settings.json") or "{}")

    @functools.cached_property
    def requests(self) -> list[warmup_requests.Request]:
        """With which a server warms up: the export's own examples of what it may be asked."""
        file = self._folder / warmup_requests.FILE
        return list(warmup_requests.read(file)) if file.is_file() else []

    def example(self, signature: str = "serving_default") -> Mapping[str, Any]:
        """The inputs of the smallest of these requests that is not empty; none at all = {}."""
        found = [each.inputs for each in self.requests if each.signature == signature]
        sizes = [sum(map(_size_bytes, inputs.values())) for inputs in found]
        return found[int(np.argmin(sizes))] if found else {}


@contextlib.contextmanager
def opened(folder: Path, server: str = "") -> Iterator[list[ExportedModel]]:
    """The newest version of each model in a folder, by name; usable until the block ends.

    A version that does not load is left out, with a line on the terminal.

    Args:
        folder: of models, each a folder of versions.
        server: "" = the versions are loaded here; else the address of a server that has them.

    Raises:
        UserError: no folder, no version in it, or none that loads.
    """
    found = versions.find(folder)
    if server:
        with prediction_client.connect(server) as client:
            yield [ExportedModel(version, _through(client, version)) for version in found]
        return
    models = served_models.ServedModels(folder)
    try:
        for line in models.look():
            print(line, flush=True)
        loaded = [version for version in found if version.parent.name in models.names()]
        if not loaded:
            raise errors.UserError(f"--models: nothing in {folder} loads; export again")
        yield [ExportedModel(version, _inside(models, version.parent.name)) for version in loaded]
    finally:
        models.close()


def _size_bytes(value: Any) -> int:
    array = np.asarray(value)
    return sum(map(len, array.flat)) if array.dtype == object else array.nbytes


def _through(client: prediction_client.PredictionClient, version: Path) -> Answer:
    name, number = version.parent.name, int(version.name)
    return lambda signature, inputs: client.predict(name, inputs, signature, number)


def _inside(models: served_models.ServedModels, name: str) -> Answer:
    def answer(signature: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            with models.using(name) as version:
                return version.answer(signature, inputs)
        except served_models.Refusal as refusal:
            raise errors.UserError(str(refusal)) from refusal

    return answer


def _signatures(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and outputs of each signature, from the graph's file: no weight is loaded."""
    try:
        content = (folder / "saved_model.pb").read_bytes()
        described = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].signature_def
    except Exception as error:  # protobuf has exceptions of its own, by implementation
        raise errors.UserError(f"{folder}: saved_model.pb cannot be read; export again") from error
    named = served_models.public(described)
    return (
        {name: served_models.tensors(each.inputs) for name, each in named.items()},
        {name: served_models.tensors(each.outputs) for name, each in named.items()},
    )
