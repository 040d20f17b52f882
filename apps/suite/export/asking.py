"""Asks a trained model by its signatures: the model of a run, an export, or a server's.

`model` opens one model for a `predict` command; `exports` opens a folder of exports for the demo
page. Both give objects that are asked alike: `asked.ask("stream", chunk=…, state=…)`.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from apps.suite import errors
from apps.suite.export import assets
from apps.suite.serving import client as prediction_client
from apps.suite.serving import models as served_models
from apps.suite.serving import versions, warmup_requests

Answer = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class Served(Protocol):
    """A trained model with its signatures, as a task's `serving` builds it."""

    def signatures(self) -> Mapping[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        ...


class Source(Protocol):
    """Says which model is asked: the options that every `predict` command has.

    Attributes:
        run: folder of a finished run, asked where neither of the others is given.
        model: folder of an exported version.
        server: address of a model server.
    """

    @property
    def run(self) -> Path: ...

    @property
    def model(self) -> Path | None: ...

    @property
    def server(self) -> str: ...


class Model:
    """A model that answers signatures.

    Args:
        name: of the model, that is of the task.
        inputs: of each signature by its name, by their own names.
        answer: returns the outputs of a signature, given its name and its inputs.
    """

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Mapping[str, served_models.Tensor]],
        answer: Answer,
    ) -> None:
        self.name, self.inputs, self._answer = name, inputs, answer

    def ask(self, signature: str = "serving_default", **inputs: Any) -> dict[str, np.ndarray]:
        """Returns the outputs of a signature by name; strings are bytes.

        The inputs are converted to the signature's types.

        Raises:
            UserError: the model refuses, with its reason, or the server does not answer.
        """
        typed = prediction_client.typed_inputs(self.name, signature, inputs, self.inputs)
        try:
            return dict(self._answer(signature, typed))
        except errors.UserError as error:
            error.args = (served_models.in_plain_words(str(error)),)
            raise

    def stream(self) -> Callable[..., dict[str, np.ndarray]]:
        """Returns a function that asks signature `stream`, and carries states from call to call.

        Raises:
            UserError: a model that hears no stream.
        """
        states: dict[str, Any] = {name: np.zeros([1, 0]) for name in self.setting("states")}

        def ask(**inputs: Any) -> dict[str, np.ndarray]:
            answer = self.ask("stream", **inputs, **states)
            states.update({name: answer[name] for name in states})
            return answer

        return ask

    def asset(self, name: str) -> str | None:
        """Returns the text of a file that the export carries, or None without such a file."""
        if assets.SIGNATURE not in self.inputs:
            return None
        (content,) = self.ask(assets.SIGNATURE, name=[name])["content"]
        return content.decode() or None

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """Returns the asset settings.json; empty if the export has no such file."""
        return json.loads(self.asset(assets.SETTINGS) or "{}")

    def setting(self, name: str) -> Any:
        """Returns one of the settings; UserError where the model does not have it."""
        if name not in self.settings:
            raise errors.UserError(
                f"{self.name}: {assets.SETTINGS} of the model lacks {name!r}; export the run again"
            )
        return self.settings[name]


class ExportedModel(Model):
    """The model of an export's folder, answered here or by a server.

    Args:
        folder: of the version.
        answer: returns the outputs of a signature, given its name and its inputs.

    Attributes:
        number: of the version; 0 where the folder's name is not a number.
        outputs: of each signature by its name, by their own names.
    """

    def __init__(self, folder: Path, answer: Answer) -> None:
        described = _signatures(folder)
        super().__init__(
            folder.parent.name, {name: each.inputs for name, each in described.items()}, answer
        )
        self.outputs = {name: each.outputs for name, each in described.items()}
        self.number = int(folder.name) if folder.name.isdecimal() else 0
        self._folder = folder

    def asset(self, name: str) -> str | None:
        """Returns the text of a file in `assets/`, or None where there is no such file."""
        file = self._folder / "assets" / name
        return file.read_text(encoding="utf-8") if file.is_file() else None

    @functools.cached_property
    def requests(self) -> list[warmup_requests.Request]:
        """Returns the warm-up requests, which are the export's own example requests."""
        file = self._folder / warmup_requests.FILE
        return list(warmup_requests.read(file)) if file.is_file() else []

    def example(self, signature: str = "serving_default") -> Mapping[str, Any]:
        """Returns the inputs of the smallest of these requests; {} where there are none."""
        found = [each.inputs for each in self.requests if each.signature == signature]
        sizes = [sum(map(_size_bytes, inputs.values())) for inputs in found]
        return found[int(np.argmin(sizes))] if found else {}


@contextlib.contextmanager
def model(task: str, served: Callable[[Path], Served], source: Source) -> Iterator[Model]:
    """Opens the model that a `predict` command asks; usable until the block ends.

    Args:
        task: names the model at a server, and in errors.
        served: builds the signatures over the Keras model of a run folder.
        source: says which run, export or server.

    Raises:
        UserError: both an export and a server are given; or there is no such run, export or server.
    """
    server, export = source.server, source.model
    if server and export is not None:
        raise errors.UserError("--model and --server: give only one of them")
    if server:
        with prediction_client.connect(server) as client:
            described = client.signatures(task)
            inputs = {name: each.inputs for name, each in described.items()}
            yield Model(
                task, inputs, lambda signature, given: client.predict(task, given, signature)
            )
    elif export is not None:
        loaded, version = _loaded(task, export)
        try:
            yield version
        finally:
            loaded.close()
    else:
        yield of_served(task, served(source.run))


@contextlib.contextmanager
def exports(folder: Path, server: str = "") -> Iterator[list[ExportedModel]]:
    """Opens the newest version of each model in a folder, by name; usable until the block ends.

    A version that does not load is left out, with a line on the terminal.

    Args:
        folder: of models, each a folder of versions.
        server: address of a server that answers for them; "" = the versions are loaded here.

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
        models.look(lambda line: print(line, flush=True))
        loaded = [version for version in found if version.parent.name in models.names()]
        if not loaded:
            raise errors.UserError(f"--models: nothing in {folder} loads; export again")
        yield [ExportedModel(version, _inside(models, version.parent.name)) for version in loaded]
    finally:
        models.close()


def of_served(task: str, served: Served) -> Model:
    """Returns a trained model in this process, asked by its signatures without an export."""
    traced = _Traced(served)

    def answer(signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        function, wanted = traced.function(signature), traced[signature]
        try:
            given = {
                name: tf.constant(value, tf.dtypes.as_dtype(wanted[name].kind))
                for name, value in inputs.items()
            }
            return {name: each.numpy() for name, each in function(**given).items()}
        except (tf.errors.OpError, ValueError) as error:
            raise errors.UserError(str(served_models.refusal(error))) from error

    return Model(task, traced, answer)


class _Traced(Mapping[str, Mapping[str, served_models.Tensor]]):
    """Inputs of the signatures of a model in this process; a signature is traced when asked.

    Keeps the served model alive: its functions hold no reference to the variables.
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self._functions = dict(served.signatures())

    def function(self, signature: str) -> Any:
        """Returns the traced function of a signature."""
        function = self._functions[signature]
        if not hasattr(function, "structured_input_signature"):
            function = self._functions[signature] = function.get_concrete_function()
        return function

    def __getitem__(self, signature: str) -> dict[str, served_models.Tensor]:
        by_place, by_name = self.function(signature).structured_input_signature
        specs = {spec.name: spec for spec in by_place} | dict(by_name)
        return {
            name: served_models.Tensor(
                np.dtype(object if spec.dtype == tf.string else spec.dtype.as_numpy_dtype),
                None if spec.shape.rank is None else spec.shape.as_list(),
            )
            for name, spec in specs.items()
        }

    def __contains__(self, signature: object) -> bool:
        return signature in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)


def _loaded(task: str, folder: Path) -> tuple[served_models.ServedVersion, ExportedModel]:
    if not (folder / "saved_model.pb").is_file():
        raise errors.UserError(
            f"--model {folder}: not an exported version; give the numbered folder that "
            f"python -m apps.{task}.export wrote"
        )
    tf.get_logger().setLevel("ERROR")  # TensorFlow calls the loader of servers deprecated
    try:
        version = served_models.ServedVersion(folder, warm_up=False)
    except Exception as error:  # TensorFlow and protobuf raise what their readers raise
        raise errors.UserError(
            f"--model {folder}: not an export of {task}, or a damaged one; export the run again"
        ) from error
    return version, ExportedModel(folder, functools.partial(_told, version))


def _told(
    version: served_models.ServedVersion, signature: str, inputs: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    try:
        return version.answer(signature, inputs)
    except served_models.Refusal as refusal:
        raise errors.UserError(str(refusal)) from refusal


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


def _signatures(folder: Path) -> dict[str, served_models.Signature]:
    """Reads inputs and outputs of each signature from the graph's file; loads no weights."""
    try:
        content = (folder / "saved_model.pb").read_bytes()
        described = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].signature_def
    except Exception as error:  # protobuf has exceptions of its own, by implementation
        raise errors.UserError(f"{folder}: saved_model.pb cannot be read; export again") from error
    return served_models.signatures(described)


def _size_bytes(value: Any) -> int:
    array = np.asarray(value)
    return sum(map(len, array.flat)) if array.dtype == object else array.nbytes
