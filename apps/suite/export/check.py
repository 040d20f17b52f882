"""Checks in a separate process that stock TensorFlow runs a SavedModel and agrees with Keras.

What a served version must also answer: each request's rows one by one, twice over, and none.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from apps.suite.export import c_session
from apps.suite.serving import warmup_requests


def variants(
    request: warmup_requests.Request, signature: Any
) -> Iterator[tuple[str, warmup_requests.Request]]:
    """Requests whose answers follow from those of `request`, each with a word for it.

    A server gathers requests into batches of any size: an answer may depend on its own row alone.

    Args:
        request: with answers.
        signature: the `SignatureDef` of it, which tells by free first sides what has rows.
    """
    inputs = with_rows(request.inputs, signature.inputs)
    outputs = with_rows(request.answers, signature.outputs)
    counts = {len(request.inputs[name]) for name in inputs}
    if len(counts) != 1 or any({len(request.answers[name])} != counts for name in outputs):
        return
    (count,) = counts
    everywhere = np.arange(count)
    if count > 1:
        yield "its first row alone", _rows(request, inputs, outputs, everywhere[:1])
        yield "its last row alone", _rows(request, inputs, outputs, everywhere[-1:])
    twice = np.concatenate([everywhere[::-1], everywhere])
    yield "its rows backwards and again", _rows(request, inputs, outputs, twice)
    yield "no row", _rows(request, inputs, outputs, everywhere[:0])


def cropped(expected: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Cuts the expected answers to fewer rows, at the sizes that these rows alone need.

    Further sides may be as long as the largest request among the rows, such as the first k items.
    """
    found = {}
    for name, wanted in expected.items():
        sides = np.shape(given.get(name, wanted))
        fits = len(sides) == wanted.ndim and sides[:1] == wanted.shape[:1]
        if fits and all(side > 0 or not sides[0] for side in sides):
            wanted = wanted[tuple(slice(side) for side in sides)]
        found[name] = wanted
    return found


def wrong_labels(answers: Mapping[str, Any]) -> str:
    """Describes labels that do not fit their names and probabilities, or returns ""."""
    if not {"label", "label_names", "probabilities"} <= answers.keys():
        return ""
    names, label = np.asarray(answers["label_names"]), np.asarray(answers["label"])
    probabilities = np.asarray(answers["probabilities"])
    if probabilities.shape[-1] != len(names):
        return f"{probabilities.shape[-1]} probabilities for {len(names)} label names"
    if probabilities.shape[:-1] != label.shape:  # of a stream: one label, many frames
        strange = set(label.ravel()) - {*names, b""}
        return f"label {min(strange)!r} is none of label_names" if strange else ""
    likeliest = names[np.argmax(probabilities, axis=-1)]
    if np.array_equal(likeliest, label):
        return ""
    return f"label is {label.tolist()}, and the likeliest of label_names {likeliest.tolist()}"


def with_rows(arrays: Mapping[str, Any], described: Mapping[str, Any]) -> list[str]:
    """Returns the names of tensors with a row per question: their first dimension is free."""
    found = []
    for name, values in arrays.items():
        shape = described[name].tensor_shape
        free = shape.unknown_rank or (len(shape.dim) > 0 and shape.dim[0].size == -1)
        if free and np.ndim(values) > 0:
            found.append(name)
    return found


def _rows(
    request: warmup_requests.Request, inputs: list[str], outputs: list[str], rows: np.ndarray
) -> warmup_requests.Request:
    def chosen(arrays: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
        return {
            name: np.asarray(values)[rows] if name in names else values
            for name, values in arrays.items()
        }

    return warmup_requests.Request(
        request.signature, chosen(request.inputs, inputs), chosen(request.answers, outputs)
    )


TOLERANCE = 1e-5
"""Relative and absolute difference of floats that is rounding; other types must be equal."""


class Checked(NamedTuple):
    """Requests to one signature that were all answered correctly."""

    signature: str
    requests: int  # of the version's own file
    batches: int  # of the same rows, alone, in another order and none
    largest_difference: float  # of any floating-point number from Keras's


def check(version: Path) -> list[Checked]:
    """Runs the warm-up requests of a version as a server would, and compares the answers.

    The version is loaded on the CPU through TensorFlow's C API (`c_session`), in a process that has
    neither Python's TensorFlow nor this project. Its file of requests holds the answers that are
    expected; each signature needs one request.

    Raises:
        RuntimeError: operations that a stock server refuses, a request that fails there, an answer
            that differs, or that depends on the rows beside it.
    """
    refused = sorted(refusals(version))
    if refused:
        raise RuntimeError(f"{version}: cannot be served: {'; '.join(refused)}")
    signatures = _signatures(version)
    expected = list(warmup_requests.read(version / warmup_requests.FILE))
    asked = {request.signature for request in expected}
    if signatures.keys() - asked:
        missing = ", ".join(sorted(signatures.keys() - asked))
        raise RuntimeError(f"{version}: no warm-up request for {missing}")
    if asked - signatures.keys():
        unknown = ", ".join(sorted(asked - signatures.keys()))
        raise RuntimeError(f"{version}: warm-up requests for {unknown}, which it has not")
    every = [("", request) for request in expected]
    for request in expected:
        every += variants(request, signatures[request.signature])
    given = _answers(version, [request for _, request in every], signatures)
    for (what, request), answers in zip(every, given, strict=True):
        found = answers if isinstance(answers, str) else _wrong(what, request.answers, answers)
        if found:
            which = f"signature {request.signature}" + (f", asked {what}" if what else "")
            failed = "fails" if isinstance(answers, str) else "reloaded, it differs from Keras"
            raise RuntimeError(f"{version}: {which}: {failed}: {found}")
    return [_checked(name, every, given) for name in signatures]


def _wrong(what: str, expected: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Describes the first wrong answer to a request or to some of its rows, or returns ""."""
    wanted = cropped(expected, given) if what else expected
    return difference(wanted, given) or wrong_labels(given)


def difference(
    expected: Mapping[str, Any], given: Mapping[str, Any], tolerance: float = TOLERANCE
) -> str:
    """Describes the first difference of two sets of named arrays beyond rounding, or returns ""."""
    if expected.keys() != given.keys():
        return f"outputs {', '.join(sorted(given))} instead of {', '.join(sorted(expected))}"
    for name, wanted in expected.items():
        got = given[name]
        if wanted.dtype != got.dtype or wanted.shape != got.shape:
            kinds = [f"{values.dtype}{list(values.shape)}" for values in (got, wanted)]
            return f"{name} is {kinds[0]}, not {kinds[1]}"
        if np.issubdtype(wanted.dtype, np.floating):
            if not np.allclose(got, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
                return f"{name} by up to {np.max(np.abs(got - wanted)):.3g}"
        elif not np.array_equal(got, wanted):
            at = int(np.flatnonzero(got != wanted)[0])
            return f"{name}, value {at}, is {got.flat[at]!r}, not {wanted.flat[at]!r}"
    return ""


def refusals(version: Path) -> Iterator[str]:
    """Returns a line for each node at which a stock server on a CPU would stop."""
    for graph in graphs(version):
        functions = graph.library.function
        own = {function.signature.name for function in functions}
        nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
        for operation in {node.op for node in nodes} - own:
            if operation in ("PyFunc", "PyFuncStateless", "EagerPyFunc"):
                yield f"operation {operation} calls Python, which a server has not"
            elif operation.startswith("Cudnn"):
                yield f"operation {operation} needs a GPU; trace it with use_cudnn off"
            # This module has every operation of stock TensorFlow, and none that was loaded later.
            elif not hasattr(tf.raw_ops, operation):
                yield f"operation {operation} is not one of stock TensorFlow"
        marked = [*((function.signature.name, function.attr) for function in functions)]
        marked += [(node.name, node.attr) for node in nodes]
        for name, attributes in marked:
            if "_XlaMustCompile" in attributes and attributes["_XlaMustCompile"].b:
                yield f"function {name} has to be compiled by XLA, which a server leaves off"


def _checked(
    signature: str,
    requests: Sequence[tuple[str, warmup_requests.Request]],
    given: Sequence[Mapping[str, Any]],
) -> Checked:
    mine = [
        (what, request.answers, answers)
        for (what, request), answers in zip(requests, given, strict=True)
        if request.signature == signature
    ]
    differences = [
        float(np.max(np.abs(answers[name] - wanted), initial=0.0, where=~np.isnan(wanted)))
        for _, expected, answers in mine
        for name, wanted in cropped(expected, answers).items()
        if np.issubdtype(np.asarray(wanted).dtype, np.floating)
    ]
    own = sum(not what for what, _, _ in mine)
    return Checked(signature, own, len(mine) - own, max(differences, default=0.0))


def _signatures(version: Path) -> dict[str, Any]:
    found = _saved_model(version).meta_graphs[0].signature_def
    return {name: found[name] for name in sorted(found) if name != "__saved_model_init_op"}


def graphs(version: Path) -> list[Any]:
    """Reads the `GraphDef` of each of a version's graphs, usually one."""
    return [meta_graph.graph_def for meta_graph in _saved_model(version).meta_graphs]


def _saved_model(version: Path) -> saved_model_pb2.SavedModel:
    return saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())


def _answers(
    version: Path, requests: Sequence[warmup_requests.Request], signatures: Mapping[str, Any]
) -> list[Any]:
    """Returns the answers to each request by name, or the reason why there are none."""
    order: dict[str, Any] = {"folder": str(version.resolve()), "feeds": [], "fetches": []}
    for request in requests:
        signature = signatures[request.signature]
        strange = request.inputs.keys() - signature.inputs.keys()
        if strange:
            what = f"{version}: signature {request.signature}"
            raise RuntimeError(f"{what}: a warm-up request with unknown input {min(strange)}")
        named = {signature.inputs[name].name: value for name, value in request.inputs.items()}
        order["feeds"].append(named)
        order["fetches"].append([output.name for output in signature.outputs.values()])
    with tempfile.TemporaryDirectory() as elsewhere:
        asked, answered = Path(elsewhere) / "order", Path(elsewhere) / "answers"
        asked.write_bytes(pickle.dumps(order))
        ended = subprocess.run(
            [sys.executable, "-I", c_session.__file__, str(asked), str(answered)],
            cwd=elsewhere,
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or [f"status {ended.returncode}"])[-1]
            raise RuntimeError(f"{version}: does not run in a process of its own: {reason}")
        found = pickle.loads(answered.read_bytes())
    return [
        values
        if isinstance(values, str)
        else dict(zip(signatures[request.signature].outputs, values, strict=True))
        for request, values in zip(requests, found, strict=True)
    ]
