"""Shows the signatures of a model, and a box that sends a request as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import gradio
import numpy as np

from apps.suite import errors
from apps.suite.demo import elements
from apps.suite.export import asking
from apps.suite.serving import rest_service
from apps.suite.serving.models import Refusal, Tensor

EXPLAINED = "The page has no tab for this model: ask its signatures in JSON."
_LONGEST_EXAMPLE, _LONGEST_ANSWER = 20_000, 50_000  # characters


def tab(model: asking.ExportedModel) -> None:
    """Adds the box to the page that is being built."""
    names = sorted(model.inputs, key=lambda name: (name != "serving_default", name))
    elements.place(signatures(model))
    signature = gradio.Dropdown(names, value=names[0], label="Signature", filterable=False)
    request = gradio.Code(
        example(model, names[0]),
        language="json",
        label="Request",
        lines=6,
        max_lines=16,
        wrap_lines=True,
    )
    ask = gradio.Button("Ask", variant="primary", size="md")
    answered = elements.place()

    @elements.answered
    def show(chosen: str, body: str) -> str:
        return elements.preformatted(answer(model, chosen, body), "Answer")

    signature.change(lambda chosen: example(model, chosen), signature, request, **elements.ANSWER)
    ask.click(show, [signature, request], answered, **elements.ANSWER)


def signatures(model: asking.ExportedModel) -> str:
    """Returns a table of the inputs and outputs of each signature."""
    rows = [
        (name, _told(model.inputs[name]), _told(model.outputs[name]))
        for name in sorted(model.inputs)
    ]
    return elements.table(("signature", "inputs", "outputs"), rows, f"Signatures of {model.name}")


def example(model: asking.ExportedModel, signature: str) -> str:
    """Returns a request as JSON: one of the export's warm-up requests, or a form to fill in."""
    inputs = model.example(signature)
    if inputs:
        columns = {name: _plain(np.asarray(value).tolist()) for name, value in inputs.items()}
        text = json.dumps({"inputs": columns}, ensure_ascii=False)
        if len(text) <= _LONGEST_EXAMPLE:
            return text
    return json.dumps({"inputs": dict.fromkeys(model.inputs[signature])})


def answer(model: asking.ExportedModel, signature: str, body: str) -> str:
    """Returns the answer as JSON, as a server gives it over REST.

    Raises:
        UserError: not JSON, not a request, or a request that the model refuses.
    """
    try:
        parsed = json.loads(body)
    except json.JSONDecodeError as error:
        told = f"The request is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        raise errors.UserError(told) from error
    except RecursionError as error:
        raise errors.UserError("The request is nested too deeply.") from error
    try:
        inputs, by_rows = rest_service.read_values(parsed, model.inputs[signature])
        written = rest_service.write_values(model.ask(signature, **inputs), by_rows)
    except Refusal as refusal:
        raise errors.UserError(str(refusal)) from refusal
    text = json.dumps(written, ensure_ascii=False)
    if len(text) > _LONGEST_ANSWER:
        return f"{text[:_LONGEST_ANSWER]}\n… {len(text) - _LONGEST_ANSWER:,} more characters"
    return text


def _told(tensors: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tensor.described()}" for name, tensor in tensors.items())


def _plain(value: Any) -> Any:
    """Replaces bytes by text, or by base64 where they are not text."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode("ascii")}
