"""`GrpcClient`: see `prediction_client`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from apps import errors, prediction_client

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
        for name, value in prediction_client.typed(model, signature, inputs, wanted).items():
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
                name: _Signature(_kinds(each.inputs), _kinds(each.outputs))
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


def _kinds(described: Mapping[str, Any]) -> dict[str, np.dtype]:
    return {
        name: np.dtype(tf.dtypes.as_dtype(each.dtype).as_numpy_dtype)
        for name, each in described.items()
    }
