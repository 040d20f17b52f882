"""Asks a model server over gRPC or REST: `connect("localhost:8500").predict("echo", {…})`.

The server is TensorFlow Serving or `python -m apps.serve`. Types come from the server's own
description of a signature: whole numbers may be given where it wants floating-point numbers.
"""

from __future__ import annotations

import abc
import base64
import json
import time
from collections.abc import Mapping
from typing import Any, Self

import grpc
import numpy as np
import requests
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from apps.suite import errors
from apps.suite.serving import models

DEADLINE_SECONDS = 30.0
"""Longest time of a request, with all its retries."""


class PredictionClient(abc.ABC):
    """A connection; close it, or use it as a context manager.

    Args:
        address: of the server.
        deadline_seconds: of each request, retries included.
    """

    def __init__(self, address: str, deadline_seconds: float) -> None:
        self._address, self._deadline_seconds = address, deadline_seconds
        self._described: dict[tuple[str, int | None], dict[str, models.Signature]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abc.abstractmethod
    def close(self) -> None:
        """Ends the connection."""

    def signatures(self, model: str, version: int | None = None) -> dict[str, models.Signature]:
        """Returns the signatures of a served model by name; asks the server once.

        Raises:
            UserError: as `predict`.
        """
        if (model, version) not in self._described:
            found = self._describe(model, version)
            self._described[model, version] = models.signatures(found)
        return self._described[model, version]

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        signature: str = "serving_default",
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Returns the outputs of a signature by name; strings are bytes.

        A server that cannot be reached, or has no room, is asked again, ever less often, until the
        deadline.

        Raises:
            UserError: no answer comes in time, or the server refuses, with its reason.
        """
        described = self.signatures(model, version)
        known = {name: each.inputs for name, each in described.items()}
        typed = typed_inputs(model, signature, inputs, known)
        return self._predict(model, version, signature, typed, described[signature].outputs)

    @abc.abstractmethod
    def _describe(self, model: str, version: int | None) -> Mapping[str, Any]:
        """Asks for the signatures: `SignatureDef` by name."""

    @abc.abstractmethod
    def _predict(
        self,
        model: str,
        version: int | None,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Mapping[str, models.Tensor],
    ) -> dict[str, np.ndarray]:
        """Asks with inputs of the signature's types; `outputs` describes the answer."""


def connect(server: str, deadline_seconds: float = DEADLINE_SECONDS) -> PredictionClient:
    """Returns a client of a server.

    Args:
        server: "HOST:PORT" for gRPC, "http://HOST:PORT" or "https://…" for REST.
        deadline_seconds: of each request, retries included.

    Raises:
        UserError: not an address, or a package is not installed.
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


def typed_inputs(
    model: str,
    signature: str,
    inputs: Mapping[str, Any],
    known: Mapping[str, Mapping[str, models.Tensor]],
) -> dict[str, np.ndarray]:
    """Returns the inputs of a signature as arrays of its types.

    Args:
        model: its name, for errors.
        signature: its name.
        inputs: values by name.
        known: inputs of each signature.

    Raises:
        UserError: an unknown signature, or inputs of other names than it takes.
    """
    if signature not in known:
        listed = ", ".join(sorted(known))
        raise errors.UserError(f"{model} has no signature {signature!r}; it has {listed}")
    wanted = known[signature]
    if inputs.keys() != wanted.keys():
        told = f"takes {', '.join(sorted(wanted))}, not {', '.join(sorted(inputs)) or 'nothing'}"
        raise errors.UserError(f"{model}, signature {signature}: {told}")
    return {name: np.asarray(value, wanted[name].kind) for name, value in inputs.items()}


# gRPC itself asks again a server that is not there yet, or has no room.
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


class GrpcClient(PredictionClient):
    """Asks over gRPC.

    Args:
        address: "HOST:PORT".
        deadline_seconds: of each request, retries included.
    """

    def __init__(self, address: str, deadline_seconds: float) -> None:
        super().__init__(address, deadline_seconds)
        self._channel = grpc.insecure_channel(address, _OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def _predict(
        self,
        model: str,
        version: int | None,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Mapping[str, models.Tensor],
    ) -> dict[str, np.ndarray]:
        del outputs  # an answer tells its types itself
        request = predict_pb2.PredictRequest()
        _name(request.model_spec, model, version)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        answer = self._call(self._stub.Predict, request)
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def _describe(self, model: str, version: int | None) -> Mapping[str, Any]:
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        request.metadata_field.append("signature_def")
        _name(request.model_spec, model, version)
        answer = self._call(self._stub.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return found.signature_def

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


_FULL = (429, 503)  # no room now
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 3.0


class RestClient(PredictionClient):
    """Asks over REST, by columns.

    Args:
        address: "http://HOST:PORT".
        deadline_seconds: of each request, retries included.
    """

    def __init__(self, address: str, deadline_seconds: float) -> None:
        super().__init__(address, deadline_seconds)
        self._session = requests.Session()

    def close(self) -> None:
        self._session.close()

    def _predict(
        self,
        model: str,
        version: int | None,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Mapping[str, models.Tensor],
    ) -> dict[str, np.ndarray]:
        columns = {name: _plain(value.tolist()) for name, value in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        answer = self._call("POST", f"{_path(model, version)}:predict", body)["outputs"]
        kinds = {name: tensor.kind for name, tensor in outputs.items()}
        if len(kinds) == 1:  # a single output stands without its name
            answer = dict.fromkeys(kinds, answer)
        return {name: np.array(_bytes(answer[name], kinds[name]), kinds[name]) for name in kinds}

    def _describe(self, model: str, version: int | None) -> Mapping[str, Any]:
        answer = self._call("GET", f"{_path(model, version)}/metadata")
        return {
            name: json_format.ParseDict(each, meta_graph_pb2.SignatureDef())
            for name, each in answer["metadata"]["signature_def"]["signature_def"].items()
        }

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        end = time.monotonic() + self._deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        where = f"--server {self._address}"
        # requests' own json= refuses NaN, a missing value, which the server reads
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        while True:
            try:
                left = max(end - time.monotonic(), 0.001)
                url = self._address + path
                answer = self._session.request(
                    method, url, data=content, headers=headers, timeout=left
                )
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
                raise errors.UserError(
                    f"{where} is not a model server: its answer is not JSON"
                ) from (error)
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


def _plain(value: Any) -> Any:
    """Replaces bytes by base64."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value


def _bytes(value: Any, kind: np.dtype) -> Any:
    """Replaces texts by the bytes of a tensor."""
    if kind != np.dtype(object):
        return value
    if isinstance(value, list):
        return [_bytes(each, kind) for each in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()
