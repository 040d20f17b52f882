"""The REST interface of TensorFlow Serving over `ServedModels`, as a Starlette application.

    GET  /v1/models/NAME[/versions/V]            status of the versions
    GET  /v1/models/NAME[/versions/V]/metadata   signatures
    POST /v1/models/NAME[/versions/V]:predict    see `rest_values`

An error is `{"error": …}` with the HTTP status that belongs to the gRPC one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from starlette import applications, concurrency, requests, responses, routing

from apps import rest_values
from apps.admission import Admission
from apps.served_models import ServedModels
from apps.served_version import Refusal

_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 503,
    "FAILED_PRECONDITION": 412,
    "INTERNAL": 500,
}
_TOO_LARGE = 413


class _TooLarge(Exception):
    pass


def application(
    models: ServedModels, admission: Admission, largest_request_bytes: int
) -> applications.Starlette:
    """An ASGI application; requests of more bytes than that are not read to their end."""

    def answered(work: Callable[..., Any]) -> Callable[[requests.Request], Any]:
        async def handle(request: requests.Request) -> responses.Response:
            try:
                model, version = _asked(request)
                body = await _body(request, largest_request_bytes)
                content = await concurrency.run_in_threadpool(work, model, version, body)
                return responses.Response(content, media_type="application/json")
            except Refusal as refusal:
                return _error(str(refusal), _STATUS[refusal.code])
            except _TooLarge:
                told = f"a request has at most {largest_request_bytes} bytes"
                return _error(told, _TOO_LARGE)

        return handle

    def predict(model: str, version: int | None, body: bytes) -> str:
        with admission(), models.using(model, version) as served:
            try:
                asked = json.loads(body)
            except ValueError as error:
                raise Refusal("INVALID_ARGUMENT", f"the request is no JSON: {error}") from error
            named = isinstance(asked, dict) and asked.get("signature_name")
            signature = str(named or "serving_default")
            inputs, by_rows = rest_values.read(asked, served.signature_inputs(signature))
            return json.dumps(rest_values.write(served.answer(signature, inputs), by_rows))

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
    return applications.Starlette(routes=routes)


def _asked(request: requests.Request) -> tuple[str, int | None]:
    version = request.path_params.get("version")
    if version is not None and not version.isdecimal():
        raise Refusal("INVALID_ARGUMENT", f"a version is a number, not {version!r}")
    return request.path_params["model"], None if version is None else int(version)


async def _body(request: requests.Request, largest: int) -> bytes:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > largest:
            raise _TooLarge
    return bytes(content)


def _error(message: str, status: int) -> responses.JSONResponse:
    return responses.JSONResponse({"error": message}, status)
