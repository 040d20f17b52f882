"""Asks a model server over gRPC or REST: `connect("localhost:8500").predict("echo", {…})`.

It speaks to TensorFlow Serving and to `python -m apps.serve` alike. Types come from the server's
own description of the signature, so that whole numbers may be given where it wants others.

`GrpcClient`: see `prediction_client`.

`RestClient`: see `prediction_client`.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from apps.suite import errors

DEADLINE_SECONDS = 30.0
"""Of a request with all its retries."""


class Described(Protocol):
    """One signature: dtype by name, `object` for strings."""

    inputs: Mapping[str, np.dtype]
    outputs: Mapping[str, np.dtype]


class PredictionClient(Protocol):
    """A connection; close it, or use it as a context manager."""

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        signature: str = "serving_default",
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """The outputs of a signature by name; strings are bytes.

        A server that cannot be reached, or has no room, is asked again, ever less often, until the
        deadline.

        Raises:
            UserError: nobody answers in time, or the server refuses; with its reason.
        """
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...

    def __enter__(self) -> PredictionClient: ...

    def __exit__(self, *_: object) -> None: ...


def connect(server: str, deadline_seconds: float = DEADLINE_SECONDS) -> PredictionClient:
    """A client of a server.

    Args:
        server: "HOST:PORT" for gRPC, "http://HOST:PORT" or "https://…" for REST.
        deadline_seconds: of each request, retries included.

    Raises:
        UserError: an address that is none, or packages that are missing.
    """
    address = server.removesuffix("/")
    rest = address.startswith(("http://", "https://"))
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal():
        told = "needs HOST:PORT for gRPC, or http://HOST:PORT for REST"
        raise errors.UserError(f"--server {server!r}: {told}")
    try:
        if rest:
            return RestClient(address, deadline_seconds)

        return GrpcClient(address, deadline_seconds)
    except ModuleNotFoundError as error:
        told = f"--server needs {error.name}: pip install '.[serving]'"
        raise errors.UserError(told) from error


def signatures(client: PredictionClient, model: str) -> Mapping[str, Callable[..., Any]]:
    """The served model as a loaded SavedModel's `signatures`: functions of named inputs."""
    return _Signatures(client, model)


class _Signatures(Mapping[str, Any]):
    def __init__(self, client: PredictionClient, model: str) -> None:
        self._client, self._model = client, model

    def __getitem__(self, signature: str) -> Callable[..., dict[str, np.ndarray]]:
        def ask(**inputs: Any) -> dict[str, np.ndarray]:
            arrays = {name: np.asarray(value) for name, value in inputs.items()}
            return self._client.predict(self._model, arrays, signature)

        return ask

    def __iter__(self) -> Any:
        raise TypeError("a server's signatures are asked by name")

    def __len__(self) -> int:
        raise TypeError("a server's signatures are asked by name")


def typed_inputs(
    model: str, signature: str, inputs: Mapping[str, Any], wanted: Mapping[str, np.dtype]
) -> dict[str, np.ndarray]:
    """The inputs as arrays of the wanted types; UserError where the names are others."""
    if inputs.keys() != wanted.keys():
        told = f"takes {', '.join(sorted(wanted))}, not {', '.join(sorted(inputs)) or 'nothing'}"
        raise errors.UserError(f"{model}, signature {signature}: {told}")
    return {name: np.asarray(value, wanted[name]) for name, value in inputs.items()}


# What gRPC itself does again: a server that is not there yet, or has no room.
_RETRY = {
    "methodConfig": [
        {
            "name": [{"service": "tensorflow.serving.PredictionService"}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "3s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ]
}
_OPTIONS = [
    ("grpc.service_config", json.dumps(_RETRY)),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class _Signature(NamedTuple):
    inputs: dict[str, np.dtype]
    outputs: dict[str, np.dtype]


class GrpcClient:
    """Asks over gRPC.

    Args:
        address: "HOST:PORT".
        deadline_seconds: of each request, retries included.
    """

    def __init__(self, address: str, deadline_seconds: float) -> None:
        self._address, self._deadline_seconds = address, deadline_seconds
        self._channel = grpc.insecure_channel(address, _OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._described: dict[tuple[str, int | None], dict[str, _Signature]] = {}

    def __enter__(self) -> GrpcClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        signature: str = "serving_default",
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        described = self._signatures(model, version)
        if signature not in described:
            known = ", ".join(sorted(described))
            raise errors.UserError(f"{model} has no signature {signature!r}; it has {known}")
        wanted = described[signature].inputs
        request = predict_pb2.PredictRequest()
        _name(request.model_spec, model, version)
        request.model_spec.signature_name = signature
        for name, value in typed_inputs(model, signature, inputs, wanted).items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        answer = self._call(self._stub.Predict, request)
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def _signatures(self, model: str, version: int | None) -> dict[str, _Signature]:
        """The model's description, asked for once."""
        if (model, version) not in self._described:
            request = get_model_metadata_pb2.GetModelMetadataRequest()
            request.metadata_field.append("signature_def")
            _name(request.model_spec, model, version)
            answer = self._call(self._stub.GetModelMetadata, request)
            found = get_model_metadata_pb2.SignatureDefMap()
            answer.metadata["signature_def"].Unpack(found)
            self._described[model, version] = {
                name: _Signature(_grpc_kinds(each.inputs), _grpc_kinds(each.outputs))
                for name, each in found.signature_def.items()
            }
        return self._described[model, version]

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self._deadline_seconds, wait_for_ready=False)
        except grpc.RpcError as error:
            code, details = error.code(), " ".join(error.details().split())
            where = f"--server {self._address}"
            if code == grpc.StatusCode.UNAVAILABLE:
                told = f"{where}: nobody answers there ({details}); is the server running?"
            elif code == grpc.StatusCode.DEADLINE_EXCEEDED:
                waited = f"{self._deadline_seconds:g} seconds"
                told = f"{where}: no answer in {waited}; is the server running?"
            else:
                told = f"{where} refuses ({code.name}): {details}"
            raise errors.UserError(told) from error


def _name(spec: Any, model: str, version: int | None) -> None:
    spec.name = model
    if version is not None:
        spec.version.value = version


def _grpc_kinds(described: Mapping[str, Any]) -> dict[str, np.dtype]:
    return {
        name: np.dtype(tf.dtypes.as_dtype(each.dtype).as_numpy_dtype)
        for name, each in described.items()
    }


_FULL = (429, 503)  # no room now
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 3.0


class RestClient:
    """Asks over REST, by columns.

    Args:
        address: "http://HOST:PORT".
        deadline_seconds: of each request, retries included.
    """

    def __init__(self, address: str, deadline_seconds: float) -> None:
        self._address, self._deadline_seconds = address, deadline_seconds
        self._session = requests.Session()
        self._described: dict[tuple[str, int | None], dict[str, Any]] = {}

    def __enter__(self) -> RestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        signature: str = "serving_default",
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        described = self._signatures(model, version)
        if signature not in described:
            known = ", ".join(sorted(described))
            raise errors.UserError(f"{model} has no signature {signature!r}; it has {known}")
        wanted = _rest_kinds(described[signature]["inputs"])
        typed = typed_inputs(model, signature, inputs, wanted)
        columns = {name: _plain(value.tolist()) for name, value in typed.items()}
        body = {"signature_name": signature, "inputs": columns}
        answer = self._call("POST", f"{_path(model, version)}:predict", body)["outputs"]
        kinds = _rest_kinds(described[signature]["outputs"])
        if len(kinds) == 1:  # a single output stands without its name
            answer = dict.fromkeys(kinds, answer)
        return {name: np.array(_bytes(answer[name], kinds[name]), kinds[name]) for name in kinds}

    def _signatures(self, model: str, version: int | None) -> dict[str, Any]:
        """The model's description, asked for once."""
        if (model, version) not in self._described:
            answer = self._call("GET", f"{_path(model, version)}/metadata")
            found = answer["metadata"]["signature_def"]["signature_def"]
            self._described[model, version] = found
        return self._described[model, version]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        end = time.monotonic() + self._deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        where = f"--server {self._address}"
        while True:
            try:
                left = max(end - time.monotonic(), 0.001)
                url = self._address + path
                answer = self._session.request(method, url, json=body, timeout=left)
                if answer.ok:
                    return answer.json()
                reason = _reason(answer)
                if answer.status_code not in _FULL:
                    raise errors.UserError(f"{where} refuses ({answer.status_code}): {reason}")
                told = f"{where} has no room ({answer.status_code}): {reason}"
            except requests.Timeout as error:
                told = f"{where}: no answer in {self._deadline_seconds:g} seconds"
                raise errors.UserError(told) from error
            except requests.ConnectionError:
                told = f"{where}: nobody answers there; is the server running?"
            except requests.JSONDecodeError as error:
                raise errors.UserError(f"{where} is no model server: its answer is no JSON") from (
                    error
                )
            if time.monotonic() + pause > end:
                raise errors.UserError(told)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _path(model: str, version: int | None) -> str:
    return f"/v1/models/{model}" + ("" if version is None else f"/versions/{version}")


def _reason(answer: requests.Response) -> str:
    try:
        return " ".join(str(answer.json()["error"]).split())
    except (ValueError, KeyError, TypeError):
        return answer.reason


def _rest_kinds(described: Mapping[str, Any]) -> dict[str, np.dtype]:
    """Dtypes from a signature as JSON: "DT_FLOAT" and the like."""
    return {
        name: np.dtype(getattr(tf.dtypes, _ENUM[each["dtype"]]).as_numpy_dtype)
        for name, each in described.items()
    }


_ENUM = {
    "DT_STRING": "string", "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16",
    "DT_BOOL": "bool", "DT_INT8": "int8", "DT_INT16": "int16", "DT_INT32": "int32",
    "DT_INT64": "int64", "DT_UINT8": "uint8", "DT_UINT16": "uint16", "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
}  # fmt: skip


def _plain(value: Any) -> Any:
    """Bytes as JSON has them."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value


def _bytes(value: Any, kind: np.dtype) -> Any:
    """Texts as the bytes they are in a tensor."""
    if kind != np.dtype(object):
        return value
    if isinstance(value, list):
        return [_bytes(each, kind) for each in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()
