"""Answers the REST interface of TensorFlow Serving, as a Starlette application.

    GET  /v1/models/NAME[/versions/V]            status of the versions
    GET  /v1/models/NAME[/versions/V]/metadata   signatures
    POST /v1/models/NAME[/versions/V]:predict    values as below

An error is `{"error": …}` with the HTTP status that belongs to the gRPC one, for unknown paths too.

A request holds rows (`"instances"`: a list, of values where there is one input, else of objects by
input) or columns (`"inputs"`: a value where there is one input, else an object by input). Rows are
answered as `"predictions"`, columns as `"outputs"`, in the same manner: a single output stands
without its name. Bytes that are not text are `{"b64": …}`; so are answers whose output's name ends
in `_bytes`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from google.protobuf import json_format
from starlette import applications, concurrency, exceptions, requests, responses, routing

from apps.suite.serving.models import Admission, Refusal, ServedModels, Tensor

_ROWS, _COLUMNS = "instances", "inputs"


def read_values(body: Any, wanted: Mapping[str, Tensor]) -> tuple[dict[str, np.ndarray], bool]:
    """Returns the inputs of a request as arrays, and True if they came as rows.

    Raises:
        Refusal: INVALID_ARGUMENT, with what to send instead.
    """
    if not isinstance(body, dict) or (_ROWS in body) == (_COLUMNS in body):
        raise _refusal(f'needs an object with either "{_ROWS}" (rows) or "{_COLUMNS}" (columns)')
    try:
        return _read(body, wanted)
    except RecursionError as error:
        raise _refusal("the values are nested too deeply") from error


def _read(body: Any, wanted: Mapping[str, Tensor]) -> tuple[dict[str, np.ndarray], bool]:
    by_rows = _ROWS in body
    columns = _of_rows(body[_ROWS], wanted) if by_rows else _of_columns(body[_COLUMNS], wanted)
    unknown = columns.keys() - wanted.keys()
    if unknown:
        raise _refusal(f"unknown input {', '.join(sorted(unknown))}; takes {', '.join(wanted)}")
    arrays = {name: _array(name, value, wanted[name]) for name, value in columns.items()}
    return arrays, by_rows


def write_values(outputs: Mapping[str, np.ndarray], by_rows: bool) -> dict[str, Any]:
    """Returns the answer as values for JSON.

    Raises:
        Refusal: INVALID_ARGUMENT, for outputs that are not rows, such as names of labels.
    """
    values = {name: _plain(name, array) for name, array in outputs.items()}
    if not by_rows:
        return {"outputs": next(iter(values.values())) if len(values) == 1 else values}
    counts = {array.shape[0] if array.ndim else None for array in outputs.values()}
    if len(counts) != 1 or None in counts:
        raise _refusal(
            f'the outputs do not have one row for each question: ask by columns, "{_COLUMNS}"'
        )
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    rows = zip(*values.values(), strict=True)
    return {"predictions": [dict(zip(values, row, strict=True)) for row in rows]}


def _of_rows(rows: Any, wanted: Mapping[str, Tensor]) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise _refusal(f'"{_ROWS}" has to be a list of at least one row')
    if all(isinstance(row, dict) and row.keys() != {"b64"} for row in rows):
        if any(row.keys() != rows[0].keys() for row in rows):
            raise _refusal(f'"{_ROWS}": the rows have different inputs')
        return {name: [row[name] for row in rows] for name in rows[0]}
    return {_only(wanted): rows}


def _of_columns(columns: Any, wanted: Mapping[str, Tensor]) -> dict[str, Any]:
    if isinstance(columns, dict) and columns.keys() != {"b64"}:
        return columns
    return {_only(wanted): columns}


def _only(wanted: Mapping[str, Tensor]) -> str:
    if len(wanted) != 1:
        raise _refusal(f"values without names, and there are {len(wanted)} inputs")
    return next(iter(wanted))


def _array(name: str, value: Any, wanted: Tensor) -> np.ndarray:
    if wanted.kind == np.dtype(object):
        try:
            array = np.array(_bytes(name, value), object)
        except ValueError as error:
            raise _refusal(f"{name}: rows of different lengths are not a tensor") from error
        if any(not isinstance(text, bytes) for text in array.flat):
            raise _refusal(f"{name}: rows of different lengths are not a tensor")
        return array
    try:
        array = np.array(value)
    except ValueError as error:
        raise _refusal(f"{name}: rows of different lengths are not a tensor") from error
    whole = np.issubdtype(wanted.kind, np.integer)
    fits = array.size == 0 or array.dtype.kind == ("b" if wanted.kind == np.bool_ else "i")
    if not fits and not whole and wanted.kind != np.bool_:
        fits = array.dtype.kind == "f"
    if not fits:
        raise _refusal(f"{name}: needs {wanted.kind.name}, and is {array.dtype.name}")
    if whole and array.size:
        limits = np.iinfo(wanted.kind)
        if array.min() < limits.min or array.max() > limits.max:
            raise _refusal(f"{name}: beyond {wanted.kind.name}, {limits.min} to {limits.max}")
    with np.errstate(over="ignore"):
        found = array.astype(wanted.kind)
    if found.dtype.kind == "f" and np.any(np.isinf(found) & np.isfinite(array)):
        raise _refusal(f"{name}: beyond {wanted.kind.name}, whose greatest is 3.4e38")
    return found


def _bytes(name: str, value: Any) -> Any:
    """Replaces texts by bytes in nested lists."""
    if isinstance(value, list):
        return [_bytes(name, each) for each in value]
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise _refusal(f"{name}: {value!r:.40} holds half a character") from error
    if isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error as error:
            raise _refusal(f"{name}: the value of b64 is not base64: {error}") from error
    raise _refusal(f'{name}: needs texts, or bytes as {{"b64": …}}, and has {value!r:.40}')


def _plain(name: str, array: np.ndarray) -> Any:
    if array.dtype.kind not in "OS":
        return array.tolist()

    def told(value: Any) -> Any:
        if isinstance(value, list):
            return [told(each) for each in value]
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode("ascii")}
        return value.decode(errors="replace")

    return told(array.tolist())


def _refusal(message: str) -> Refusal:
    return Refusal("INVALID_ARGUMENT", message)


_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 503,
    "FAILED_PRECONDITION": 412,
    "INTERNAL": 500,
}
_TOO_LARGE, _TOO_SLOW = 413, 408
_BODIES_AT_ONCE = 4  # of the largest size, whose bytes may be in memory, not counting those at work
_STALLED_SECONDS, _LONGEST_BODY_SECONDS = 10.0, 300.0


class _Unread(Exception):
    """A body that is not read to its end, with the HTTP status for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def application(
    models: ServedModels, admission: Admission, largest_request_bytes: int
) -> applications.Starlette:
    """Returns an ASGI application.

    Requests that are larger, or that stop arriving, are not read to their end; nor are further ones
    while the bodies that arrive take the memory of four of the largest.
    """
    bodies = _Bodies(largest_request_bytes)

    def answered(work: Callable[..., Any]) -> Callable[[requests.Request], Any]:
        async def handle(request: requests.Request) -> responses.Response:
            try:
                model, version = _asked(request)
                body = await bodies.read(request)
                content = await concurrency.run_in_threadpool(work, model, version, body)
                return responses.Response(content, media_type="application/json")
            except Refusal as refusal:
                return _error(str(refusal), _STATUS[refusal.code])
            except _Unread as unread:
                return _error(str(unread), unread.status)

        return handle

    def predict(model: str, version: int | None, body: bytes) -> str:
        with admission(), models.using(model, version) as served:
            try:
                asked = json.loads(body)
            except ValueError as error:
                raise Refusal("INVALID_ARGUMENT", f"the request is not JSON: {error}") from error
            except RecursionError as error:
                raise Refusal("INVALID_ARGUMENT", "the request is nested too deeply") from error
            named = isinstance(asked, dict) and asked.get("signature_name")
            signature = str(named or "serving_default")
            inputs, by_rows = read_values(asked, served.signature_inputs(signature))
            return json.dumps(write_values(served.answer(signature, inputs), by_rows))

    def status(model: str, version: int | None, _: bytes) -> str:
        told = [
            {
                "version": str(each.version),
                "state": each.state,
                "status": {
                    "error_code": "UNKNOWN" if each.error else "OK",
                    "error_message": each.error,
                },
            }
            for each in models.states(model)
            if version in (None, each.version)
        ]
        if not told:
            raise Refusal("NOT_FOUND", f"no version {version} of {model}")
        return json.dumps({"model_version_status": told})

    def metadata(model: str, version: int | None, _: bytes) -> str:
        with models.using(model, version) as served:
            signatures = {
                name: json_format.MessageToDict(described, preserving_proto_field_name=True)
                for name, described in served.described.items()
            }
            number = str(served.number)
        told = {
            "model_spec": {"name": model, "signature_name": "", "version": number},
            "metadata": {"signature_def": {"signature_def": signatures}},
        }
        return json.dumps(told)

    routes = []
    for path in ("/v1/models/{model}", "/v1/models/{model}/versions/{version}"):
        routes += [
            routing.Route(f"{path}:predict", answered(predict), methods=["POST"]),
            routing.Route(f"{path}/metadata", answered(metadata), methods=["GET"]),
            routing.Route(path, answered(status), methods=["GET"]),
        ]
    handlers = {exceptions.HTTPException: _elsewhere, Exception: _failed}
    return applications.Starlette(routes=routes, exception_handlers=handlers)


def _asked(request: requests.Request) -> tuple[str, int | None]:
    version = request.path_params.get("version")
    if version is not None and not (version.isdecimal() and len(version) < _MOST_DIGITS):
        raise Refusal("INVALID_ARGUMENT", f"a version is a number, not {version!r:.40}")
    return request.path_params["model"], None if version is None else int(version)


_MOST_DIGITS = 19  # of an int64


class _Bodies:
    """Reads the bodies of requests, which together take a bounded memory.

    Args:
        largest_bytes: of one.
    """

    def __init__(self, largest_bytes: int) -> None:
        self._largest_bytes = largest_bytes
        self._bytes = 0  # of all that are arriving; read and written by the one event loop

    async def read(self, request: requests.Request) -> bytes:
        """Returns the body; raises _Unread for one that is too large, or comes too slowly."""
        content = bytearray()
        pieces = request.stream()
        try:
            async with asyncio.timeout(_LONGEST_BODY_SECONDS):
                while True:
                    async with asyncio.timeout(_STALLED_SECONDS):
                        piece = await anext(pieces, None)
                    if piece is None:
                        return bytes(content)
                    content += piece
                    self._bytes += len(piece)
                    if len(content) > self._largest_bytes:
                        told = f"a request has at most {self._largest_bytes} bytes"
                        raise _Unread(_TOO_LARGE, told)
                    if self._bytes > _BODIES_AT_ONCE * self._largest_bytes:
                        told = "too many large requests arrive at once; ask later"
                        raise _Unread(_STATUS["RESOURCE_EXHAUSTED"], told)
        except TimeoutError as error:
            told = "the request stopped arriving before its end"
            raise _Unread(_TOO_SLOW, told) from error
        except requests.ClientDisconnect as error:
            raise _Unread(_TOO_SLOW, "the client has gone") from error
        finally:
            self._bytes -= len(content)


def _elsewhere(request: requests.Request, error: Exception) -> responses.Response:
    """Answers a path or a method that there is not."""
    assert isinstance(error, exceptions.HTTPException)
    told = f"{request.method} {request.url.path!r:.200}: {error.detail}"
    hint = "; ask POST /v1/models/NAME:predict, or GET /v1/models/NAME"
    return _error(told + hint, error.status_code)


def _failed(_: requests.Request, error: Exception) -> responses.Response:
    """Answers after a mistake of ours, which the terminal shows."""
    traceback.print_exception(error)
    return _error("the server failed at this request; its log says more", 500)


def _error(message: str, status: int) -> responses.JSONResponse:
    return responses.JSONResponse({"error": message}, status)
