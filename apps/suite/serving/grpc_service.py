"""Answers the gRPC interface of TensorFlow Serving: Predict, metadata and status.

The messages and stubs are those of the package tensorflow-serving-api.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from apps.suite.serving import request_tensors
from apps.suite.serving.models import Admission, Refusal, ServedModels

_SIGNATURES = "signature_def"
_MESSAGES_AT_ONCE = 4  # of the largest size, as over REST, that are answered or wait for it


def server(
    models: ServedModels, admission: Admission, address: str, largest_request_bytes: int
) -> tuple[grpc.Server, int]:
    """Returns a server that is not started yet, and its port (a free one for `host:0`).

    Raises:
        RuntimeError: nothing can listen there.
    """
    limits = [
        ("grpc.max_receive_message_length", largest_request_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # or two servers would silently share a port
    ]
    made = grpc.server(futures.ThreadPoolExecutor(64), options=limits)
    port = made.add_insecure_port(address)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(models, admission, largest_request_bytes), made
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Status(models), made)
    return made, port


class Messages:
    """Counts the bytes of requests that are in memory, and refuses those beyond a bound.

    Args:
        most_bytes: of all requests together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._counting = threading.Lock()

    @contextlib.contextmanager
    def holding(self, size_bytes: int) -> Iterator[None]:
        """Counts a request during the block; raises Refusal where it does not fit any more."""
        with self._counting:
            if size_bytes > self._left:
                told = "too many large requests wait already; ask later"
                raise Refusal("RESOURCE_EXHAUSTED", told)
            self._left -= size_bytes
        try:
            yield
        finally:
            with self._counting:
                self._left += size_bytes


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods of the service are unimplemented."""

    def __init__(self, models: ServedModels, admission: Admission, most_bytes: int) -> None:
        self.models = models
        self.admission = admission
        self.most_bytes = most_bytes
        self.messages = Messages(_MESSAGES_AT_ONCE * most_bytes)

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        spec = request.model_spec
        with (
            _told(context),
            self.messages.holding(request.ByteSize()),
            self.admission(),
            self.models.using(spec.name, _version(spec)) as served,
        ):
            signature = spec.signature_name or "serving_default"
            wanted = served.named_inputs(signature, request.inputs.keys())
            inputs = request_tensors.read(request.inputs, wanted, self.most_bytes)
            outputs = served.answer(signature, inputs)
            asked = set(request.output_filter) or outputs.keys()
            if asked - outputs.keys():
                told = f"no output {', '.join(sorted(asked - outputs.keys()))}"
                raise Refusal("INVALID_ARGUMENT", told)
            answer = predict_pb2.PredictResponse()
            for name in asked:
                _write(outputs[name], answer.outputs[name])
            answer.model_spec.name = spec.name
            answer.model_spec.signature_name = signature
            answer.model_spec.version.value = served.number
            return answer

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with _told(context):
            if set(request.metadata_field) != {_SIGNATURES}:
                told = f"metadata_field has to be [{_SIGNATURES!r}]"
                raise Refusal("INVALID_ARGUMENT", told)
            spec = request.model_spec
            with self.models.using(spec.name, _version(spec)) as served:
                described = get_model_metadata_pb2.SignatureDefMap()
                for name, signature in served.described.items():
                    described.signature_def[name].CopyFrom(signature)
                answer = get_model_metadata_pb2.GetModelMetadataResponse()
                answer.model_spec.name = spec.name
                answer.model_spec.version.value = served.number
                answer.metadata[_SIGNATURES].Pack(described)
                return answer


def _write(values: np.ndarray, tensor: Any) -> None:
    """Writes into a TensorProto; for numbers `tf.make_tensor_proto` takes several times as long."""
    if values.dtype == object:  # strings
        tensor.CopyFrom(tf.make_tensor_proto(values))
        return
    tensor.dtype = tf.as_dtype(values.dtype).as_datatype_enum
    for side in values.shape:
        tensor.tensor_shape.dim.add(size=side)
    tensor.tensor_content = values.tobytes()


class _Status(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; versions come by their folders, so there is no HandleReloadConfigRequest."""

    def __init__(self, models: ServedModels) -> None:
        self.models = models

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with _told(context):
            asked = _version(request.model_spec)
            answer = get_model_status_pb2.GetModelStatusResponse()
            for each in self.models.states(request.model_spec.name):
                if asked in (None, each.version):
                    status = answer.model_version_status.add()
                    status.version = each.version
                    status.state = get_model_status_pb2.ModelVersionStatus.State.Value(each.state)
                    status.status.error_code = 2 if each.error else 0  # UNKNOWN, OK
                    status.status.error_message = each.error
            return answer


def _version(spec: Any) -> int | None:
    return spec.version.value if spec.HasField("version") else None


@contextlib.contextmanager
def _told(context: grpc.ServicerContext) -> Iterator[None]:
    """Ends the call with the status of a refusal, or as a mistake of ours, which is printed."""
    try:
        yield
    except Refusal as refusal:
        context.abort(grpc.StatusCode[refusal.code], str(refusal))
    except Exception as error:
        traceback.print_exception(error)
        told = "the server failed at this request; its log says more"
        context.abort(grpc.StatusCode.INTERNAL, told)
