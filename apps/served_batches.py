"""What a served version must also answer: each request's rows one by one, twice over, and none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from apps import warmup_requests


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
    """The expected answers of fewer rows, at the sizes that these rows alone ask for.

    Sides behind the rows may be as long as the longest wish among the rows: the first k items, say.
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
    """What is wrong about labels beside their names and probabilities, or ""."""
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
    """The names of what has a row for each question: whose first side the signature leaves free."""
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
