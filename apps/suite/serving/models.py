"""Loads the versions of exported models and answers requests with them.

`ServedModels` follows a folder of models as it changes; `ServedVersion` is one loaded version.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.suite.serving import versions, warmup_requests

_HIDDEN_SIGNATURE = "__saved_model_init_op"

Admission = Callable[[], contextlib.AbstractContextManager[None]]
"""Holds a place for a request; raises Refusal where too many wait already."""


class Refusal(Exception):
    """A request that gets no answer.

    Attributes:
        code: the name of a gRPC status: INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED,
            FAILED_PRECONDITION, INTERNAL.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Tensor(NamedTuple):
    """Dtype and shape of an input or an output of a signature."""

    kind: np.dtype
    shape: list[int | None] | None  # None: of any rank

    def described(self) -> str:
        """Returns both as text: `float32[any, 3]`."""
        shape = "" if self.shape is None else _shape_name(self.shape)
        return f"{kind_name(self.kind)}{shape}"


class Signature(NamedTuple):
    """Inputs and outputs of a signature, each by name."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


class ServedVersion:
    """A loaded version; any number of threads may ask it at the same time.

    Args:
        folder: of the version; its name is its number (0 where the name is not a number).
        warm_up: answer the version's own warm-up requests first.

    Raises:
        Exception: it does not load, or fails at one of its warm-up requests; what TensorFlow and
            protobuf raise for a damaged file is not limited to errors of a kind.
    """

    def __init__(self, folder: Path, warm_up: bool = True) -> None:
        self.number = int(folder.name) if folder.name.isdecimal() else 0
        self._free = threading.Condition()
        self._held = 0
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._session = tf.compat.v1.Session()
        try:
            self._load(folder)
            file = folder / warmup_requests.FILE
            if warm_up and file.exists():
                for request in _warm_up_requests(file):
                    self.answer(request.signature, request.inputs)
        except BaseException:
            self._session.close()
            raise

    def _load(self, folder: Path) -> None:
        with self._graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
        self.described = public(loaded.signature_def)
        self.inputs = {name: tensors(each.inputs) for name, each in self.described.items()}
        self.outputs = {name: tensors(each.outputs) for name, each in self.described.items()}
        self._functions = {
            name: self._session.make_callable(
                [each.outputs[output].name for output in self.outputs[name]],
                [each.inputs[given].name for given in self.inputs[name]],
            )
            for name, each in self.described.items()
        }

    def answer(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the outputs of a signature by name, given its inputs by name.

        Raises:
            Refusal: no such signature, inputs that do not fit, or the graph itself refuses them.
        """
        arrays = self._checked(signature, inputs)
        try:
            values = self._functions[signature](*arrays)
        except (tf.errors.OpError, ValueError) as error:
            raise refusal(error) from error
        return dict(zip(self.outputs[signature], map(np.asarray, values), strict=True))

    def hold(self) -> None:
        """Keeps the version from being closed, until `let_go`."""
        with self._free:
            self._held += 1

    def let_go(self) -> None:
        """Undoes one `hold`."""
        with self._free:
            self._held -= 1
            self._free.notify_all()

    def close(self, grace_seconds: float | None = None) -> None:
        """Frees the memory as soon as nobody holds the version.

        After the grace, requests that are still being answered are cancelled; None waits for them.
        """
        with self._free:
            self._free.wait_for(lambda: self._held == 0, grace_seconds)
        self._session.close()

    def signature_inputs(self, signature: str) -> dict[str, Tensor]:
        """Returns the inputs of a signature; Refusal where there is no signature of the name."""
        if signature not in self.inputs:
            known = ", ".join(sorted(self.inputs))
            raise Refusal("INVALID_ARGUMENT", f"no signature {signature!r}; there is {known}")
        return self.inputs[signature]

    def named_inputs(self, signature: str, given: Collection[str]) -> dict[str, Tensor]:
        """Returns the inputs of a signature; Refusal where other names are given."""
        wanted = self.signature_inputs(signature)
        for said, names in (
            ("missing", wanted.keys() - set(given)),
            ("unknown", set(given) - wanted.keys()),
        ):
            if names:
                has = ", ".join(sorted(wanted))
                told = f"{said} input {', '.join(sorted(names))}; {signature} takes {has}"
                raise Refusal("INVALID_ARGUMENT", told)
        return wanted

    def _checked(self, signature: str, inputs: Mapping[str, Any]) -> list[np.ndarray]:
        """Returns the inputs as arrays, in the signature's order."""
        wanted = self.named_inputs(signature, inputs.keys())
        return [_fitting(name, inputs[name], tensor) for name, tensor in wanted.items()]


def _warm_up_requests(file: Path) -> Iterator[warmup_requests.Request]:
    """Yields the requests of a version's file; ValueError where it is another kind of file."""
    try:
        yield from warmup_requests.read(file)
    except Refusal:
        raise
    except Exception as error:  # whatever the readers of records, messages and tensors raise
        raise ValueError(f"{warmup_requests.FILE} is not a file of warm-up requests") from error


def refusal(error: tf.errors.OpError | ValueError) -> Refusal:
    """Returns TensorFlow's refusal of a request as one of ours, with its message in one line."""
    refused = isinstance(error, tf.errors.InvalidArgumentError | ValueError)
    message = error.message if isinstance(error, tf.errors.OpError) else str(error)
    return Refusal("INVALID_ARGUMENT" if refused else "INTERNAL", " ".join(message.split()))


def in_plain_words(message: str) -> str:
    """Returns a graph's message without names of operations, lines of code, and brackets."""
    message = re.sub(r" *\[\[\{\{node .*", "", message)
    message = re.sub(r"Graph execution error: (Detected at .*(?=assertion failed: ))?", "", message)
    asserted, found, data = message.partition("assertion failed: ")
    if not found:
        return message
    return asserted + re.sub(r"^\[|\]$", "", data.strip()).replace("] [", " ")


def _fitting(name: str, value: Any, wanted: Tensor) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        told = f"{name}: rows of different lengths are not a tensor"
        raise Refusal("INVALID_ARGUMENT", told) from error
    if wanted.kind == np.dtype(object):
        fits = array.dtype.kind in "OSU" or array.size == 0
        fits = fits and all(isinstance(text, bytes | str) for text in array.astype(object).flat)
        array = array.astype(object)
    else:
        fits = array.size == 0 or array.dtype == wanted.kind
    if not fits:
        told = f"{name} is {array.dtype.name}, and has to be {kind_name(wanted.kind)}"
        raise Refusal("INVALID_ARGUMENT", told)
    if wanted.shape is not None:
        alike = len(wanted.shape) == array.ndim and all(
            side in (None, given) for side, given in zip(wanted.shape, array.shape, strict=True)
        )
        if not alike:
            told = f"{name} has shape {list(array.shape)}, and needs {_shape_name(wanted.shape)}"
            raise Refusal("INVALID_ARGUMENT", told)
    return array if wanted.kind == np.dtype(object) else array.astype(wanted.kind, copy=False)


def signatures(described: Mapping[str, Any]) -> dict[str, Signature]:
    """Returns the public signatures of a SavedModel by name, given its `SignatureDef`s."""
    return {
        name: Signature(tensors(each.inputs), tensors(each.outputs))
        for name, each in public(described).items()
    }


def public(signatures: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of a SavedModel's signatures that clients may ask."""
    return {name: each for name, each in signatures.items() if name != _HIDDEN_SIGNATURE}


def tensors(described: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the inputs or the outputs of a signature by name, in the order of their names."""
    found = {}
    for name in sorted(described):
        kind, shape = tf.dtypes.as_dtype(described[name].dtype), described[name].tensor_shape
        sides = [None if side.size < 0 else int(side.size) for side in shape.dim]
        numpy_kind = np.dtype(object) if kind == tf.string else np.dtype(kind.as_numpy_dtype)
        found[name] = Tensor(numpy_kind, None if shape.unknown_rank else sides)
    return found


def kind_name(kind: np.dtype) -> str:
    """Returns the name of a dtype as messages say it."""
    return "string" if kind == np.dtype(object) else kind.name


def _shape_name(shape: list[int | None]) -> str:
    return f"[{', '.join('any' if side is None else str(side) for side in shape)}]"


class State(NamedTuple):
    """State of a version, in the words of TensorFlow Serving's GetModelStatus."""

    version: int
    state: str  # AVAILABLE, LOADING, UNLOADING, END
    error: str = ""


class ServedModels:
    """Serves `folder/<model>/<version>`; versions come and go as their folders do.

    A newer version takes over as soon as it is loaded; the older one is dropped after it has
    answered its last requests. If a new version fails to load, this is reported, and the older one
    stays.

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

    def look(self, tell: Callable[[str], object] = lambda line: None) -> list[str]:
        """Loads new versions and drops removed ones; returns a line for each change.

        Args:
            tell: is given each line as well, as soon as the change is made.
        """
        told: list[str] = []

        def note(lines: Sequence[str]) -> None:
            for line in lines:
                tell(line)
            told.extend(lines)

        with self._changing:
            for model, number in sorted(versions.newest(self.folder).items()):
                serving = self._serving.get(model)
                if serving is None or serving.number != number:
                    note(self._load(model, number))
            for model in self._serving.keys() - versions.newest(self.folder).keys():
                gone = self._serving[model]
                if not (self.folder / model / str(gone.number)).exists():
                    with self._choosing:
                        del self._serving[model]
                    note([self._drop(model, gone)])
        return told

    def names(self) -> list[str]:
        """Returns the names of all models that are served."""
        return sorted(self._serving)

    @contextlib.contextmanager
    def using(self, model: str, version: int | None = None) -> Iterator[ServedVersion]:
        """Holds the served version during the block; Refusal where it is not there.

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
        """Returns the states of all versions, the newest first; Refusal for no such model."""
        if model not in self._states:
            raise Refusal("NOT_FOUND", f"no model {model!r}")
        return [self._states[model][number] for number in sorted(self._states[model], reverse=True)]

    def close(self, grace_seconds: float | None = None) -> None:
        """Drops all models; see `ServedVersion.close`."""
        with self._changing:
            with self._choosing:
                dropped, self._serving = self._serving, {}
            for model, version in dropped.items():
                self._drop(model, version, grace_seconds)

    def _load(self, model: str, number: int) -> list[str]:
        folder = self.folder / model / str(number)
        written = _written(folder)
        if self._failed.get((model, number)) == written:
            return []
        self._note(model, State(number, "LOADING"))
        try:
            loaded = ServedVersion(folder)
        except Exception as error:  # one version's fault, of whatever kind, is not the others'
            reason = " ".join(str(error).split()) or type(error).__name__
            self._failed[model, number] = written
            self._note(model, State(number, "END", reason))
            return [f"{folder} does not load: {reason}"]
        with self._choosing:
            before = self._serving.get(model)
            self._serving[model] = loaded
        self._note(model, State(number, "AVAILABLE"))
        told = [f"{model}: version {number} is served"]
        return told if before is None else [*told, self._drop(model, before)]

    def _drop(self, model: str, version: ServedVersion, grace_seconds: float | None = None) -> str:
        self._note(model, State(version.number, "UNLOADING"))
        version.close(grace_seconds)
        self._note(model, State(version.number, "END"))
        return f"{model}: version {version.number} is dropped"

    def _note(self, model: str, state: State) -> None:
        self._states.setdefault(model, {})[state.version] = state


def _written(folder: Path) -> float:
    """Returns when a folder was changed, 0 where it has vanished meanwhile."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
